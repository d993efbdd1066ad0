/** The registered connection of an instance that speaks version 1: everything is text, and nothing streams. */
import {
  encodeRequestHead,
  LIMITS,
  StreamError,
  version1,
  type StreamHandler,
} from "@ai-orchestrator/protocol";
import type { Opener } from "../attachments.ts";
import type { ConnectorAttachment } from "../attachments.ts";
import type { ConnectorSocket } from "../connector-sockets.ts";
import type { ExchangeStream, InstanceConnection, ViewerHead } from "../instance-connection.ts";
import type { OpenExchanges } from "../open-exchanges.ts";
import { BRIDGED_PATH, type AskedMessage, type Bridges } from "./bridges.ts";
import { VersionOneRequest } from "./version-one-request.ts";

/** Of what a browser takes, an instance behind version 1 is asked for nothing compressed: text would not survive. */
const NOT_FORWARDED = new Set(["accept-encoding"]);

export class VersionOneConnection implements InstanceConnection {
  readonly socket: WebSocket;
  readonly attachment: ConnectorAttachment;
  readonly exchanges: OpenExchanges;
  readonly #bridges: Bridges;
  readonly #requests = new Map<string, VersionOneRequest>();
  /** WebSockets of paths that cannot be bridged. */
  readonly #unbridged = new WeakSet<ExchangeStream>();
  #heldBytes = 0;
  /** What was asked, oldest first: how long it is, and when that was, milliseconds since the epoch. */
  readonly #unread = new Map<string, { length: number; at: number }>();
  #isLost = false;

  constructor({ socket, attachment }: ConnectorSocket, exchanges: OpenExchanges, bridges: Bridges) {
    this.socket = socket;
    this.attachment = attachment;
    this.exchanges = exchanges;
    this.#bridges = bridges;
  }

  open(asked: ViewerHead, handler: StreamHandler, end: boolean): ExchangeStream {
    if (this.#isLost) throw new StreamError("connection_lost");
    // Two slashes begin the name of another host, for a client that resolves the path as a URL.
    const head = { ...asked, target: asked.target.replace(/^\/{2,}/, "/") };
    // For its rules alone, which are the same in every version.
    encodeRequestHead(head, "utf-8");
    const request = this.#request(head, handler);
    if (head.kind === "websocket") this.#openBridge(request, head);
    else this.#requests.set(request.id, request);
    if (head.kind === "http" && end) request.end();
    return request;
  }

  acceptViewer(stream: ExchangeStream, opener: Opener): WebSocket {
    stream.reset("cancelled");
    if (this.#unbridged.has(stream)) return this.#bridges.refuse();
    return this.#bridges.accept(this.attachment.connectionId, opener);
  }

  /** Sends what is asked of the client. Throws `StreamError`: `connection_lost`, or `overloaded` where it has left too much unread. */
  ask(message: AskedMessage): void {
    // What is written in the turn in which the socket closes has nowhere to go.
    if (this.socket.readyState !== WebSocket.OPEN) throw new StreamError("connection_lost");
    const text = version1.encodeMessage(message);
    this.#forgetUnread();
    this.#hold(text.length);
    this.#unread.set(message.request_id, { length: text.length, at: Date.now() });
    this.socket.send(text);
  }

  /** What the client says about something that was asked of it. True where it was: what nobody has asked for is nothing. */
  answered(message: Extract<version1.ClientMessage, { request_id?: unknown }>): boolean {
    const id = message.request_id ?? "";
    this.#wasRead(id);
    const request = this.#requests.get(id);
    switch (message.type) {
      case "http_proxy_response":
        request?.answered(message);
        return request !== undefined;
      case "response_chunk":
        return this.#bridges.toBrowser(id, message.data);
      case "response_complete":
        return true;
      case "error":
        request?.fail(new StreamError("upstream_failed", message.message));
        return request !== undefined || this.#bridges.errorToBrowser(id, message.message);
      case "malformed":
        request?.unreadable(message.why);
        return request !== undefined || this.#bridges.errorToBrowser(id, message.problem);
    }
  }

  /** What was written is in a request's body already, which leaves as a whole. */
  flush(): void {}

  lost(message = "the connection to the instance was lost"): void {
    this.#isLost = true;
    for (const request of this.#requests.values()) request.fail(new StreamError("connection_lost", message));
    this.#bridges.lost(this.attachment.connectionId, message);
  }

  #request(head: ViewerHead, handler: StreamHandler): VersionOneRequest {
    if (this.#requests.size >= version1.LIMITS.maxRequests)
      throw new StreamError("refused_stream", "too many requests are open");
    const headers = head.headers.filter(([name]) => !NOT_FORWARDED.has(name));
    headers.push(["accept-encoding", "identity"]);
    return new VersionOneRequest({ ...head, headers }, handler, {
      send: (message) => this.ask(message),
      hold: (bytes) => this.#hold(bytes),
      over: ({ id }) => this.#requests.delete(id),
    });
  }

  /**
   * Nobody can see how full a socket is, so what was sent counts until an answer shows that it was read, and all before it; also where
   * its browser has gone, as it cannot be taken back. What was not answered in time will not be.
   */
  #wasRead(id: string): void {
    if (!this.#unread.has(id)) return;
    for (const [earlier, { length }] of this.#unread) {
      this.#unread.delete(earlier);
      this.#hold(-length);
      if (earlier === id) return;
    }
  }

  #forgetUnread(): void {
    const now = Date.now();
    for (const [id, { at }] of this.#unread)
      if (now < at || now - at > version1.LIMITS.answerTimeoutSeconds * 1000) this.#wasRead(id);
  }

  /** A browser's handshake is answered here: the client knows of frames only. */
  #openBridge(stream: ExchangeStream, { target }: ViewerHead): void {
    if (this.#bridges.isFull) throw new StreamError("refused_stream", "too many WebSockets are open");
    if (new URL(target, "http://instance").pathname !== BRIDGED_PATH) this.#unbridged.add(stream);
    queueMicrotask(() => stream.handler?.response?.({ status: 101, headers: [] }));
  }

  #hold(bytes: number): void {
    if (bytes > 0 && this.#heldBytes + bytes > LIMITS.connectionHeldBytes)
      throw new StreamError("overloaded", "too much is held for the requests of this connection");
    this.#heldBytes += bytes;
  }
}
