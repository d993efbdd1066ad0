/** What the benchmark has started and must end: in reverse order, at its end, at Ctrl-C and when something fails. */
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { childProcesses, signal } from "../../packages/hub/local/processes.ts";

type Close = () => Promise<void> | void;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** For what is told to end. */
const GRACE_MS = 500;
const open: Close[] = [];

/** Notes that `close` is due; the function returned does it now, once. */
export function atEnd(close: Close): () => Promise<void> {
  open.push(close);
  return async () => {
    const index = open.indexOf(close);
    if (index === -1) return;
    open.splice(index, 1);
    await close();
  };
}

/** Ends everything that is still due; goes on where one thing cannot be ended. */
async function endAll(): Promise<void> {
  for (let close = open.pop(); close !== undefined; close = open.pop()) {
    try {
      await close();
    } catch (error) {
      console.error(`Could not be ended: ${String(error)}`);
    }
  }
}

/** Ends what was only just being started, and is not noted yet. */
async function endDescendants(): Promise<void> {
  const left = descendants(process.pid);
  for (const pid of left) signal(pid, "SIGTERM");
  await pause(GRACE_MS);
  for (const pid of left) signal(pid, "SIGKILL");
}

function descendants(pid: number): number[] {
  return childProcesses(pid).flatMap((child) => [child.pid, ...descendants(child.pid)]);
}

/**
 * Runs `work` and ends whatever it leaves. A signal that asks for the end does so at once, with 130 as the exit code; what nobody has
 * caught, such as an output that is closed, with 1.
 */
export async function withCleanup<T>(work: () => Promise<T>): Promise<T> {
  let isEnding = false;
  const endWith = (code: number) => {
    isEnding = true;
    const exit = () => process.exit(code);
    endAll().then(endDescendants).then(exit, exit);
  };
  const onSignal = () => {
    endWith(130);
  };
  const onUncaught = (error: Error) => {
    // Where the terminal is gone, nothing can be said.
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") console.error(error);
    endWith(1);
  };
  for (const name of SIGNALS) process.once(name, onSignal);
  process.on("uncaughtException", onUncaught);
  try {
    return await work();
  } catch (error) {
    // It was the end of what it rested on.
    if (isEnding) await new Promise(() => undefined);
    throw error;
  } finally {
    await endAll();
    for (const name of SIGNALS) process.off(name, onSignal);
    process.off("uncaughtException", onUncaught);
  }
}
