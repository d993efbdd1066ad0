/** What the processes of a path have used, as Linux counts it in /proc. */
import { readFileSync, writeFileSync } from "node:fs";
import { childProcesses } from "../../packages/hub/local/processes.ts";

export interface PathProcess {
  /** What it is in its path: "workerd", "connector", "sshd", … */
  role: string;
  pid: number;
}

/** Microseconds in a clock tick of /proc; Linux shows every program a hundred ticks a second. */
const TICK_US = 10_000;

/** Microseconds of processor that each role has used since its start, in user and system mode, dead children not included. */
export function cpuByRole(processes: readonly PathProcess[]): Map<string, number> {
  return byRole(processes, cpuMicroseconds);
}

/** Bytes each role holds now. */
export function memoryByRole(processes: readonly PathProcess[]): Map<string, number> {
  return byRole(processes, (pid) => statusBytes(pid, "VmRSS"));
}

/** Bytes each role has held at most since `resetPeaks`. */
export function peakByRole(processes: readonly PathProcess[]): Map<string, number> {
  return byRole(processes, (pid) => statusBytes(pid, "VmHWM"));
}

/** Lets `peakByRole` count from now on (proc_pid_clear_refs(5)). */
export function resetPeaks(processes: readonly PathProcess[]): void {
  for (const { pid } of processes) writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

export function total(values: ReadonlyMap<string, number>): number {
  return [...values.values()].reduce((sum, value) => sum + value, 0);
}

/** A process and all that descend from it. */
export function processTree(role: string, pid: number): PathProcess[] {
  const below = childProcesses(pid).flatMap((child) => processTree(role, child.pid));
  return [{ role, pid }, ...below];
}

function byRole(processes: readonly PathProcess[], read: (pid: number) => number): Map<string, number> {
  const values = new Map<string, number>();
  for (const { role, pid } of processes) values.set(role, (values.get(role) ?? 0) + read(pid));
  return values;
}

function cpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name, in brackets, may hold anything: fields count from the last bracket (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

function statusBytes(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = new RegExp(String.raw`^${field}:\s+(\d+) kB`, "m").exec(text)?.[1];
  return Number(kilobytes ?? 0) * 1024;
}
