/** With which hub to connect, and with what token. */
import type { InstanceMetadata } from "@ai-orchestrator/protocol";
import type { ConnectOptions } from "./connect.ts";
import { EXIT } from "./exit-codes.ts";
import { pairAtTerminal } from "./pair.ts";

interface Instance {
  clientId: string;
  metadata: InstanceMetadata;
}

interface Credentials {
  url: string;
  token: string;
}

/** Those in the settings, or those of a pairing; or an exit code, having said why there are none. */
export async function findCredentials(
  options: ConnectOptions,
  instance: Instance,
  signal: AbortSignal,
): Promise<Credentials | number> {
  const { read, background, terminal } = options;
  const { url = "", token } = read.settings;
  if (token !== undefined && !options.pair) return { url, token };
  if (background) {
    terminal.say(`There is no token for ${url} in ${read.file}; orchestrator connect gets one`, "bad");
    return EXIT.wrongUse;
  }
  const paired = await pairAtTerminal({
    url,
    ...instance,
    allowOtherUser: read.settings.allowOtherUser,
    file: read.file,
    qr: options.qr,
    terminal,
    input: process.stdin,
    signal,
  });
  if (typeof paired === "number") return paired;
  const { token: former } = read.origins;
  if (former !== undefined && former.kind !== "file")
    terminal.say(`Note: ${former.written} goes before the config file, so take it away`, "bad");
  return { url, token: paired };
}
