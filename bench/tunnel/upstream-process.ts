/**
 * A program with large bodies, streams and an echoing WebSocket, in a process of its own; tells its parent its port.
 *
 * `GET /bytes?count=` sends that many bytes, `POST /drain` reads a body and answers its length, `GET /slow` sends a first piece at once and
 * the last after a while, `GET /events?count=&every=` sends events at that interval (ms), each with the time at which it was sent.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { WebSocketServer } from "ws";

const PIECE = Buffer.alloc(64 * 1024, "0123456789abcdef");
/** Between the first piece of `/slow` and the last. */
const SLOW_MS = 50;

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    response.destroy(error instanceof Error ? error : new Error(String(error)));
  });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://upstream");
  const count = Number(searchParams.get("count"));
  // For nginx, which otherwise waits for a buffer full.
  const streamed = { "x-accel-buffering": "no", "cache-control": "no-store" };
  switch (pathname) {
    case "/bytes":
      return sendBytes(response, count);
    case "/drain":
      response.end(String(await drain(request)));
      return;
    case "/slow":
      response.writeHead(200, { "content-type": "text/plain", ...streamed });
      response.write("first");
      await pause(SLOW_MS);
      response.end("last");
      return;
    case "/events":
      response.writeHead(200, { "content-type": "text/event-stream", ...streamed });
      return sendEvents(response, count, Number(searchParams.get("every")));
    default:
      response.end("ok");
  }
}

async function sendBytes(response: ServerResponse, count: number): Promise<void> {
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": count });
  for (let left = count; left > 0; left -= PIECE.length) {
    if (response.destroyed) return;
    const piece = left < PIECE.length ? PIECE.subarray(0, left) : PIECE;
    if (!response.write(piece)) await once(response, "drain");
  }
  response.end();
}

async function drain(request: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) bytes += chunk.length;
  return bytes;
}

async function sendEvents(response: ServerResponse, count: number, every: number): Promise<void> {
  for (let sent = 0; sent < count && !response.destroyed; sent++) {
    // The clock that all processes of a machine share.
    response.write(`data: ${process.hrtime.bigint()}\n\n`);
    await pause(every);
  }
  response.end();
}

const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on("connection", (socket) => {
  socket.on("message", (data, binary) => {
    socket.send(data, { binary });
  });
});
process.once("disconnect", () => process.exit(0));
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
