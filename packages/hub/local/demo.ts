import { existsSync } from "node:fs";
import path from "node:path";
import { findClaudecodeui } from "@ai-orchestrator/connector";
import {
  claudecodeuiFolder,
  installClaudecodeui,
  startClaudecodeui,
  type Claudecodeui,
} from "./claudecodeui.ts";
import { firstFreePort } from "./port.ts";

/** An instance keeps its identity with its port, so the demo comes back to its own; not one that people use already. */
const FIRST_PORT = 3011;

export interface Demo {
  origin: string;
  /** What the connector must know of it. */
  environment: Record<string, string>;
  stop(): Promise<void>;
}

/**
 * Installs a claudecodeui and starts it with the person's own projects but a database of its own, so that neither the
 * sign-in nor the settings of one they use are touched. Where one runs already, that one is the demo.
 */
export async function startDemo(options: {
  report: (line: string) => void;
  signal: AbortSignal;
  /** For its database, which holds the key that signs its sign-ins: readable by its owner only. */
  stateFolder: string;
}): Promise<Demo> {
  const running = await findClaudecodeui();
  if (running !== undefined) {
    options.report(`A claudecodeui runs here already, at ${running.target}: the demo uses it.`);
    return { origin: running.target, environment: {}, stop: () => Promise.resolve() };
  }
  const folder = claudecodeuiFolder();
  const installed = await installClaudecodeui({ folder, ...options });
  const environment = demoEnvironment(installed, options.stateFolder);
  const started = await startClaudecodeui(installed, { port: await firstFreePort(FIRST_PORT), environment });
  options.report(`claudecodeui runs at ${started.origin}.`);
  return { origin: started.origin, environment, stop: () => started.stop() };
}

function demoEnvironment(installed: Claudecodeui, stateFolder: string): Record<string, string> {
  const environment: Record<string, string> = { DATABASE_PATH: path.join(stateFolder, "demo.db") };
  if (installed.claude !== undefined && !hasClaude()) environment["CLAUDE_CLI_PATH"] = installed.claude;
  return environment;
}

/** True where the person has a Claude Code of their own, or has said which to use. */
function hasClaude(): boolean {
  if (process.env["CLAUDE_CLI_PATH"]) return true;
  const folders = (process.env["PATH"] ?? "").split(path.delimiter);
  return folders.some((folder) => existsSync(path.join(folder, "claude")));
}
