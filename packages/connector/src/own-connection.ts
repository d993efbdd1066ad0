/** Connections to this machine that carry secrets: made only to ports on which this user alone listens. */
import { once } from "node:events";
import * as http from "node:http";
import * as net from "node:net";
import type { Duplex } from "node:stream";
import { resolveLoopback } from "./loopback.ts";
import { portOwner } from "./port-owner.ts";

/** To a listener that does not take connections, a connection would be tried for minutes. */
const CONNECT_TIMEOUT_MS = 10_000;

/** The port is not this user's: nothing was sent. */
export class OtherUserError extends Error {
  override readonly name = "OtherUserError";
  readonly code = "EOTHERUSER";

  constructor(port: number) {
    super(`port ${port} belongs to another user of this machine`);
  }
}

/**
 * Connects, and resolves only if the port is this user's, or if that cannot be told. It looks once the connection stands:
 * whoever took it still listens, or nobody does, which is refused too.
 */
async function connectToOwn(host: string, port: number): Promise<net.Socket> {
  const socket = net.connect({ host, port, noDelay: true, lookup: resolveLoopback });
  // One that breaks while its port is looked up is noticed below.
  socket.on("error", () => socket.destroy());
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    const owner = await portOwner(port);
    if (owner === "other" || owner === "nobody") throw new OtherUserError(port);
    if (socket.destroyed) throw Object.assign(new Error("the connection broke"), { code: "ECONNRESET" });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** An agent whose new connections are made only while their port is this user's; requests fail with `OtherUserError` otherwise. */
export class OwnAgent extends http.Agent {
  override createConnection(
    { host, port }: http.ClientRequestArgs,
    created?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const name = (host ?? "127.0.0.1").replace(/^\[(.*)\]$/, "$1");
    connectToOwn(name, Number(port || 80)).then(
      (socket) => created?.(null, socket),
      (error: Error) => created?.(error, new net.Socket()),
    );
  }
}

/** For requests that are to have a connection of their own. */
export const ownAgent: http.Agent = new OwnAgent();
