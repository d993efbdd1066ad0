/** `orchestrator connect`: one instance, connected until somebody ends it. */
import { OrchestratorClient } from "../client.ts";
import { ownIdentity, ownMetadata } from "../identity.ts";
import { startLocalControl } from "../local-control.ts";
import type { ReadSettings } from "../settings.ts";
import { homeFolder, settingsFolder } from "../settings-folder.ts";
import type { ConnectArguments } from "./arguments.ts";
import {
  type Application,
  type ApplicationPlace,
  expectApplication,
  findApplication,
} from "./application.ts";
import { type Child, startChild } from "./child.ts";
import { findCredentials } from "./credentials.ts";
import { isDisconnectedSince, takeBack } from "./disconnected.ts";
import { EXIT } from "./exit-codes.ts";
import { report } from "./report.ts";
import { isConnectedAlready } from "./running.ts";
import type { Terminal } from "./terminal.ts";

const DISCONNECTED = "Disconnected by orchestrator disconnect; orchestrator connect connects again";

export interface ConnectOptions extends Pick<ConnectArguments, "background" | "pair" | "qr"> {
  read: ReadSettings;
  /** A program to start; empty to connect one that runs. */
  command: readonly string[];
  env: NodeJS.ProcessEnv;
  terminal: Terminal;
  /** Ends everything; its reason is the signal that was received. */
  signal: AbortSignal;
}

/** Runs until `signal`, the end of the program started, or a hub that says to stay away. Resolves to the exit code. */
export async function connect(options: ConnectOptions): Promise<number> {
  const { background, env, terminal, signal, command } = options;
  const home = homeFolder(env);
  const read = await takeBack(options.read, terminal);
  const taken = { ...options, read };
  if (command.length > 0) return connectChild(taken, home);
  const { target } = read.settings;
  const application = await findApplication({ target, env, home, terminal, signal, waits: background });
  if (signal.aborted) return EXIT.ended;
  return application === undefined ? EXIT.notFound : run(application, taken, signal);
}

async function connectChild(options: ConnectOptions, home: string): Promise<number> {
  const { read, env, terminal, signal, command } = options;
  const over = new AbortController();
  const { target } = read.settings;
  const place: ApplicationPlace = { target, env, home, terminal, signal: over.signal };
  const expected = await expectApplication(place);
  terminal.say(`Starting ${command.join(" ")}`);
  const child = startChild(command, env, terminal);
  const stop = () => over.abort();
  signal.addEventListener("abort", stop, { once: true });
  const ended = child.ended.then((code) => {
    if (!signal.aborted) terminal.say(`${child.name} ended with code ${code}`, code === 0 ? "plain" : "bad");
    stop();
    return code;
  });
  const application = await expected.wait();
  if (application && !over.signal.aborted) await run(application, options, over.signal);
  // What ends the connection does not end what the person works with here.
  if (!over.signal.aborted) terminal.say(`${child.name} keeps running here; Ctrl-C ends it`);
  return endChild(child, ended, signal);
}

/** Waits for the program, or ends it when asked to. */
async function endChild(child: Child, ended: Promise<number>, signal: AbortSignal): Promise<number> {
  await Promise.race([ended, aborted(signal)]);
  await child.stop(signalName(signal));
  return ended;
}

async function run(application: Application, options: ConnectOptions, signal: AbortSignal): Promise<number> {
  const { read, env, terminal } = options;
  const { settings } = read;
  if (isDisconnectedSince(read)) {
    terminal.say(DISCONNECTED);
    return EXIT.ended;
  }
  const { clientId } = await identify(application.target, options);
  // A service and a new token are to take the place of what runs.
  const mayReplace = options.background || options.pair;
  if (!mayReplace && (await isConnectedAlready(options, { url: settings.url ?? "", clientId })))
    return EXIT.ended;
  const metadata = ownMetadata(settings, env);
  const credentials = await findCredentials(options, { clientId, metadata }, signal);
  if (typeof credentials === "number") return credentials;
  const client = new OrchestratorClient({
    ...credentials,
    reconnectIntervalMs: settings.reconnectIntervalMs,
    heartbeatIntervalMs: settings.heartbeatIntervalMs,
    clientId,
    target: application.target,
    adapter: application.adapter,
    ...(settings.access && { access: settings.access }),
    allowOtherUser: { hub: settings.allowOtherUser, target: application.isOthers },
    metadata,
  });
  const refused = report(client, terminal);
  startLocalControl(client, {
    folder: settingsFolder(env),
    disconnect: async () => {
      terminal.say(DISCONNECTED);
      await client.stop();
    },
    failed: (message) => terminal.say(`Note: ${message}`),
  });
  const ended = new Promise<number>((resolve) => client.once("ended", () => resolve(EXIT.ended)));
  client.start();
  const code = await Promise.race([refused, ended, aborted(signal).then(() => EXIT.ended)]);
  await client.stop();
  return code;
}

async function identify(target: string, { read, env, terminal }: ConnectOptions) {
  const { settings } = read;
  if (settings.clientId !== undefined) return { clientId: settings.clientId };
  const identity = await ownIdentity(target, env);
  if (!identity.kept)
    terminal.say(
      `Note: ${settingsFolder(env)} cannot be written, so this instance's id is derived from this machine`,
    );
  return identity;
}

/** Resolves once `signal` is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function signalName({ reason }: { reason: unknown }): NodeJS.Signals {
  return reason === "SIGINT" || reason === "SIGHUP" ? reason : "SIGTERM";
}
