/** What reaches the application's WebSocket of what a browser's says, message by message. */
import { once } from "node:events";
import { Agent } from "node:http";
import { type AddressInfo, Socket } from "node:net";
import { Connection, DEFAULT_PEER_LIMITS, type Stream } from "@ai-orchestrator/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import { createPlainAdapter } from "./adapter.ts";
import { CompressedCopies } from "./compressed-copies.ts";
import { Deadlines } from "./deadlines.ts";
import { forwardWebSocket } from "./forward-websocket.ts";

let server: WebSocketServer;
let application: WebSocket;
let stream: Stream;
/** Sends what waits. */
let endTurn: () => void;
let arrived: string[];
let isOver: Promise<unknown>;

beforeEach(async () => {
  server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  arrived = [];
  server.on("connection", (socket) => {
    application = socket;
    socket.on("message", (data: Buffer) => arrived.push(data.toString("utf8")));
    isOver = once(socket, "close");
  });
  stream = await open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(() => {
  for (const client of server.clients) client.terminate();
  server.close();
});

/** A WebSocket through a hub's end and ours, once the application has taken it. */
function open(target: string): Promise<Stream> {
  const upstream = {
    target: new URL(target),
    adapter: createPlainAdapter(),
    agent: new Agent(),
    ownPortOnly: false,
    copies: new CompressedCopies(),
    timeoutMs: 5_000,
    deadlines: new Deadlines(5_000),
    opened: () => undefined,
    closed: () => undefined,
  };
  const common = { text: "latin1", local: DEFAULT_PEER_LIMITS, remote: DEFAULT_PEER_LIMITS } as const;
  const hub = new Connection({ ...common, role: "hub", send: (message) => connector.receive(message) });
  const connector: Connection = new Connection({
    ...common,
    role: "connector",
    send: (message) => hub.receive(message),
    request: (opened, head) => {
      opened.handler = forwardWebSocket(opened, head, upstream);
    },
  });
  endTurn = () => hub.flush();
  return new Promise((resolve, reject) => {
    const head = { kind: "websocket", method: "GET", target: "/", headers: [] } as const;
    const opened: Stream = hub.open(
      { ...head, headers: [] },
      {
        response: () => resolve(opened),
        data: (payload) => opened.consume(payload.byteLength),
        end: () => undefined,
        reset: reject,
        writable: () => undefined,
      },
      false,
    );
  });
}

function say(text: string): void {
  stream.writeMessageFrame(new TextEncoder().encode(text), { text: true, more: false });
}

test("many small messages of one turn arrive in order, and are written in a few pieces", async () => {
  const writes = vi.spyOn(Socket.prototype, "_writev");
  const said = Array.from({ length: 500 }, (_, index) => `message ${index}`);
  for (const text of said) say(text);
  stream.close(1000, "");
  await isOver;
  expect(arrived).toEqual(said);
  expect(writes.mock.calls.length).toBeLessThan(20);
  writes.mockRestore();
});

test("what a browser said last is heard, though it vanished with it", async () => {
  say("last words");
  stream.close(1006, "");
  endTurn();
  await isOver;
  expect(arrived).toEqual(["last words"]);
  expect(application.readyState).toBe(application.CLOSED);
});
