/** A hub that pairs: says what it is told to say on `/ws/pending`. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  encodePairing,
  parsePendingMessage,
  SUBPROTOCOL,
  type PairingHubMessage,
  type PendingMessage,
} from "@ai-orchestrator/protocol";
import { type WebSocket, WebSocketServer } from "ws";

export interface FakePairingHub {
  url: string;
  /** The secret of each dial. */
  secrets: string[];
  /** The addresses that were asked for. */
  paths: string[];
  received: PendingMessage[];
  /** What to answer upgrades with; undefined to take them. */
  refusal: { status: number; code: string; message: string } | undefined;
  socket: WebSocket | undefined;
  /** What it says people should open. */
  link: string;
  send(message: PairingHubMessage): void;
  /** Waits for the `count`th message of this type. */
  heard(type: PendingMessage["type"], count?: number): Promise<PendingMessage>;
  stop(): Promise<void>;
}

export const PENDING = {
  type: "pending_registered",
  success: true,
  code: "WDJB-MJHT",
  url: "https://hub.example.com/pair?code=WDJB-MJHT",
  fingerprint: "0000 0000 0000 0000",
  expires_in: 600,
} as const;

/** Starts one that takes every dial and answers every registration. */
export async function startFakePairingHub(): Promise<FakePairingHub> {
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => SUBPROTOCOL });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const waiting: (() => void)[] = [];
  const fake: FakePairingHub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    secrets: [],
    paths: [],
    received: [],
    refusal: undefined,
    socket: undefined,
    link: PENDING.url,
    send: (message) => fake.socket?.send(encodePairing(message)),
    heard: async (type, count = 1) => {
      for (;;) {
        const found = fake.received.filter((message) => message.type === type)[count - 1];
        if (found) return found;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets.clients) socket.terminate();
        server.close(() => resolve());
      }),
  };
  server.on("upgrade", (request, stream, head) => {
    fake.secrets.push(/^Pairing (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "");
    fake.paths.push(request.url ?? "");
    if (fake.refusal) {
      const { status, code, message } = fake.refusal;
      const body = JSON.stringify({ error: { code, message } });
      stream.end(`HTTP/1.1 ${status} Refused\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => {
      fake.socket = socket;
      socket.on("message", (data: Buffer) => {
        const message = parsePendingMessage(data.toString("utf8"));
        if (!message) return;
        fake.received.push(message);
        if (message.type === "pending_register") fake.send({ ...PENDING, url: fake.link });
        for (const look of waiting.splice(0)) look();
      });
    });
  });
  return fake;
}
