/** Where this user's connector keeps what must outlive it. Files are for this user only: folder 700, files 600. */
import { randomBytes } from "node:crypto";
import { chmod, link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { isAbsolute, join, sep } from "node:path";

/** The folder on this platform; nothing is created. */
export function settingsFolder(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const home = homeFolder(env);
  const named = absolute(env["XDG_CONFIG_HOME"]);
  if (named !== undefined) return join(named, "orchestrator");
  if (platform === "win32")
    return join(absolute(env["APPDATA"]) ?? join(home, "AppData", "Roaming"), "orchestrator");
  if (platform === "darwin") return join(home, "Library", "Application Support", "orchestrator");
  return join(home, ".config", "orchestrator");
}

/** This user's, always an absolute path. */
export function homeFolder(env: NodeJS.ProcessEnv): string {
  return absolute(env["HOME"]) ?? absolute(homedir()) ?? homeOfAccount();
}

/** A relative path would have whoever made the current folder say where this user's token goes; one that is empty is relative, too. */
export function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}

function homeOfAccount(): string {
  try {
    return absolute(userInfo().homedir) ?? sep;
  } catch {
    // An account that this system does not list.
    return sep;
  }
}

/** A file's text, or undefined where there is none; any other error is thrown. */
export async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Writes a file only this user can read, whole or not at all; makes the folder. Throws where it cannot. */
export async function writePrivateFile(folder: string, name: string, text: string): Promise<void> {
  await makePrivate(folder);
  await replaceFile(folder, name, text);
}

/** The same, unless there is one: of several that are written at once, the first stays. */
export async function addPrivateFile(folder: string, name: string, text: string): Promise<void> {
  await makePrivate(folder);
  await writeBeside(folder, name, text, (temporary, path) =>
    // A file system without links has the last one stay.
    link(temporary, path).catch((error: unknown) =>
      hasCode(error, "EEXIST") ? undefined : rename(temporary, path),
    ),
  );
}

/** Writes a file in a folder that is there and stays as it is. What stood at `name`, a link included, is replaced and not followed. */
export function replaceFile(folder: string, name: string, text: string): Promise<void> {
  return writeBeside(folder, name, text, rename);
}

async function makePrivate(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
}

/** Writes a temporary file and has it put in its place. */
async function writeBeside(
  folder: string,
  name: string,
  text: string,
  put: (temporary: string, path: string) => Promise<void>,
): Promise<void> {
  const temporary = join(folder, `.${name}.${process.pid}.${randomBytes(4).toString("hex")}`);
  try {
    // `wx`: never into something that somebody has put there.
    await writeFile(temporary, text, { mode: 0o600, flag: "wx" });
    await put(temporary, join(folder, name));
  } finally {
    await rm(temporary, { force: true });
  }
}

/** True for an error that says there is no such file or folder. */
function isMissing(error: unknown): boolean {
  return hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR");
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
