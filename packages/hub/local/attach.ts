/** Attaches the claudecodeui of this machine as soon as one runs, and again when it comes back elsewhere. */
import { startConnector, type ConnectorProcess } from "./connector.ts";

const LOOK_EVERY_MS = 3_000;

export interface AttachOptions {
  hub: string;
  /** Origin of a claudecodeui that runs now, or undefined. */
  find(): Promise<string | undefined>;
  token(): Promise<string>;
  onLine(line: string): void;
  /** Called when a connector was started. */
  onChange(): void;
  /** Added to the connector's environment. */
  environment: Record<string, string>;
}

export interface Attachment {
  stop(): Promise<void>;
}

/**
 * Looks now and every three seconds. A connector that ended by itself was told to stay away (its token was revoked, another
 * took its place) and has said so: the same claudecodeui is not attached again in this run. Resolves after the first
 * look, with whether there was one.
 */
export async function keepAttached(options: AttachOptions): Promise<Attachment & { found: boolean }> {
  let connector: ConnectorProcess | undefined;
  let attached: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const look = async () => {
    const target = await options.find();
    if (stopped || target === undefined || target === attached) return;
    await connector?.stop();
    attached = target;
    const { hub, environment } = options;
    connector = startConnector({ hub, target, token: await options.token(), environment }, (line) => {
      options.onLine(line);
    });
    options.onChange();
  };
  const lookAgain = () => {
    timer = setTimeout(() => {
      look()
        .catch((error: unknown) => {
          options.onLine(String(error));
        })
        .finally(() => {
          if (!stopped) lookAgain();
        });
    }, LOOK_EVERY_MS);
  };

  await look();
  lookAgain();
  return {
    found: attached !== undefined,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await connector?.stop();
    },
  };
}
