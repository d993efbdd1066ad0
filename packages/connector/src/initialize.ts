/** The connector inside another program: a Node web server, or a fork of claudecodeui. */
import { createDetectingAdapter } from "./detecting-adapter.ts";
import { OrchestratorClient } from "./client.ts";
import { WELL_KNOWN_PORTS } from "./discovery.ts";
import { hostTarget } from "./host-target.ts";
import { ownIdentity, ownMetadata } from "./identity.ts";
import type { InitializeOptions } from "./initialize-options.ts";
import { startLocalControl } from "./local-control.ts";
import { readHostFlags } from "./settings-flags.ts";
import { settingsFolder } from "./settings-folder.ts";
import { inspectSettings, readSettings, SettingsError, type Flags, type Settings } from "./settings.ts";

/**
 * Connects the web server of this program to its hub, if the settings ask for it: options given here, then `--orchestrator-*` flags,
 * the environment, the config file (docs/embedding.md).
 *
 * Resolves to a client that has begun to connect, or to null: in standalone mode, and where the settings will not do, which is said in one
 * line. Resolves after a look at two small files at most, without waiting for the network; never rejects and never throws.
 * The client is the caller's, who ends it with `await client.stop()` or by closing `server`. It does not keep the process running.
 */
export async function initializeOrchestrator(
  options?: InitializeOptions | null,
): Promise<OrchestratorClient | null> {
  const say = safely(options?.log ?? sayOnStderr);
  try {
    return await begin(options ?? {}, say);
  } catch (error) {
    const what = error instanceof Error ? error.message.replaceAll("\n", "; ") : String(error);
    say(`Not connected to a hub: ${what}`);
    return null;
  }
}

/**
 * A client for the settings of an environment and the config file, not started; null in standalone mode. It connects the web server at
 * `ORCHESTRATOR_TARGET`, else at port `SERVER_PORT` or `PORT`, else 3001. Rejects with `SettingsError` where the settings will not do.
 */
export async function createOrchestratorClientFromEnv(
  env: NodeJS.ProcessEnv = process.env,
): Promise<OrchestratorClient | null> {
  const { settings } = readSettings({ env, needs: ["url", "token"] });
  if (settings.mode === "standalone") return null;
  const port = env["SERVER_PORT"] || env["PORT"] || WELL_KNOWN_PORTS[0];
  return createHostClient(settings, { target: settings.target ?? `http://127.0.0.1:${port}`, env });
}

/** The settings in force for a program with these options, its flags included. Throws `SettingsError`. */
export function readHostSettings(options: InitializeOptions): Settings {
  const { env = process.env, argv = process.argv.slice(2), mode, url, token } = options;
  const { flags, problems } = readHostFlags(argv);
  if (problems.length > 0) throw new SettingsError(problems);
  // What a program names in its code asks for a connection, but `orchestrator disconnect` and ORCHESTRATOR_MODE can still say no.
  const asks = url !== undefined || token !== undefined;
  const asked = inspectSettings({
    flags: { ...flags, ...given({ mode }) },
    env,
    ...(asks && { asked: "unless_disabled" as const }),
  });
  const { settings } = readSettings({
    flags: { ...flags, ...given(options), ...given({ mode: asked.settings.mode }) },
    env,
    needs: ["url", "token"],
  });
  return settings;
}

async function begin(
  options: InitializeOptions,
  say: (line: string) => void,
): Promise<OrchestratorClient | null> {
  const { env = process.env, server, adapter } = options;
  const settings = readHostSettings(options);
  if (settings.mode === "standalone") return null;
  const target = hostTarget(options) ?? settings.target;
  if (target === undefined)
    throw new Error("the server does not listen yet; name its port, or call this once it listens");
  const client = await createHostClient(settings, { target, env, ...(adapter && { adapter }) });
  client.on("log", ({ kind, text }) => {
    if (kind !== "status") say(text);
  });
  const stop = () => {
    client.stop().catch((error: unknown) => say(`The connection did not end well: ${String(error)}`));
  };
  server?.once("close", stop);
  client.once("ended", () => server?.off("close", stop));
  // Nothing is left to watch for.
  client.once("stopped", stop);
  startLocalControl(client, {
    folder: settingsFolder(env),
    embedded: true,
    disconnect: async () => {
      say(DISCONNECTED);
      await client.stop();
    },
    failed: say,
  });
  client.start();
  return client;
}

const DISCONNECTED =
  "Disconnected by orchestrator disconnect; after orchestrator connect, this program connects again when it starts";

interface HostPlace {
  target: string;
  env: NodeJS.ProcessEnv;
  adapter?: InitializeOptions["adapter"];
}

async function createHostClient(settings: Settings, place: HostPlace): Promise<OrchestratorClient> {
  const { target, env, adapter = createDetectingAdapter({ target, env }) } = place;
  const { url = "", token = "", access, reconnectIntervalMs, heartbeatIntervalMs, allowOtherUser } = settings;
  return new OrchestratorClient({
    url,
    token,
    clientId: settings.clientId ?? (await ownIdentity(target, env)).clientId,
    target,
    adapter,
    ...(access && { access }),
    reconnectIntervalMs,
    heartbeatIntervalMs,
    allowOtherUser: { hub: allowOtherUser },
    holdsProcess: false,
    metadata: ownMetadata(settings, env),
  });
}

const GIVEN = [
  "mode",
  "url",
  "token",
  "clientId",
  "name",
  "project",
  "reconnectIntervalMs",
  "heartbeatIntervalMs",
] as const;

/** What a program's code says, in the form of flags, which go before everything else. */
function given(options: { [Name in (typeof GIVEN)[number]]?: InitializeOptions[Name] | undefined }): Flags {
  const flags: Flags = {};
  for (const name of GIVEN) {
    const value = options[name];
    if (value !== undefined) flags[name] = { text: String(value), written: `${name} (in code)` };
  }
  return flags;
}

/** What a program's log throws, or rejects with, becomes a warning of the process. */
function safely(log: (line: string) => unknown): (line: string) => void {
  return (line) => {
    new Promise((resolve) => resolve(log(line))).catch((error: unknown) =>
      process.emitWarning(`The log of the connector failed: ${String(error)}`, "OrchestratorWarning"),
    );
  };
}

/** `console.error` ignores a stderr that is gone, which would end the program otherwise. */
export function sayOnStderr(line: string): void {
  console.error(`orchestrator: ${line}`);
}
