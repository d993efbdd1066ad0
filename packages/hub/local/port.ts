import { createServer } from "node:net";
import { portHolder } from "./processes.ts";
import { localOrigin } from "./hub.ts";

const DEFAULT_PORT = 8787;

/** The port that `PORT` asks for; throws where it is none. */
export function parsePort(text: string | undefined): number {
  if (text === undefined || text === "") return DEFAULT_PORT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new Error(`PORT must be a number from 1 to 65535, not "${text}".`);
}

/** Throws, saying who holds it, when the port cannot be listened on. Browsers may try `::1` first, so that counts too. */
export async function requireFreePort(port: number): Promise<void> {
  const code = (await listenError(port, "127.0.0.1")) ?? (await listenError(port, "::1"));
  if (code === undefined) return;
  if (code === "EACCES")
    throw new Error(`Port ${port} may not be used by this account. Choose another: PORT=8788 npm start`);
  const holder = portHolder(port);
  const who = holder === undefined ? "another program" : `process ${holder.pid} (${shorten(holder.command)})`;
  const hub = (await isHub(port)) ? " That is a hub of another checkout or state folder." : "";
  throw new Error(`Port ${port} is held by ${who}.${hub} Choose another: PORT=${port + 1} npm start`);
}

/** The first port of 127.0.0.1, counting from one, that nobody listens on: the same again next time, if it can be. */
export async function firstFreePort(from: number): Promise<number> {
  for (let port = from; port <= 65_535; port++) {
    if ((await listenError(port, "127.0.0.1")) === undefined) return port;
  }
  throw new Error(`There is no free port from ${from} on.`);
}

/** Why nobody can listen there, `EADDRINUSE` or `EACCES`; undefined where one can, or the address does not exist here. */
function listenError(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code === "EADDRINUSE" || error.code === "EACCES" ? error.code : undefined);
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
