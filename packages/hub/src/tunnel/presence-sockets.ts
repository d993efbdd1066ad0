/**
 * The sockets of the mark in an instance's pages: each is told whether the instance is connected, at once and when that
 * changes. They are open while the instance is away, too, sleep with the object, and are heard only when somebody looks.
 */
import {
  attach,
  attachmentOf,
  browserTags,
  SocketTag,
  type Opener,
  type PresenceAttachment,
} from "./attachments.ts";

/** What a mark sends, of which somebody sees that the instance is connected, to have that made sure of. */
export const MARK_LOOK = "look";

/** Of one instance, each is a tab; with more than this the oldest is closed. */
const MAX_SOCKETS = 64;

export class PresenceSockets {
  readonly #state: DurableObjectState;

  constructor(state: DurableObjectState) {
    this.#state = state;
  }

  /** Accepts the mark's WebSocket, opened by this sign-in. */
  accept(opener: Opener, said: PresenceAttachment["said"]): Response {
    this.#makeRoom();
    const { 0: browserEnd, 1: socket } = new WebSocketPair();
    this.#state.acceptWebSocket(socket, browserTags("presence", opener));
    const { sessionId, checkAt } = opener;
    // Being told is no use of a sign-in.
    attach(socket, { kind: "presence", sessionId, checkAt, usedAt: 0, openedAt: Date.now(), said });
    socket.send(said);
    return new Response(null, { status: 101, webSocket: browserEnd });
  }

  /** Tells those who were told otherwise. */
  say(said: PresenceAttachment["said"]): void {
    for (const { socket, attachment } of this.#open()) {
      if (attachment.said === said) continue;
      attach(socket, { ...attachment, said });
      socket.send(said);
    }
  }

  #makeRoom(): void {
    const open = this.#open().toSorted((a, b) => a.attachment.openedAt - b.attachment.openedAt);
    for (const { socket } of open.slice(0, Math.max(0, open.length - MAX_SOCKETS + 1)))
      socket.close(1013, "too many tabs");
  }

  #open(): { socket: WebSocket; attachment: PresenceAttachment }[] {
    return this.#state.getWebSockets(SocketTag.presence).flatMap((socket) => {
      const attachment = socket.readyState === WebSocket.OPEN ? attachmentOf(socket) : undefined;
      return attachment?.kind === "presence" ? [{ socket, attachment }] : [];
    });
  }
}
