/**
 * Claude Code's own registry of what runs: `~/.claude/sessions/<pid>.json`. It covers claudecodeui, terminals and
 * interruptions alike, is documented nowhere and absent in older versions: nothing here assumes that it is there. Files
 * outlive a killed process, so an entry counts only while its process does.
 */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import * as v from "valibot";
import { readTextFile } from "../settings-folder.ts";
import { isAlive } from "./local-server.ts";

const EntrySchema = v.object({
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  sessionId: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
  cwd: v.string(),
  status: v.picklist(["busy", "idle", "waiting"]),
  waitingFor: v.optional(v.string()),
  procStart: v.optional(v.string()),
  entrypoint: v.optional(v.string(), ""),
  name: v.optional(v.string()),
  nameSource: v.optional(v.string()),
  statusUpdatedAt: v.optional(v.number()),
  updatedAt: v.optional(v.number()),
  startedAt: v.optional(v.number(), 0),
});

/** One running Claude Code. Times are milliseconds since the epoch. */
export interface RegistryEntry {
  claudeId: string;
  cwd: string;
  title: string | undefined;
  state: "working" | "needs_permission" | "needs_answer" | "idle";
  /** When it entered `state`. */
  at: number;
  /** True for a `claude` a person runs by itself, in a terminal or a script; false for one inside a program, or unknown. */
  terminal: boolean;
  startedAt: number;
}

/** The folder of the registry; `CLAUDE_CONFIG_DIR` moves it as it moves Claude Code's other files. */
export function registryFolder(home: string, env: NodeJS.ProcessEnv): string {
  return join(env["CLAUDE_CONFIG_DIR"] || join(home, ".claude"), "sessions");
}

/** Everything that runs now; undefined where there is no registry. Files that cannot be read are passed over. */
export async function readRegistry(
  folder: string,
  startOf = processStart,
): Promise<RegistryEntry[] | undefined> {
  const names = await readdir(folder).catch(() => undefined);
  if (names === undefined) return undefined;
  const files = names.filter((name) => /^\d+\.json$/.test(name)).map((name) => join(folder, name));
  const entries = await Promise.all(files.map((file) => readEntry(file, startOf)));
  return entries.filter((entry) => entry !== undefined);
}

/**
 * When a process started, in the words its own system uses for it: clock ticks since boot on Linux, a date elsewhere.
 * Empty for one that has ended; undefined where there is none or it cannot be told.
 */
export async function processStart(
  pid: number,
  platform: NodeJS.Platform = process.platform,
): Promise<string | undefined> {
  try {
    if (platform === "linux") return startTicks(await readFile(`/proc/${pid}/stat`, "latin1"));
    if (platform === "win32") return undefined;
    const { stdout } = await promisify(execFile)("ps", ["-o", "lstart=", "-p", String(pid)], {
      timeout: 2_000,
    });
    return stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Field 22 of `/proc/<pid>/stat`, or "" for a process that has ended and only waits to be collected (field 3). The second
 * field, the program's name, may itself hold spaces and brackets.
 */
export function startTicks(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? "" : fields[19];
}

/** What one file of the registry says; undefined where it cannot be understood. */
export function parseEntry(text: string | undefined): (RegistryEntry & RegisteredProcess) | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), EntrySchema), text);
  if (!parsed.success) return undefined;
  const entry = parsed.output;
  return {
    pid: entry.pid,
    procStart: entry.procStart,
    claudeId: entry.sessionId,
    cwd: entry.cwd,
    title: entry.nameSource === "derived" ? undefined : entry.name,
    state: stateOf(entry),
    at: entry.statusUpdatedAt ?? entry.updatedAt ?? entry.startedAt,
    terminal: entry.entrypoint !== "" && !/^sdk-(?:ts|py)$/.test(entry.entrypoint),
    startedAt: entry.startedAt,
  };
}

interface RegisteredProcess {
  pid: number;
  procStart: string | undefined;
}

async function readEntry(file: string, startOf: typeof processStart): Promise<RegistryEntry | undefined> {
  const entry = parseEntry(await readTextFile(file).catch(() => undefined));
  return entry && (await isSameProcess(entry, startOf)) ? entry : undefined;
}

/** A pid may belong to another process by now. Where starts cannot be compared, a living pid is the best there is. */
async function isSameProcess(entry: RegisteredProcess, startOf: typeof processStart): Promise<boolean> {
  if (!isAlive(entry.pid)) return false;
  const start = entry.procStart === undefined ? undefined : await startOf(entry.pid);
  if (start === "") return false;
  // Elsewhere than on Linux the registry's words for a start may differ from ours, so only numbers are compared.
  if (start === undefined || entry.procStart === undefined || !/^\d+$/.test(start)) return true;
  return !/^\d+$/.test(entry.procStart) || start === entry.procStart;
}

function stateOf(entry: {
  status: "busy" | "idle" | "waiting";
  waitingFor?: string | undefined;
}): RegistryEntry["state"] {
  if (entry.status === "waiting")
    return entry.waitingFor === "permission prompt" ? "needs_permission" : "needs_answer";
  return entry.status === "busy" ? "working" : "idle";
}
