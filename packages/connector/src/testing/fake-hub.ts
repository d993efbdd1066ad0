/** A hub that registers whoever comes, or sends them away. For tests of the library and the command line. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  encodeControl,
  HEARTBEAT_PING,
  HEARTBEAT_PONG,
  parseConnectorMessage,
  type ConnectorMessage,
  DEFAULT_PEER_LIMITS,
  type HubMessage,
  SUBPROTOCOL,
} from "@ai-orchestrator/protocol";
import { type WebSocket, WebSocketServer } from "ws";

export interface FakeHub {
  url: string;
  /** The `Authorization` of each connection. */
  authorizations: (string | undefined)[];
  /** Upgrades that were asked for, the refused ones included. */
  dials: number;
  /** Refused upgrades whose connection is gone. */
  refused: number;
  /** What to refuse upgrades with; undefined to accept them. */
  refusal: { status: number; retryAfter?: string; code: string; message: string } | undefined;
  /** Control messages, in order. */
  received: ConnectorMessage[];
  /** Heartbeats that arrived. */
  pings: number;
  /** Whether it answers heartbeats and registrations. Default: both. */
  answers: { pings: boolean; registrations: boolean };
  /** The connection open now. */
  socket: WebSocket | undefined;
  /** With what the connector closed its last connection. */
  closed: number | undefined;
  send(message: HubMessage): void;
  register(): void;
  stop(): Promise<void>;
}

/** Starts one on `port` or a free one. */
export async function startFakeHub(port = 0): Promise<FakeHub> {
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => SUBPROTOCOL });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const fake: FakeHub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    authorizations: [],
    dials: 0,
    refused: 0,
    refusal: undefined,
    received: [],
    pings: 0,
    answers: { pings: true, registrations: true },
    socket: undefined,
    closed: undefined,
    send: (message) => fake.socket?.send(encodeControl(message)),
    register: () => fake.send(REGISTERED),
    stop: () =>
      new Promise((resolve) => {
        for (const client of sockets.clients) client.terminate();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  server.on("upgrade", (request, socket, head) => {
    fake.dials++;
    // Connectors leave when they like.
    socket.on("error", () => socket.destroy());
    if (fake.refusal) {
      socket.on("close", () => fake.refused++);
      socket.end(refusalText(fake.refusal));
      return;
    }
    sockets.handleUpgrade(request, socket, head, (accepted) => {
      fake.authorizations.push(request.headers.authorization);
      accept(fake, accepted);
    });
  });
  return fake;
}

function accept(fake: FakeHub, socket: WebSocket): void {
  fake.socket = socket;
  socket.on("close", (code) => (fake.closed = code));
  socket.on("message", (data: Buffer, isBinary) => {
    const text = data.toString();
    if (isBinary) return;
    if (text === HEARTBEAT_PING) {
      fake.pings++;
      if (fake.answers.pings) socket.send(HEARTBEAT_PONG);
      return;
    }
    const message = parseConnectorMessage(text);
    if (message === null) return;
    fake.received.push(message);
    if (message.type === "register" && fake.answers.registrations) socket.send(encodeControl(REGISTERED));
  });
}

function refusalText({ status, retryAfter, code, message }: NonNullable<FakeHub["refusal"]>): string {
  const body = JSON.stringify({ error: { code, message } });
  const wish = retryAfter === undefined ? "" : `Retry-After: ${retryAfter}\r\n`;
  return `HTTP/1.1 ${status} X\r\n${wish}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;
}

const REGISTERED: HubMessage = {
  type: "registered",
  success: true,
  protocol: 2,
  software: { name: "fake-hub", version: "0" },
  limits: DEFAULT_PEER_LIMITS,
  instance: { label: "here", url: "http://here.hub.localhost:1" },
};
