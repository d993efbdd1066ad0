import { createServer } from "node:net";
import { portHolder } from "./processes.ts";
import { localOrigin } from "./local-origin.ts";

const DEFAULT_PORT = 8787;

/** The port that `PORT` asks for; throws where it is none. */
export function parsePort(text: string | undefined): number {
  if (text === undefined || text === "") return DEFAULT_PORT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new Error(`PORT must be a number from 1 to 65535, not "${text}".`);
}

/** Where the hub listens, and what must be free for it: 127.0.0.1, and ::1 where this machine has it. */
export async function loopbackAddresses(): Promise<string[]> {
  return (await listenError(0, "::1")) === "absent" ? ["127.0.0.1"] : ["127.0.0.1", "::1"];
}

/** Throws, saying who holds it and where, when one of the hub's addresses cannot be listened on. */
export async function requireFreePort(port: number): Promise<void> {
  for (const address of await loopbackAddresses()) {
    const code = await listenError(port, address);
    if (code !== undefined) throw new Error(await explain(port, address, code));
  }
}

async function explain(port: number, address: string, code: string): Promise<string> {
  if (code === "EACCES")
    return `Port ${port} may not be used by this account. Choose another: PORT=8788 npm start`;
  if (code !== "EADDRINUSE") return `Port ${port} cannot be listened on at ${address} (${code}).`;
  const holder = portHolder(port);
  const who = holder === undefined ? "another program" : `process ${holder.pid} (${shorten(holder.command)})`;
  const where = address === "::1" ? " at ::1, where browsers look first" : "";
  const hub = (await isHub(port)) ? " That is a hub of another checkout or state folder." : "";
  return `Port ${port} is held by ${who}${where}.${hub} Choose another: PORT=${port + 1} npm start`;
}

/** The first port, counting from one, that nobody listens on at any of these addresses: the same again next time, if it can be. */
export async function firstFreePort(from: number): Promise<number> {
  const addresses = await loopbackAddresses();
  for (let port = from; port <= 65_535; port++) {
    const errors = await Promise.all(addresses.map((address) => listenError(port, address)));
    if (errors.every((code) => code === undefined)) return port;
  }
  throw new Error(`There is no free port from ${from} on.`);
}

/** Why nobody can listen there, such as `EADDRINUSE`; `absent` where this machine has no such address, undefined where one can. */
function listenError(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", ({ code = "unknown" }: NodeJS.ErrnoException) => {
      resolve(code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT" ? "absent" : code);
    });
    server.listen(port, host, () =>
      server.close(() => {
        resolve(undefined);
      }),
    );
  });
}

async function isHub(port: number): Promise<boolean> {
  const { get } = await import("node:http");
  const host = new URL(localOrigin(port)).host;
  return new Promise((resolve) => {
    const request = get(
      { host: "127.0.0.1", port, path: "/health", headers: { host }, timeout: 1_000 },
      (response) => {
        response.resume();
        resolve(response.headers["content-type"]?.startsWith("application/json") === true);
      },
    );
    request.on("timeout", () => request.destroy());
    request.on("error", () => {
      resolve(false);
    });
  });
}

function shorten(command: string): string {
  const [program = "", ...rest] = command.split(" ");
  const text = [program.split("/").at(-1), ...rest].join(" ");
  return text.length > 60 ? `${text.slice(0, 59)}…` : text || "unknown";
}
