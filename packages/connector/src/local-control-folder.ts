/** Where the running connectors of this user can be reached: a folder of sockets that only this user can open. */
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, lstatSync, mkdirSync, readdirSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, join } from "node:path";

/** Systems differ between 104 and 108 bytes, the end included. */
const MAX_PATH_BYTES = 100;
const NAME = /^[0-9a-f]{12}-(\d{1,10})-[0-9a-f]{8}(?:\.sock)?$/;
const LONGEST_NAME = "0123456789ab-4194304000-01234567.sock";
const PIPES = String.raw`\\.\pipe`;

/** A path to listen at; its folder is made, mode 700. Throws where that folder cannot be this user's alone. */
export function newSocketPath(folder: string, platform: NodeJS.Platform = process.platform): string {
  const name = `${ownPrefix()}${process.pid}-${randomBytes(4).toString("hex")}`;
  if (platform === "win32") return `${PIPES}\\${pipePrefix(folder)}${name}`;
  const run = runFolder(folder);
  mkdirSync(run, { recursive: true, mode: 0o700 });
  assertOwn(run);
  chmodSync(run, 0o700);
  return join(run, `${name}.sock`);
}

/** Every path where a connector of this user may listen. Throws where its folder is somebody else's. */
export function socketPaths(folder: string, platform: NodeJS.Platform = process.platform): string[] {
  if (platform === "win32") {
    const prefix = pipePrefix(folder);
    const names = readdirSync(`${PIPES}\\`).filter((name) => name.startsWith(prefix));
    return names.filter((name) => isOurs(name.slice(prefix.length))).map((name) => `${PIPES}\\${name}`);
  }
  const run = runFolder(folder);
  try {
    assertOwn(run);
    return readdirSync(run)
      .filter(isOurs)
      .map((name) => join(run, name))
      .filter(isOwnSocket);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** True for the path of a connector that has ended without taking it away, as far as its process id tells. */
export function isLeftBehind(path: string): boolean {
  const pid = NAME.exec(basename(path))?.[1];
  if (pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
}

/** A home folder may be shared by machines, and those of the others cannot be reached from here. */
function isOurs(name: string): boolean {
  return NAME.test(name) && name.startsWith(ownPrefix());
}

function ownPrefix(): string {
  return `${digest(hostname())}-`;
}

/** Below the settings folder, or where its path is too long for a socket, below the system's for temporary files. */
function runFolder(folder: string): string {
  const usual = join(folder, "run");
  if (Buffer.byteLength(join(usual, LONGEST_NAME)) <= MAX_PATH_BYTES) return usual;
  return join(tmpdir(), `orchestrator-${process.getuid?.() ?? 0}-${digest(folder)}`);
}

function pipePrefix(folder: string): string {
  return `orchestrator-${digest(folder)}-`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

function assertOwn(run: string): void {
  const stats = lstatSync(run);
  if (!stats.isDirectory() || stats.uid !== process.getuid?.())
    throw new Error(`${run} is not a folder of this user`);
}

function isOwnSocket(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats !== undefined && stats.isSocket() && stats.uid === process.getuid?.();
}
