/** The registered connection of an instance in version 2 and everything that is open over it, brought back to memory when needed. */
import { Connection, DEFAULT_PEER_LIMITS, type Stream, type StreamHandler } from "@ai-orchestrator/protocol";
import {
  attach,
  attachmentOf,
  browserTags,
  SocketTag,
  type ConnectorAttachment,
  type Opener,
} from "./attachments.ts";
import type { ConnectorSocket } from "./connector-sockets.ts";
import { createFlushPace } from "./flush-pace.ts";
import type { InstanceConnection, ViewerHead } from "./instance-connection.ts";
import type { OpenExchanges } from "./open-exchanges.ts";
import { ViewerSocket, type OpenedBy } from "./viewer-socket.ts";

/** Ids are reserved in blocks, so that the attachment is written once in a thousand streams. */
const ID_BLOCK = 1000;

/** What of an upload was read at once leaves in one message: each costs as much as copying some of it. */
const FLUSH_BYTES = 256 * 1024;

export class ActiveConnection implements InstanceConnection {
  readonly socket: WebSocket;
  readonly attachment: ConnectorAttachment;
  readonly connection: Connection;
  readonly exchanges: OpenExchanges;
  readonly #state: DurableObjectState;
  readonly #viewers = new Map<number, ViewerSocket>();

  constructor(state: DurableObjectState, { socket, attachment }: ConnectorSocket, exchanges: OpenExchanges) {
    this.#state = state;
    this.exchanges = exchanges;
    this.socket = socket;
    this.attachment = attachment;
    this.connection = new Connection({
      role: "hub",
      text: "utf-8",
      local: DEFAULT_PEER_LIMITS,
      remote: attachment.limits ?? DEFAULT_PEER_LIMITS,
      // What is written in the turn in which the socket closes has nowhere to go; the close itself ends the streams.
      send: (message) => socket.readyState === WebSocket.OPEN && socket.send(message),
      schedule: createFlushPace(),
      flushBytes: FLUSH_BYTES,
    });
    this.connection.skipIds(attachment.reservedIds);
    for (const viewer of state.getWebSockets(SocketTag.viewer)) this.#restore(viewer);
  }

  open(head: ViewerHead, handler: StreamHandler, end: boolean): Stream {
    const stream = this.connection.open(head, handler, end);
    if (stream.id > this.attachment.reservedIds) {
      this.attachment.reservedIds = stream.id + ID_BLOCK;
      attach(this.socket, this.attachment);
    }
    return stream;
  }

  acceptViewer(stream: Stream, opener: Opener): WebSocket {
    const { 0: browserEnd, 1: socket } = new WebSocketPair();
    this.#state.acceptWebSocket(socket, browserTags("viewer", opener));
    const { sessionId, checkAt } = opener;
    const { connectionId } = this.attachment;
    const viewer = this.#viewerSocket(socket, { connectionId, sessionId, checkAt, usedAt: Date.now() });
    stream.handler = viewer;
    this.#join(viewer, stream);
    return browserEnd;
  }

  flush(): void {
    this.connection.flush();
  }

  lost(message?: string): void {
    this.connection.lost(message);
  }

  viewer(streamId: number): ViewerSocket | undefined {
    return this.#viewers.get(streamId);
  }

  forget(streamId: number): void {
    this.#viewers.delete(streamId);
  }

  #restore(socket: WebSocket): void {
    const attachment = attachmentOf(socket);
    if (attachment?.kind !== "viewer" || attachment.connectionId !== this.attachment.connectionId) return;
    const viewer = this.#viewerSocket(socket, attachment);
    this.#join(viewer, this.connection.restore(attachment.stream, viewer));
  }

  /** From here on the viewer keeps its stream's state in its socket's attachment. */
  #join(viewer: ViewerSocket, stream: Stream): void {
    viewer.bind(stream);
    this.#viewers.set(stream.id, viewer);
  }

  #viewerSocket(socket: WebSocket, openedBy: OpenedBy): ViewerSocket {
    const limit = this.attachment.limits?.max_websocket_message ?? DEFAULT_PEER_LIMITS.max_websocket_message;
    return new ViewerSocket(socket, openedBy, limit);
  }
}
