/** Where a program's own web server is reached on this machine. */
import type * as net from "node:net";

/**
 * The origin that a port, a target or a listening server stands for; undefined where none of them says. Throws a RangeError for a port that
 * is none, and for a server that this machine's loopback does not reach.
 */
export function hostTarget(named: {
  port?: number | undefined;
  target?: string | undefined;
  server?: net.Server | undefined;
}): string | undefined {
  const { port, target, server } = named;
  if (target !== undefined) return target;
  if (port !== undefined) {
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw new RangeError(`port: ${port} must be a number from 1 to 65535`);
    return `http://127.0.0.1:${port}`;
  }
  return server && serverOrigin(server);
}

/** The origin of a server; undefined while it does not listen, or not on TCP. */
export function serverOrigin(server: net.Server): string | undefined {
  const address = server.address();
  if (address === null || typeof address === "string") return undefined;
  const host = LOOPBACK.get(address.address) ?? loopbackOf(address.address);
  if (host === undefined)
    throw new RangeError(`server: it listens on ${address.address} only, not on 127.0.0.1 or every address`);
  return `http://${host}:${address.port}`;
}

const LOOPBACK: ReadonlyMap<string, string> = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "127.0.0.1"],
  ["::1", "[::1]"],
]);

function loopbackOf(address: string): string | undefined {
  return /^127(?:\.\d{1,3}){3}$/.test(address) ? address : undefined;
}
