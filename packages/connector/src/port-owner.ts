/**
 * Who listens on a port of this machine. Every user of a machine may listen on a port that is free, so what must not reach
 * another user (a password, a token, a cookie) is sent only where this very user listens. "This user" is equality of user
 * ids, for root too: a connector of root's trusts root's programs only.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { shareLooks } from "./shared-look.ts";

/** `unknown` where this system does not tell. */
export type PortOwner = "ours" | "other" | "nobody" | "unknown";

/** A socket that takes connections from this machine. */
export interface Listener {
  port: number;
  uid: number;
}

/** A listener's line: its address, port and user. One pass over the text: a table may have thousands of lines. */
const LISTENERS = /^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) +[0-9A-F]+:[0-9A-F]{4} +0A +\S+ +\S+ +\S+ +(\d+) /gm;
/** /proc writes addresses as machine words: 127.x.y.z has its first byte last. */
const IPV4 = /^(?:0{8}|[0-9A-F]{6}7F)$/;
/** Any address, ::1, and IPv4's loopback written in IPv6. */
const IPV6 = /^(?:0{32}|0{24}01000000|0{16}FFFF0000(?:0{8}|[0-9A-F]{6}7F))$/;

/** The listeners on loopback and on any address, of the text of `/proc/net/tcp` or `/proc/net/tcp6` (proc_net(5)). */
export function parseProcNetTcp(text: string): Listener[] {
  const listeners: Listener[] = [];
  for (const [, address = "", port = "", uid = ""] of text.matchAll(LISTENERS)) {
    if (!IPV4.test(address) && !IPV6.test(address)) continue;
    listeners.push({ port: Number.parseInt(port, 16), uid: Number(uid) });
  }
  return listeners;
}

/** The listeners in what `lsof -nP -iTCP:<port> -sTCP:LISTEN -Fun` prints: `u` once for each process, then an `n` for each socket. */
export function parseLsof(text: string): Listener[] {
  let uid: number | undefined;
  return text.split("\n").flatMap((line) => {
    if (line.startsWith("p")) uid = undefined;
    if (line.startsWith("u")) uid = Number(line.slice(1));
    const port = /^n(?:\*|127(?:\.\d{1,3}){3}|\[::1?\]|localhost):(\d+)$/.exec(line)?.[1];
    return port === undefined || uid === undefined ? [] : [{ port: Number(port), uid }];
  });
}

/** Whose a port is, of its machine's listeners: ours only if every one of them is, because which of them would answer is not known. */
export function ownerAmong(listeners: readonly Listener[], port: number, uid: number): PortOwner {
  const there = listeners.filter((listener) => listener.port === port);
  if (there.length === 0) return "nobody";
  return there.every((listener) => listener.uid === uid) ? "ours" : "other";
}

/** Who listens on `port` now. Never throws. */
export async function portOwner(port: number): Promise<PortOwner> {
  const uid = process.geteuid?.();
  if (uid === undefined) return "unknown";
  const listeners = process.platform === "linux" ? await fromProc() : await fromLsof(port);
  return listeners === undefined ? "unknown" : ownerAmong(listeners, port, uid);
}

/** Many connections may be made at once, and each must know. */
const fromProc = shareLooks(async (): Promise<Listener[] | undefined> => {
  const tables = await Promise.all(["tcp", "tcp6"].map(readTable));
  // A machine without IPv6 has no second table.
  if (tables[0] === undefined) return undefined;
  return tables.flatMap((text) => parseProcNetTcp(text ?? ""));
});

function readTable(name: string): Promise<string | undefined> {
  return readFile(`/proc/net/${name}`, "utf8").catch(() => undefined);
}

const run = promisify(execFile);

/** Undefined where there is no lsof. To those who are not root it shows their own sockets only: another's port has nobody. */
export async function fromLsof(port: number): Promise<Listener[] | undefined> {
  for (const program of ["/usr/sbin/lsof", "lsof"]) {
    try {
      const { stdout } = await run(program, ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-Fun"], {
        timeout: 5_000,
      });
      return parseLsof(stdout);
    } catch (error) {
      // It exits with 1 where nothing listens.
      if (error instanceof Error && "code" in error && error.code === 1) return [];
    }
  }
  return undefined;
}
