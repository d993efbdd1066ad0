/** An instance without a token inside workerd, in both versions of the protocol. */
import { env, exports } from "cloudflare:workers";
import { HEARTBEAT_PONG, SUBPROTOCOL, type PairingHubMessage } from "@ai-orchestrator/protocol";
import { randomSecret } from "../src/secrets.ts";
import { HUB } from "./hub.ts";

export interface Pending {
  socket: WebSocket;
  /** What the hub has said, oldest first. */
  received: PairingHubMessage[];
  /** The next message of this type, or the one that has come. */
  heard<T extends PairingHubMessage["type"]>(type: T): Promise<Extract<PairingHubMessage, { type: T }>>;
  say(message: object): void;
  /** Code of the close. */
  closed: Promise<{ code: number; reason: string }>;
  secret: string;
}

interface Dial {
  secret?: string;
  /** As the edge would tell it; default: one of its own. */
  address?: string;
  headers?: Record<string, string>;
}

export const SAYS = {
  type: "pending_register",
  hostname: "buildbox",
  project: "/home/ann/src/shop",
  platform: "linux",
  client_id: "buildbox-abc123",
  software: { name: "connector", version: "0.1.0" },
} as const;

/** The upgrade alone, as version 2 sends it. */
export function dialPending({
  secret = randomSecret(),
  address = someAddress(),
  headers = {},
}: Dial = {}): Promise<Response> {
  return exports.default.fetch(`${HUB}/ws/pending`, {
    headers: {
      upgrade: "websocket",
      host: new URL(HUB).host,
      "sec-websocket-protocol": SUBPROTOCOL,
      authorization: `Pairing ${secret}`,
      "cf-connecting-ip": address,
      ...headers,
    },
  });
}

/** The upgrade alone, as version 1 sends it. */
export function dialPendingV1(query = "", address: string = someAddress()): Promise<Response> {
  return exports.default.fetch(`${HUB}/ws/pending${query}`, {
    headers: { upgrade: "websocket", host: new URL(HUB).host, "cf-connecting-ip": address },
  });
}

let addresses = 0;

function someAddress(): string {
  addresses++;
  return `10.0.${addresses >> 8}.${addresses & 255}`;
}

/** Dials and listens. */
export async function openPending(dial: Dial = {}): Promise<Pending> {
  const secret = dial.secret ?? randomSecret();
  return listen(await dialPending({ ...dial, secret }), secret);
}

export async function openPendingV1(query = ""): Promise<Pending> {
  return listen(await dialPendingV1(query), "");
}

/** Dials, says who it is, and has its code. */
export async function startPairing(dial: Dial = {}, says: object = SAYS) {
  const pending = await openPending(dial);
  pending.say(says);
  return { pending, ...(await pending.heard("pending_registered")) };
}

export function pairingOf(code: string) {
  return env.PAIRING.getByName(code);
}

function listen({ webSocket: socket, status }: Response, secret: string): Pending {
  if (socket === null) throw new Error(`refused: ${status}`);
  socket.accept();
  const received: PairingHubMessage[] = [];
  const waiting: (() => void)[] = [];
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
  });
  socket.addEventListener("message", ({ data }: MessageEvent) => {
    if (data === HEARTBEAT_PONG) return;
    received.push(JSON.parse(data as string) as PairingHubMessage);
    for (const look of waiting.splice(0)) look();
  });
  const heard: Pending["heard"] = async (type) => {
    for (;;) {
      const found = received.find((message) => message.type === type);
      if (found !== undefined) return found as never;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  return { socket, received, heard, say: (message) => socket.send(JSON.stringify(message)), closed, secret };
}
