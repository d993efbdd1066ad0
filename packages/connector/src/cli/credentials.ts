/** With which hub to connect, and with what token. */
import type { InstanceMetadata } from "@ai-orchestrator/protocol";
import { writeSettings } from "../settings-write.ts";
import type { ConnectOptions } from "./connect.ts";
import { EXIT } from "./exit-codes.ts";

interface Instance {
  clientId: string;
  metadata: InstanceMetadata;
}

interface Credentials {
  url: string;
  token: string;
}

/** Those in the settings; or an exit code, having said why there are none. `signal` ends the wait for somebody who approves. */
export async function findCredentials(
  { read, background, terminal }: ConnectOptions,
  instance: Instance,
  signal: AbortSignal,
): Promise<Credentials | number> {
  const { url = "", token } = read.settings;
  if (token !== undefined) {
    // Asking for the connection that is kept in the file takes back what `orchestrator disconnect` has written there.
    if (read.isDisabledInFile && read.origins.token?.kind === "file")
      await writeSettings(read.file, { enabled: true });
    return { url, token };
  }
  if (background) {
    terminal.say(`There is no token for ${url} in ${read.file}; orchestrator connect gets one`, "bad");
    return EXIT.wrongUse;
  }
  return paired(instance, signal, () => {
    terminal.say(`ORCHESTRATOR_TOKEN, --token or "orchestrator.token" in ${read.file}: is missing`, "bad");
  });
}

/** The place of pairing: a code that its owner approves at the hub brings a token, which `writeSettings` keeps, with `enabled`. */
async function paired(_instance: Instance, _signal: AbortSignal, missing: () => void): Promise<number> {
  missing();
  return Promise.resolve(EXIT.wrongUse);
}
