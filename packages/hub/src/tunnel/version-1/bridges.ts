/**
 * Browsers' WebSockets to an instance that speaks version 1, which has none: each frame becomes a `user_request` with an id of its
 * own, and what comes back for any of them is a frame. All there is to know stands in the socket's attachment, so it sleeps and
 * wakes with the object.
 */
import { version1 } from "@ai-orchestrator/protocol";
import * as v from "valibot";
import {
  attach,
  attachmentOf,
  browserTags,
  SocketTag,
  type BridgeAttachment,
  type Opener,
} from "../attachments.ts";
import { closeQuietly } from "../close-socket.ts";
import type { ConnectorSocket } from "../connector-sockets.ts";

const { maxBridgedFrames, maxRequests, messageLength } = version1.LIMITS;

/** The one path whose WebSocket can be bridged: claudecodeui's chat. */
export const BRIDGED_PATH = "/ws";

/** Close code and reason (at most 123 bytes) for every other. An application's own code: pages that dial again wait after it. */
const NOT_BRIDGED = [
  4501,
  "The instance's client speaks version 1, which carries the chat's WebSocket only. Update the client.",
] as const;

const FrameSchema = v.looseObject({ type: v.pipe(v.string(), v.minLength(1), v.maxLength(128)) });

/** What a client is asked, and answers under an id. */
export type AskedMessage = Extract<version1.HubMessage, { request_id: string }>;

/** The connection that frames go through. */
interface BridgedConnector extends ConnectorSocket {
  /** Throws `StreamError` where it cannot be sent. */
  ask(message: AskedMessage): void;
}

/** `<key>:<number>`; keys are random UUIDs. */
const REQUEST_ID = /^([0-9a-f-]{36}):([1-9]\d{0,4})$/;

export class Bridges {
  readonly #state: DurableObjectState;
  readonly #connector: () => BridgedConnector | undefined;

  /** `connector` is asked for the registered connection. */
  constructor(state: DurableObjectState, connector: () => BridgedConnector | undefined) {
    this.#state = state;
    this.#connector = connector;
  }

  /** True where as many are open as one instance may have. */
  get isFull(): boolean {
    return this.#state.getWebSockets(SocketTag.viewer).length >= maxRequests;
  }

  /** Accepts a browser's WebSocket, opened by this sign-in; returns the end for the browser. */
  accept(connectionId: string, opener: Opener): WebSocket {
    const { 0: browserEnd, 1: socket } = new WebSocketPair();
    const key = crypto.randomUUID();
    this.#state.acceptWebSocket(socket, [...browserTags("viewer", opener), SocketTag.bridge(key)]);
    const { sessionId, checkAt } = opener;
    const openedBy = { sessionId, checkAt, usedAt: Date.now() };
    attach(socket, { kind: "bridge", connectionId, key, sent: 0, ...openedBy });
    return browserEnd;
  }

  /** A WebSocket that cannot be bridged: a page learns why only from one that was open. */
  refuse(): WebSocket {
    const { 0: browserEnd, 1: socket } = new WebSocketPair();
    this.#state.acceptWebSocket(socket);
    socket.close(...NOT_BRIDGED);
    return browserEnd;
  }

  fromBrowser(socket: WebSocket, attachment: BridgeAttachment, message: string | ArrayBuffer): void {
    const connector = this.#connector();
    if (connector?.attachment.connectionId !== attachment.connectionId)
      return closeQuietly(socket, 1012, "The connection to the instance was lost.");
    if (typeof message === "string" && message.length > messageLength)
      return this.end(socket, 1009, "message over the limit of the instance");
    if (attachment.sent >= maxBridgedFrames)
      return this.end(socket, 1013, "too many messages on one connection; open another");
    const frame = typeof message === "string" ? parseFrame(message) : undefined;
    if (frame === undefined) return sendError(socket, "Only JSON with a type reaches this instance.");
    const { type: action, ...payload } = frame;
    const sent = attachment.sent + 1;
    const request_id = `${attachment.key}:${sent}`;
    try {
      connector.ask({ type: "user_request", request_id, action, payload });
    } catch {
      return this.end(socket, 1013, "the instance has left too much unread");
    }
    attach(socket, { ...attachment, sent, usedAt: Date.now() });
  }

  /** What came back for a request: a text as it is, anything else as JSON. True where it was a browser's. */
  toBrowser(requestId: string, data: unknown): boolean {
    const socket = this.#find(requestId);
    // Half of a character is no UTF-8: a browser would end the connection over it.
    const frame = typeof data === "string" ? data.toWellFormed() : JSON.stringify(data);
    if (socket && frame !== undefined) socket.send(frame);
    return socket !== undefined;
  }

  /** The same for an error of the client's, in the words in which claudecodeui's own pages are told of one. */
  errorToBrowser(requestId: string, message: string): boolean {
    const socket = this.#find(requestId);
    if (socket) sendError(socket, message);
    return socket !== undefined;
  }

  /** The browser has left: each of its requests is closed, or its instance would stay "active". Saying it twice is nothing. */
  browserLeft(socket: WebSocket): void {
    const attachment = attachmentOf(socket);
    if (attachment?.kind !== "bridge" || attachment.sent === 0) return;
    attach(socket, { ...attachment, sent: 0 });
    const connector = this.#connector();
    if (connector?.attachment.connectionId !== attachment.connectionId) return;
    for (let number = 1; number <= attachment.sent; number++)
      send(connector.socket, closeOf(`${attachment.key}:${number}`));
  }

  /** Closes a browser's socket, and its requests. */
  end(socket: WebSocket, code: number, reason: string): void {
    this.browserLeft(socket);
    closeQuietly(socket, code, reason);
  }

  /** The connection they went through is gone. */
  lost(connectionId: string, reason: string): void {
    for (const socket of this.#state.getWebSockets(SocketTag.viewer)) {
      const attachment = attachmentOf(socket);
      if (attachment?.kind === "bridge" && attachment.connectionId === connectionId)
        closeQuietly(socket, 1012, reason);
    }
  }

  /** The browser's socket that a request of this connection came from; undefined for ids that were made up. */
  #find(requestId: string): WebSocket | undefined {
    const [, key = "", number] = REQUEST_ID.exec(requestId) ?? [];
    const [socket] = key === "" ? [] : this.#state.getWebSockets(SocketTag.bridge(key));
    const attachment = socket && socket.readyState === WebSocket.OPEN ? attachmentOf(socket) : undefined;
    if (attachment?.kind !== "bridge" || Number(number) > attachment.sent) return undefined;
    return this.#connector()?.attachment.connectionId === attachment.connectionId ? socket : undefined;
  }
}

function closeOf(request_id: string): version1.HubMessage {
  return { type: "user_request", request_id, action: "close", payload: {} };
}

function send(socket: WebSocket, message: version1.HubMessage): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(version1.encodeMessage(message));
}

function sendError(socket: WebSocket, message: string): void {
  socket.send(JSON.stringify({ type: "error", error: message, message }));
}

function parseFrame(text: string): v.InferOutput<typeof FrameSchema> | undefined {
  try {
    const parsed = v.safeParse(FrameSchema, JSON.parse(text));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}
