/** Where this user's connector keeps what must outlive it. Files are for this user only: folder 700, files 600. */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** The folder on this platform; nothing is created. */
export function settingsFolder(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const home = env["HOME"] ?? homedir();
  if (env["XDG_CONFIG_HOME"]) return join(env["XDG_CONFIG_HOME"], "orchestrator");
  if (platform === "win32") return join(env["APPDATA"] ?? join(home, "AppData", "Roaming"), "orchestrator");
  if (platform === "darwin") return join(home, "Library", "Application Support", "orchestrator");
  return join(home, ".config", "orchestrator");
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
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  await replaceFile(folder, name, text);
}

/** The same in a folder that is there and stays as it is. What stood at `name`, a link included, is replaced and not followed. */
export async function replaceFile(folder: string, name: string, text: string): Promise<void> {
  const temporary = join(folder, `.${name}.${process.pid}.${randomBytes(4).toString("hex")}`);
  try {
    // `wx`: never into something that somebody has put there.
    await writeFile(temporary, text, { mode: 0o600, flag: "wx" });
    await rename(temporary, join(folder, name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** True for an error that says there is no such file or folder. */
function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
