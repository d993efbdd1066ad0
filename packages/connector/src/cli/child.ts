/** A program started by `orchestrator connect -- <command>`: in a process group of its own, ended with all it started. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { basename } from "node:path";
import { constants } from "node:os";
import type { Terminal } from "./terminal.ts";

const STOP_TIMEOUT_MS = 5_000;

export interface Child {
  readonly name: string;
  /** Its exit code when it has ended (128 + n for signal n, 127 where it could not be started). */
  readonly ended: Promise<number>;
  running(): boolean;
  /** Asks it and everything it started to end, then ends them; resolves when it has ended. */
  stop(signal: NodeJS.Signals): Promise<void>;
}

/** Starts it. What it prints goes to the terminal line by line; the hub's token stays out of its environment, and it connects by itself to none. */
export function startChild(command: readonly string[], env: NodeJS.ProcessEnv, terminal: Terminal): Child {
  const [program = "", ...args] = command;
  const name = basename(program);
  const { ORCHESTRATOR_TOKEN: _, ...own } = env;
  const grouped = process.platform !== "win32";
  const child = spawn(program, args, {
    env: { ...own, ORCHESTRATOR_MODE: "standalone" },
    detached: grouped,
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on("line", (line) => terminal.pass(name, line));
  }
  const running = () => child.exitCode === null && child.signalCode === null && child.pid !== undefined;
  const ended = new Promise<number>((resolve) => {
    child.once("error", (error) => {
      terminal.say(`Could not start ${program}: ${error.message}`, "bad");
      resolve(127);
    });
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
  return {
    name,
    ended,
    running,
    stop: async (signal) => {
      // Also where the program itself has ended: something it started may have stayed.
      sendSignal(child, signal, grouped);
      const timer = setTimeout(() => sendSignal(child, "SIGKILL", grouped), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
      sendSignal(child, "SIGKILL", grouped);
    },
  };
}

function sendSignal(child: ChildProcess, signal: NodeJS.Signals, grouped: boolean): void {
  if (child.pid === undefined) return;
  try {
    if (grouped) process.kill(-child.pid, signal);
    else child.kill(signal);
  } catch (error) {
    // Nothing of the group is left; anything else is worth knowing.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
