/** One WebSocket to the local application, on the instance's side. Pings stay on this side: `ws` answers them. */
import { isSendableCloseCode, LIMITS, MessageReceiver, MessageSender } from "@ai-orchestrator/protocol";
import type { RequestHead, Stream, StreamHandler } from "@ai-orchestrator/protocol";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import type { RequestParts, WebSocketObserver } from "./adapter.ts";
import { toStreamError } from "./forward-http.ts";
import type { Upstream } from "./upstream.ts";
import { ownAgent } from "./own-connection.ts";
import { StreamBody } from "./stream-body.ts";
import { answerFields, fieldOf, upstreamFields, without } from "./upstream-headers.ts";
import { ZERO_MASK } from "./zero-mask.ts";

/** From here on the application is not read until the hub has taken some. */
const PAUSE_BYTES = LIMITS.streamWindowBytes;

export interface WebSocketForwardOptions extends Upstream {
  /** Called when a browser's WebSocket opens and when it is gone. */
  opened(): void;
  closed(): void;
}

/** Forwards one WebSocket; a refused upgrade is passed on as the answer it was. */
export function forwardWebSocket(
  stream: Stream,
  head: RequestHead,
  options: WebSocketForwardOptions,
): StreamHandler {
  return new WebSocketForward(stream, head, options);
}

class WebSocketForward implements StreamHandler {
  readonly #stream: Stream;
  readonly #options: WebSocketForwardOptions;
  readonly #sender: MessageSender;
  readonly #receiver: MessageReceiver;
  #socket: WebSocket | undefined;
  /** What that is spoken over. */
  #wire: Socket | undefined;
  #observer: WebSocketObserver | undefined;
  #refusal: StreamBody | undefined;
  #isOpen = false;

  constructor(stream: Stream, head: RequestHead, options: WebSocketForwardOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#sender = new MessageSender(stream, Number.POSITIVE_INFINITY);
    this.#receiver = new MessageReceiver(stream, LIMITS.webSocketMessageBytes, (message, text, bytes) =>
      this.#toUpstream(message, text, bytes),
    );
    this.#begin(head).catch((error: unknown) => this.#fail(error));
  }

  data(payload: Uint8Array, text: boolean, more: boolean): void {
    this.#receiver.data(payload, text, more);
  }

  end(): void {
    this.#terminate();
  }

  close(code: number, reason: string): void {
    const socket = this.#socket;
    if (code === 0) socket?.close();
    else if (isSendableCloseCode(code)) socket?.close(code, reason);
    else this.#terminate();
  }

  reset(): void {
    this.#ended();
    this.#terminate();
  }

  writable(): void {
    if (this.#refusal) return this.#refusal.writable();
    this.#sender.drain();
    if (this.#socket?.isPaused && this.#sender.queuedBytes < PAUSE_BYTES) this.#socket.resume();
  }

  async #begin(head: RequestHead): Promise<void> {
    const parts = await this.#options.adapter.prepareRequest(head);
    if (this.#stream.isOver) return;
    const { target, timeoutMs, ownPortOnly } = this.#options;
    const fields = upstreamFields(parts, target);
    const protocols = (fieldOf(fields, "sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
    const socket = new WebSocket(`ws://${target.host}${parts.target}`, protocols.filter(Boolean), {
      headers: groupFields(without(fields, "sec-websocket-protocol", "content-length")),
      perMessageDeflate: false,
      maxPayload: LIMITS.webSocketMessageBytes,
      handshakeTimeout: timeoutMs,
      maxHeaderSize: LIMITS.headerBlockBytes,
      ...ZERO_MASK,
      ...(ownPortOnly ? { agent: ownAgent } : {}),
    });
    this.#socket = socket;
    this.#observer = this.#options.adapter.observeWebSocket?.(parts);
    this.#listen(socket, parts);
  }

  #listen(socket: WebSocket, parts: RequestParts): void {
    socket.on("upgrade", (answer) => this.#accepted(answer, parts));
    socket.on("unexpected-response", (_request, answer) => this.#refused(answer, parts));
    socket.on("message", (data: Buffer, isBinary) => this.#toHub(socket, data, isBinary));
    socket.on("error", (error) => {
      if (!this.#isOpen) this.#fail(error);
    });
    socket.on("close", (code, reason) => {
      this.#ended();
      if (this.#refusal) return;
      this.#sender.close(code === 1005 ? 0 : code, reason.toString("utf8"));
    });
  }

  #accepted(answer: IncomingMessage, parts: RequestParts): void {
    this.#wire = answer.socket;
    this.#isOpen = true;
    this.#options.opened();
    const received = { status: 101, headers: answerFields(answer.rawHeaders, this.#options.target) };
    try {
      this.#stream.respond(this.#options.adapter.prepareResponse(parts, received).response);
    } catch (error) {
      this.#fail(error);
    }
  }

  #refused(answer: IncomingMessage, parts: RequestParts): void {
    const received = {
      status: answer.statusCode ?? 502,
      headers: answerFields(answer.rawHeaders, this.#options.target),
    };
    const { response } = this.#options.adapter.prepareResponse(parts, received);
    try {
      this.#stream.respond(response.status === 101 ? { ...response, status: 502 } : response);
      this.#refusal = new StreamBody(answer, this.#stream);
    } catch (error) {
      this.#fail(error);
    }
  }

  #toHub(socket: WebSocket, data: Buffer, isBinary: boolean): void {
    if (!isBinary) this.#observer?.fromUpstream?.(data.toString("utf8"));
    this.#sender.send(data, !isBinary);
    if (this.#sender.queuedBytes >= PAUSE_BYTES) socket.pause();
  }

  #toUpstream(message: Uint8Array, text: boolean, bytes: number): void {
    if (text)
      this.#observer?.fromBrowser?.(
        Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString("utf8"),
      );
    this.#corkTurn();
    this.#socket?.send(message, { binary: !text }, () => this.#stream.consume(bytes));
  }

  /** The messages of one turn go to the application in one piece. */
  #corkTurn(): void {
    const wire = this.#wire;
    if (wire === undefined || wire.writableCorked > 0) return;
    wire.cork();
    process.nextTick(() => wire.uncork());
  }

  /** What was said before is still heard. */
  #terminate(): void {
    this.#wire?.uncork();
    this.#socket?.terminate();
  }

  #fail(error: unknown): void {
    this.#ended();
    this.#stream.fail(toStreamError(error));
  }

  #ended(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#observer?.closed?.();
    this.#options.closed();
  }
}

function groupFields(fields: [string, string][]): Record<string, string | string[]> {
  const grouped: Record<string, string | string[]> = {};
  for (const [name, value] of fields) {
    const before = grouped[name];
    grouped[name] = before === undefined ? value : [before, value].flat();
  }
  return grouped;
}
