/** Programs that the benchmark starts: each is ended by its pid, and says what it had printed when it ends too early. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { atEnd } from "./cleanup.ts";

const START_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 2_000;

export interface Child {
  pid: number;
  /** The end of what it has printed. */
  printed(): string;
  isOver(): boolean;
  stop: () => Promise<void>;
}

/** Starts a program in a group of its own: Ctrl-C reaches the benchmark, which ends it in its turn. */
export function startChild(command: string, args: string[], environment: NodeJS.ProcessEnv = {}): Child {
  const child = spawn(command, args, {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let text = "";
  const keep = (data: Buffer) => (text = (text + data.toString()).slice(-4000));
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  child.once("error", (error) => (text += error.message));
  const isOver = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  return { pid: child.pid ?? 0, printed: () => text, isOver, stop: atEnd(() => end(child, isOver)) };
}

async function end(child: ChildProcess, isOver: () => boolean): Promise<void> {
  if (isOver()) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  await Promise.race([gone, pause(STOP_TIMEOUT_MS, undefined, { ref: false })]);
  if (!isOver()) child.kill("SIGKILL");
  await gone;
}

/** Resolves once something listens on this port of 127.0.0.1; throws with what the child has said when it does not come. */
export async function untilListening(port: number, child: Child): Promise<void> {
  await until(() => listens(port), child);
}

/** Resolves once `isSo`; throws with what the child has said when it ends first, or time runs out. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  child: Pick<Child, "isOver" | "printed">,
): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await isSo())) {
    if (child.isOver() || Date.now() > deadline)
      throw new Error(`A program of the benchmark did not start:\n${child.printed()}`);
    await pause(20);
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    // Refused: not yet.
    return false;
  } finally {
    socket.destroy();
  }
}
