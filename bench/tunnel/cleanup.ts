/** What the benchmark has started and must end: in reverse order, at its end, at Ctrl-C and when something fails. */
import process from "node:process";

type Close = () => Promise<void> | void;

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

/** Runs `work` and ends whatever it leaves; a signal that asks for the end does so at once, with 130 as the exit code. */
export async function withCleanup<T>(work: () => Promise<T>): Promise<T> {
  const end = () => {
    endAll().then(
      () => process.exit(130),
      () => process.exit(130),
    );
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const name of signals) process.once(name, end);
  try {
    return await work();
  } finally {
    await endAll();
    for (const name of signals) process.off(name, end);
  }
}
