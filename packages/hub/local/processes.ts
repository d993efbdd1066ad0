/** What other processes are: read from /proc on Linux, asked of `ps` and `lsof` elsewhere. Windows knows neither. */
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

export interface ProcessInfo {
  pid: number;
  parent: number;
  /** When it started, in the system's own notation: with the pid it names one process for ever. */
  started: string;
  /** Its command line, arguments separated by spaces. */
  command: string;
}

const onLinux = process.platform === "linux";

/** The process with this pid, or undefined when there is none or it cannot be seen. */
export function findProcess(pid: number): ProcessInfo | undefined {
  if (onLinux) return readProc(pid);
  return parsePs(output("ps", ["-ww", "-o", "pid=,ppid=,lstart=,command=", "-p", String(pid)]))[0];
}

/** The direct children of a process. */
export function childProcesses(parent: number): ProcessInfo[] {
  const all = onLinux
    ? pids().flatMap((pid) => readProc(pid) ?? [])
    : parsePs(output("ps", ["-A", "-ww", "-o", "pid=,ppid=,lstart=,command="]));
  return all.filter((process) => process.parent === parent);
}

/** The process that listens on a TCP port of this machine, or undefined when none does or it cannot be seen. */
export function portHolder(port: number): ProcessInfo | undefined {
  const pid = onLinux
    ? linuxPortHolder(port)
    : Number(output("lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-t"]).split("\n")[0]);
  return pid === undefined || !(pid > 0) ? undefined : findProcess(pid);
}

/** Bytes of memory a process holds, 0 when it is gone. Linux only. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readOr(`/proc/${pid}/status`, ""))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/** Milliseconds of processor time that a process has taken, 0 when it is gone; in steps of 10. Linux only. */
export function processorMs(pid: number): number {
  const stat = readOr(`/proc/${pid}/stat`, "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user = 0, system = 0] = fields.slice(11, 13).map(Number);
  return (user + system) * 10;
}

/** Sends a signal; false when there is no such process any more. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

function readProc(pid: number): ProcessInfo | undefined {
  const stat = readOr(`/proc/${pid}/stat`, "");
  // The name, in brackets, may itself hold spaces and brackets: fields count from the last bracket (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [parent, started] = [fields[1], fields[19]];
  if (parent === undefined || started === undefined) return undefined;
  const command = readOr(`/proc/${pid}/cmdline`, "").replaceAll("\0", " ").trim();
  return { pid, parent: Number(parent), started, command };
}

function linuxPortHolder(port: number): number | undefined {
  const table = readOr("/proc/net/tcp", "") + readOr("/proc/net/tcp6", "");
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const sockets = new Set<string>();
  for (const line of table.split("\n")) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    if (local?.endsWith(suffix) === true && state === "0A") sockets.add(`socket:[${inode}]`);
  }
  return pids().find((pid) => openFiles(pid).some((file) => sockets.has(file)));
}

function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((name) => readlinkSync(`/proc/${pid}/fd/${name}`));
  } catch {
    // Another person's process, or one that ended meanwhile.
    return [];
  }
}

function pids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function parsePs(text: string): ProcessInfo[] {
  return [...text.matchAll(/^\s*(\d+)\s+(\d+)\s+(\S+\s+\S+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/gm)].map(
    ([, pid, parent, started = "", command = ""]) => ({
      pid: Number(pid),
      parent: Number(parent),
      started,
      command,
    }),
  );
}

function output(command: string, args: string[]): string {
  return spawnSync(command, args, { encoding: "utf8" }).stdout ?? "";
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return otherwise;
  }
}
