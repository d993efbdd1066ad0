/**
 * What a running hub notes about itself in its state folder, so that the next start knows whether one still runs, and
 * which processes a killed one left behind. A process is named by its pid and its start time, so none is ever confused
 * with a later one that got the same pid.
 */
import { rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { childProcesses, findProcess, signal, type ProcessInfo } from "./processes.ts";
import { readPrivate, writePrivate } from "./state.ts";

const FILE = "running.json";
const END_TIMEOUT_MS = 3_000;

type ProcessName = Pick<ProcessInfo, "pid" | "started">;

interface RunRecord {
  port: number;
  runner: ProcessName;
  children: ProcessName[];
}

/** The hub that runs with this state folder now, or undefined. */
export function findRunningHub(folder: string): { pid: number; port: number } | undefined {
  const record = readRecord(folder);
  if (record === undefined || record.runner.pid === process.pid || !isRunning(record.runner))
    return undefined;
  return { pid: record.runner.pid, port: record.port };
}

/** Ends what a hub that was killed left running, and returns the pids. Call it only when no hub runs. */
export async function endLeftovers(folder: string): Promise<number[]> {
  const left = (readRecord(folder)?.children ?? []).filter(isRunning);
  for (const child of left) signal(child.pid, "SIGTERM");
  const deadline = Date.now() + END_TIMEOUT_MS;
  while (left.some(isRunning) && Date.now() < deadline) await delay(20);
  for (const child of left.filter(isRunning)) signal(child.pid, "SIGKILL");
  return left.map((child) => child.pid);
}

/** Notes this process and what it has started by now: workerd, the connector, a claudecodeui. */
export function noteRun(folder: string, port: number): void {
  const runner = findProcess(process.pid);
  if (runner === undefined) return;
  const record: RunRecord = { port, runner: name(runner), children: childProcesses(process.pid).map(name) };
  writePrivate(folder, FILE, JSON.stringify(record));
}

function name({ pid, started }: ProcessInfo): ProcessName {
  return { pid, started };
}

/** Removes the note: nothing runs any more. */
export function forgetRun(folder: string): void {
  rmSync(path.join(folder, FILE), { force: true });
}

function isRunning({ pid, started }: ProcessName): boolean {
  const found = findProcess(pid);
  // Without a command line it has ended and only waits to be collected.
  return found !== undefined && found.started === started && found.command !== "";
}

function readRecord(folder: string): RunRecord | undefined {
  const text = readPrivate(folder, FILE);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as RunRecord;
  } catch {
    // Cut off by a crash while it was written.
    return undefined;
  }
}
