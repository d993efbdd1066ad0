/**
 * A browser's WebSocket to an instance, on the hub's side. All it needs lives in the socket's attachment, so an open and
 * silent one lets the object sleep; only unfinished business (bytes without credit, half a message) keeps it awake, and
 * not for long.
 */
import {
  LIMITS,
  MessageReceiver,
  MessageSender,
  StreamError,
  type Stream,
  type StreamErrorCode,
  type StreamHandler,
} from "@ai-orchestrator/protocol";
import { attach, type ViewerAttachment } from "./attachments.ts";
import { closeQuietly } from "./close-socket.ts";

/** What a browser may send ahead of the credit of its stream: it cannot be slowed down. */
const MAX_QUEUE_BYTES = LIMITS.webSocketMessageBytes + LIMITS.streamWindowBytes;
const STALL_MS = 30_000;
/**
 * While messages follow each other, the attachment is written once in as many milliseconds: it costs more than a message. No longer: a
 * timer keeps the object in memory, and messages that come less often than this must not.
 */
const SAVE_MS = 25;

const CLOSE_CODES: Partial<Record<StreamErrorCode, number>> = {
  connection_lost: 1012,
  refused_stream: 1013,
  stalled: 1013,
  overloaded: 1013,
  too_large: 1009,
  denied: 1008,
};

/** What of its attachment is not its stream's. */
export type OpenedBy = Pick<ViewerAttachment, "connectionId" | "sessionId" | "checkAt" | "usedAt">;

export class ViewerSocket implements StreamHandler {
  readonly #socket: WebSocket;
  readonly #openedBy: OpenedBy;
  readonly #maxMessageBytes: number;
  #stream: Stream | undefined;
  #sender: MessageSender | undefined;
  #receiver: MessageReceiver | undefined;
  #saveScheduled = false;
  #savedAt = 0;
  #stallTimer: ReturnType<typeof setTimeout> | undefined;
  #progress = 0;

  constructor(socket: WebSocket, openedBy: OpenedBy, maxMessageBytes: number) {
    this.#socket = socket;
    this.#openedBy = { ...openedBy };
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Joins the socket to its stream; called once. */
  bind(stream: Stream): void {
    this.#stream = stream;
    this.#sender = new MessageSender(stream, MAX_QUEUE_BYTES);
    this.#receiver = new MessageReceiver(stream, LIMITS.webSocketMessageBytes, (message, text, bytes) => {
      this.#socket.send(text ? decodeText(message) : message);
      stream.consume(bytes);
    });
    this.#changed();
  }

  data(payload: Uint8Array, text: boolean, more: boolean): void {
    this.#receiver?.data(payload, text, more);
    this.#changed();
  }

  end(): void {
    this.close(1006, "");
  }

  close(code: number, reason: string): void {
    this.#stream?.close(code, reason);
    this.#closeSocket(code, reason);
  }

  reset(error: StreamError): void {
    this.#closeSocket(CLOSE_CODES[error.code] ?? 1011, error.message);
  }

  writable(): void {
    this.#sender?.drain();
    this.#changed();
  }

  /** A message from the browser. */
  fromBrowser(message: string | ArrayBuffer): void {
    this.#openedBy.usedAt = Date.now();
    const isText = typeof message === "string";
    const bytes = isText ? encoder.encode(message) : new Uint8Array(message);
    if (bytes.byteLength > this.#maxMessageBytes) {
      this.#stream?.fail(new StreamError("too_large", "message over the limit of the instance"));
      return;
    }
    this.#sender?.send(bytes, isText);
    this.#changed();
  }

  /** The browser closed, or vanished (1006). */
  browserClosed(code: number, reason: string): void {
    this.#sender?.close(code === 1005 ? 0 : code, reason);
    // What it sent last may wait for credit yet, or never get it.
    this.#changed();
  }

  /** Its sign-in is to be asked after again at `checkAt`; whoever says so writes it into the attachment. */
  checked(checkAt: number): void {
    this.#openedBy.checkAt = checkAt;
  }

  /** Whoever opened it may not look any more. */
  cut(reason: string): void {
    this.#stream?.fail(new StreamError("denied", reason));
  }

  #closeSocket(code: number, reason: string): void {
    this.#stopWatching();
    closeQuietly(this.#socket, code, reason);
  }

  #changed(): void {
    this.#progress++;
    if (!this.#isUnfinished()) this.#stopWatching();
    else if (this.#stallTimer === undefined) this.#watch();
    if (this.#saveScheduled) return;
    this.#saveScheduled = true;
    // A timer keeps the object in memory: it is not evicted before what has changed is written.
    if (Date.now() - this.#savedAt < SAVE_MS) setTimeout(() => this.#save(), SAVE_MS);
    else queueMicrotask(() => this.#save());
  }

  #save(): void {
    this.#saveScheduled = false;
    this.#savedAt = Date.now();
    if (!this.#stream || this.#stream.isOver) return;
    attach(this.#socket, { kind: "viewer", ...this.#openedBy, stream: this.#stream.state });
  }

  #isUnfinished(): boolean {
    return (this.#sender?.queuedBytes ?? 0) > 0 || (this.#receiver?.isPartial ?? false);
  }

  #stopWatching(): void {
    if (this.#stallTimer !== undefined) clearTimeout(this.#stallTimer);
    this.#stallTimer = undefined;
  }

  /** A pending timer also keeps the object in memory, which is where unfinished business lives. */
  #watch(): void {
    const before = this.#progress;
    this.#stallTimer = setTimeout(() => {
      this.#stallTimer = undefined;
      if (this.#progress === before) this.#stream?.fail(new StreamError("stalled", "no progress"));
      else this.#watch();
    }, STALL_MS);
  }
}

const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeText(message: Uint8Array): string {
  try {
    return utf8.decode(message);
  } catch {
    throw new StreamError("protocol_error", "text message is not UTF-8");
  }
}
