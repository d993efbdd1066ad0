/** The config file: read whole, each problem told; what it says is checked by the settings' own rules. */
import { readFileSync, statSync, type Stats } from "node:fs";
import * as v from "valibot";
import { SETTING_NAMES, SETTINGS } from "./settings-table.ts";
import { closest } from "./settings-words.ts";

export const SETTINGS_FILE = "config.json";
/** The object in it that is ours. */
export const SECTION = "orchestrator";

const MAX_BYTES = 1024 * 1024;
const KEYS: string[] = SETTING_NAMES.map((name) => SETTINGS[name].key);

const ObjectSchema = v.pipe(
  v.custom<Record<string, unknown>>((value) => typeof value === "object" && !Array.isArray(value)),
  v.record(v.string(), v.unknown()),
);

export interface SettingsFile {
  path: string;
  exists: boolean;
  /** The object `orchestrator`; empty where there is none. */
  section: Record<string, unknown>;
  /** Why nothing, or not all, of it can be read. */
  problems: string[];
  /** A line for each key that means nothing. */
  unknown: string[];
  warnings: string[];
}

/** Never throws. One that was named must be there; the usual one need not. */
export function readSettingsFile(path: string, isNamed: boolean): SettingsFile {
  const file: SettingsFile = { path, exists: false, section: {}, problems: [], unknown: [], warnings: [] };
  try {
    const stats = statSync(path);
    file.exists = true;
    const wrong = unreadable(stats);
    if (wrong !== undefined) file.problems.push(`${path}: ${wrong}`);
    else readSection(file, readFileSync(path, "utf8"), stats);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    file.exists = code !== "ENOENT" && code !== "ENOTDIR";
    if (file.exists) file.problems.push(`${path}: cannot be read (${code})`);
    else if (isNamed) file.problems.push(`${path}: there is no such file`);
  }
  return file;
}

function unreadable(stats: Stats): string | undefined {
  if (stats.isDirectory()) return "is a folder; name the file in it";
  if (!stats.isFile()) return "is not a file";
  return stats.size > MAX_BYTES ? `is larger than ${MAX_BYTES} bytes` : undefined;
}

function readSection(file: SettingsFile, text: string, stats: Stats): void {
  const whole = v.safeParse(ObjectSchema, parseJson(file, text));
  if (!whole.success) {
    if (file.problems.length === 0) file.problems.push(`${file.path}: must hold a JSON object, { … }`);
    return;
  }
  file.unknown.push(...misplaced(file.path, Object.keys(whole.output)));
  const given = whole.output[SECTION];
  const section = v.safeParse(ObjectSchema, given === undefined ? {} : given);
  if (section.success) file.section = section.output;
  else file.problems.push(`${file.path}: "${SECTION}" must be an object, { … }`);
  for (const key of Object.keys(file.section)) {
    if (!KEYS.includes(key))
      file.unknown.push(`${written(file.path, key)}: is not known; ${suggestion(key)}`);
  }
  warnOfOthers(file, stats);
}

/** Undefined, with a problem, where it is no JSON. What stands in the file is not repeated: it may be a token. */
function parseJson(file: SettingsFile, text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    const position = /position (\d+)/.exec(String(error))?.[1];
    const before = text.slice(0, Number(position ?? 0)).split("\n");
    const where =
      position === undefined ? "" : ` (line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1})`;
    file.problems.push(`${file.path}: is not JSON${where}; comments and trailing commas are not allowed`);
    return undefined;
  }
}

/** Keys that stand beside `orchestrator` and were meant in it, or for it. Other keys are other programs'. */
function misplaced(path: string, keys: string[]): string[] {
  const others = keys.filter((key) => key !== SECTION && key !== "$schema");
  return others.flatMap((key) => {
    if (KEYS.includes(key) && !keys.includes(SECTION)) {
      return [`${path}: "${key}" must stand in "${SECTION}": {"${SECTION}": {"${key}": …}}`];
    }
    return closest(key, [SECTION]) === undefined || keys.includes(SECTION)
      ? []
      : [`${path}: "${key}" is not known; did you mean "${SECTION}"?`];
  });
}

function suggestion(key: string): string {
  const near = closest(key, KEYS);
  return near === undefined ? `there is: ${KEYS.join(", ")}` : `did you mean "${near}"?`;
}

/** Who reads the token is this instance; who writes the file decides where the token goes. */
function warnOfOthers({ path, section, warnings }: SettingsFile, { mode, uid }: Stats): void {
  if (process.platform === "win32") return;
  const remedy = `chmod 600 ${JSON.stringify(path)}`;
  if (uid !== 0 && uid !== process.getuid?.()) warnings.push(`${path}: belongs to another user`);
  if ((mode & 0o022) !== 0) warnings.push(`${path}: can be written by others; ${remedy}`);
  else if ((mode & 0o044) !== 0 && "token" in section)
    warnings.push(`${path}: holds a token and can be read by others; ${remedy}`);
}

/** How a key of the file is named to people. */
export function written(path: string, key: string): string {
  return `"${SECTION}.${key}" in ${path}`;
}
