/** A hub that registers whoever comes, or sends them away. For tests of the command line. */
import type { AddressInfo } from "node:net";
import {
  encodeControl,
  parseConnectorMessage,
  type ConnectorMessage,
  DEFAULT_PEER_LIMITS,
  SUBPROTOCOL,
} from "@ai-orchestrator/protocol";
import { type WebSocket, WebSocketServer } from "ws";

export interface FakeHub {
  url: string;
  /** The `Authorization` of each connection. */
  authorizations: (string | undefined)[];
  /** Control messages, in order. */
  received: ConnectorMessage[];
  /** The connection open now. */
  socket: WebSocket | undefined;
  stop(): Promise<void>;
}

/** Starts one on `port` or a free one. */
export async function startFakeHub(port = 0): Promise<FakeHub> {
  const server = new WebSocketServer({ host: "127.0.0.1", port, handleProtocols: () => SUBPROTOCOL });
  await new Promise((resolve) => server.once("listening", resolve));
  const fake: FakeHub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    authorizations: [],
    received: [],
    socket: undefined,
    stop: () =>
      new Promise((resolve) => {
        for (const client of server.clients) client.terminate();
        server.close(() => resolve());
      }),
  };
  server.on("connection", (socket, request) => {
    fake.socket = socket;
    fake.authorizations.push(request.headers.authorization);
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary || !data.toString().startsWith("{")) return;
      const message = parseConnectorMessage(data.toString());
      if (message === null) return;
      fake.received.push(message);
      if (message.type === "register") socket.send(registered());
    });
  });
  return fake;
}

function registered(): string {
  return encodeControl({
    type: "registered",
    success: true,
    protocol: 2,
    software: { name: "fake-hub", version: "0" },
    limits: DEFAULT_PEER_LIMITS,
    instance: { label: "here", url: "http://here.hub.localhost:1" },
  });
}
