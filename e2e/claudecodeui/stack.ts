/** Everything between a browser and Claude Code, as a person would have it: local hub, `orchestrator connect`, claudecodeui. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type ConnectorProcess, startConnector } from "../../packages/hub/local/connector.ts";
import { startHub, type TestHub, type TestHubOptions } from "../hub.ts";
import { startRelay, type Relay } from "../tunnel/relay.ts";
import { type RealClaudecodeui, startRealClaudecodeui } from "./harness.ts";
import { startTap, type Tap } from "./tap.ts";

export interface Stack {
  hub: TestHub;
  real: RealClaudecodeui;
  tap: Tap;
  /** Between the command and the hub: what crosses the tunnel passes it. */
  relay: Relay;
  /** Runs `orchestrator connect`; resolves to the instance's origin once it is connected. */
  connect(): Promise<string>;
  /** Ends it as a signal would. */
  disconnect(): Promise<void>;
  stop(): Promise<void>;
}

/** What is in the one file of the project, `notes.md`. */
const NOTES = "# Notes\n\nThe second line of the notes.\n";

/** Starts all of it but the command. */
export async function startStack(options: TestHubOptions = {}): Promise<Stack> {
  const [hub, real] = await Promise.all([startHub(options), startRealClaudecodeui()]);
  const [tap, relay] = await Promise.all([startTap(real.port), startRelay(hub)]);
  const token = await hub.createToken();
  await writeFile(path.join(real.project, "notes.md"), NOTES);
  let connector: ConnectorProcess | undefined;
  const disconnect = async () => {
    await connector?.stop();
    connector = undefined;
  };
  return {
    hub,
    real,
    tap,
    relay,
    connect: async () => {
      const lines: string[] = [];
      // The project that is shown is the folder the command is run in.
      const environment = { ...real.environment, PWD: real.project };
      const settings = { hub: relay.origin, target: tap.origin, token, environment };
      connector = startConnector(settings, (line) => lines.push(line));
      return connectedTo(lines);
    },
    disconnect,
    stop: async () => {
      await disconnect();
      await relay.stop();
      await tap.stop();
      await real.stop();
      await hub.stop();
    },
  };
}

/** The address the command prints when it is connected; fails with all it has printed. */
async function connectedTo(lines: string[]): Promise<string> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const address = /Connected: (http:\S+)/.exec(lines.join("\n"))?.[1];
    if (address !== undefined) return address;
    if (Date.now() > deadline) throw new Error(`not connected:\n${lines.join("\n")}`);
    await delay(50);
  }
}
