/** The sockets of one `Pairing`: the newest speaks for the instance, and what does not say who it is in time is closed. */
import {
  CONNECTION_ERRORS,
  encodePairing,
  HEARTBEAT_PING,
  HEARTBEAT_PONG,
  LIMITS,
  SUBPROTOCOL,
  type ConnectionErrorCode,
  type PairingHubMessage,
} from "@ai-orchestrator/protocol";
import { closeQuietly } from "../tunnel/close-socket.ts";

/** Nothing has that much to say while it waits ten minutes. */
const MAX_MESSAGES = 60;

interface PendingAttachment {
  /** Milliseconds since the epoch. */
  openedAt: number;
  isRegistered: boolean;
  messages: number;
}

export class PendingSockets {
  readonly #state: DurableObjectState;

  constructor(state: DurableObjectState) {
    this.#state = state;
    state.setWebSocketAutoResponse(new WebSocketRequestResponsePair(HEARTBEAT_PING, HEARTBEAT_PONG));
  }

  /** Takes an upgrade; who was there before is told that it is replaced. */
  accept(protocol: 1 | 2, now: number): Response {
    for (const socket of this.#open()) this.dismiss(socket, "replaced", "A newer connection has taken over.");
    const { 0: client, 1: socket } = new WebSocketPair();
    this.#state.acceptWebSocket(socket);
    attach(socket, { openedAt: now, isRegistered: false, messages: 0 });
    const headers: HeadersInit = protocol === 2 ? { "sec-websocket-protocol": SUBPROTOCOL } : {};
    return new Response(null, { status: 101, webSocket: client, headers });
  }

  /** Counts a message; false where it is one too many. */
  count(socket: WebSocket): boolean {
    const attachment = attachmentOf(socket);
    attach(socket, { ...attachment, messages: attachment.messages + 1 });
    return attachment.messages < MAX_MESSAGES;
  }

  isRegistered(socket: WebSocket): boolean {
    return attachmentOf(socket).isRegistered;
  }

  register(socket: WebSocket): void {
    attach(socket, { ...attachmentOf(socket), isRegistered: true });
  }

  /** The socket that waits for the token. */
  waiting(): WebSocket | undefined {
    return this.#open().find((socket) => this.isRegistered(socket));
  }

  isEmpty(): boolean {
    return this.#open().length === 0;
  }

  /** When the first that has not said who it is must have; null where all have. */
  dueAt(): number | null {
    const due = this.#unregistered().map((socket) => deadline(socket));
    return due.length === 0 ? null : Math.min(...due);
  }

  closeLate(now: number): void {
    for (const socket of this.#unregistered())
      if (deadline(socket) <= now)
        this.dismiss(
          socket,
          "register_timeout",
          `No pending_register within ${LIMITS.registerTimeoutSeconds} seconds.`,
        );
  }

  /** Says the last word to whoever waits, and closes. */
  end(message: PairingHubMessage | null): void {
    const waiting = this.waiting();
    if (message !== null) waiting?.send(encodePairing(message));
    for (const socket of this.#open()) closeQuietly(socket, 1000, "pairing is over");
  }

  dismiss(socket: WebSocket, code: ConnectionErrorCode, reason: string): void {
    closeQuietly(socket, CONNECTION_ERRORS[code].close, reason);
  }

  #open(): WebSocket[] {
    return this.#state.getWebSockets().filter((socket) => socket.readyState === WebSocket.OPEN);
  }

  #unregistered(): WebSocket[] {
    return this.#open().filter((socket) => !this.isRegistered(socket));
  }
}

function deadline(socket: WebSocket): number {
  return attachmentOf(socket).openedAt + LIMITS.registerTimeoutSeconds * 1000;
}

function attach(socket: WebSocket, attachment: PendingAttachment): void {
  socket.serializeAttachment(attachment);
}

function attachmentOf(socket: WebSocket): PendingAttachment {
  return socket.deserializeAttachment() as PendingAttachment;
}
