/** The command as people run it: a process of its own. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, vi } from "vitest";

const script = fileURLToPath(new URL("../cli.ts", import.meta.url));

export interface CliRun {
  output: () => string;
  /** Resolves when the terminal shows `text`. */
  shows: (text: string | RegExp) => Promise<unknown>;
  /** Its exit code. */
  ended: Promise<number | null>;
  kill: (signal: NodeJS.Signals) => void;
}

/** Starts it in the folder `home`, with nothing of this process's environment but PATH. */
export function runCli(home: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): CliRun {
  const child = spawn(process.execPath, ["--conditions=source", script, ...args], {
    cwd: home,
    env: { PATH: process.env["PATH"], HOME: home, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  }
  return {
    output: () => output,
    shows: (text) => vi.waitFor(() => expect(output).toMatch(text), { timeout: 8_000 }),
    ended: new Promise((resolve) => child.once("close", resolve)),
    kill: (signal) => child.kill(signal),
  };
}
