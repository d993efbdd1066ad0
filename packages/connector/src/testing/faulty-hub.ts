/** What answers in a hub's place, in many wrong ways. For tests. */
import { createHash } from "node:crypto";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { DEFAULT_PEER_LIMITS, encodeControl, SUBPROTOCOL } from "@ai-orchestrator/protocol";

/** What to do with a connection once the upgrade was asked for. */
export type Fault = (socket: Socket, accept: () => void) => void;

export interface FaultyHub {
  url: string;
  fault: Fault;
  /** Connections so far, and those open now. */
  dials: number;
  open: number;
  /** Everything that was sent to it. */
  received: string;
  stop(): Promise<void>;
}

export async function startFaultyHub(fault: Fault): Promise<FaultyHub> {
  const sockets = new Set<Socket>();
  const hub: FaultyHub = { url: "", fault, dials: 0, open: 0, received: "", stop };
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    hub.dials++;
    hub.open++;
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      sockets.delete(socket);
      hub.open--;
    });
    socket.on(
      "data",
      (chunk: Buffer) => (hub.received = (hub.received + chunk.toString("latin1")).slice(-10_000)),
    );
    socket.once("data", (chunk: Buffer) =>
      hub.fault(socket, () => socket.write(acceptance(chunk.toString("latin1")))),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return hub;

  function stop(): Promise<void> {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  }
}

function acceptance(request: string): string {
  const key = /sec-websocket-key: (\S+)/i.exec(request)?.[1] ?? "";
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return `HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-protocol: ${SUBPROTOCOL}\r\nsec-websocket-accept: ${accept}\r\n\r\n`;
}

const HTML = "<!doctype html><title>Sign in</title>";

/** A whole answer in place of 101. */
export const answer =
  (status: number, fields = "", body = HTML): Fault =>
  (socket) =>
    socket.end(`HTTP/1.1 ${status} X\r\n${fields}content-length: ${body.length}\r\n\r\n${body}`);

/** A short WebSocket message of a server's. `opcode` 1 is text, 2 is binary. */
export function message(opcode: number, payload: string): Buffer {
  const bytes = Buffer.from(payload);
  const length = bytes.length < 126 ? [bytes.length] : [126, bytes.length >> 8, bytes.length & 255];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...length]), bytes]);
}

export const REGISTERED: string = encodeControl({
  type: "registered",
  success: true,
  protocol: 2,
  software: { name: "faulty-hub", version: "0" },
  limits: DEFAULT_PEER_LIMITS,
  instance: { label: "here", url: "http://here.hub.localhost:1" },
});
