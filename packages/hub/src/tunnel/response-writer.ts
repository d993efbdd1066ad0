/**
 * The body of an answer on its way to a browser. The platform tells nobody that a browser has left until the next byte is
 * written, so a silent body is not left alone: an event stream gets a comment now and then, which browsers skip, and any
 * other body has a deadline.
 */

/** Silent for this long and not an event stream: whatever it was, nobody waits for it. */
const MAX_SILENCE_MS = 300_000;

const COMMENT = new TextEncoder().encode(":\n\n");
/** An event ends with an empty line, whose end may come in pieces. */
const EVENT_END = /\n\r?\n$/;
const latin1 = new TextDecoder("latin1");

export interface ResponseWriterEvents {
  /** The browser took this many bytes. */
  consumed(bytes: number): void;
  /** The browser is gone, or nothing has come for too long. */
  abandoned(): void;
  /** Called once: the browser has it all, or gets no more. */
  over(): void;
}

export class ResponseWriter {
  readonly readable: ReadableStream;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #events: ResponseWriterEvents;
  readonly #isEventStream: boolean;
  #silentSince = Date.now();
  /** True between two events of an event stream: only there may a comment stand. */
  #isBetweenEvents = true;
  /** The last bytes of an event stream, as text. */
  #tail = "";
  #isAbandoned = false;

  /** With a `content-length` the browser can show progress, and a body cut short is an error there. */
  constructor(headers: Headers, events: ResponseWriterEvents) {
    const length = Number(headers.get("content-length") ?? Number.NaN);
    const pipe = Number.isSafeInteger(length) ? new FixedLengthStream(length) : new IdentityTransformStream();
    const isPlain = !headers.has("content-encoding");
    this.#isEventStream = isPlain && /^text\/event-stream\b/i.test(headers.get("content-type") ?? "");
    this.#events = events;
    this.readable = pipe.readable;
    this.#writer = pipe.writable.getWriter();
    this.#writer.closed.catch(() => this.#abandon()).finally(() => events.over());
  }

  write(payload: Uint8Array): void {
    this.#silentSince = Date.now();
    if (this.#isEventStream) {
      this.#tail = (this.#tail + latin1.decode(payload.subarray(-3))).slice(-3);
      this.#isBetweenEvents = EVENT_END.test(this.#tail);
    }
    this.#writer.write(ownPart(payload)).then(
      () => this.#events.consumed(payload.byteLength),
      () => this.#abandon(),
    );
  }

  end(): void {
    // The reader may have gone between the last byte and here; there is nobody left to tell.
    this.#writer.close().catch(() => undefined);
  }

  abort(error: Error): void {
    this.#writer.abort(error).catch(() => undefined);
  }

  /** Looks after a silent body; to be called every ten seconds or so until the end. */
  look(now: number): void {
    if (this.#isEventStream && this.#isBetweenEvents)
      this.#writer.write(COMMENT).catch(() => this.#abandon());
    else if (now - this.#silentSince > MAX_SILENCE_MS) this.#abandon();
  }

  #abandon(): void {
    if (this.#isAbandoned) return;
    this.#isAbandoned = true;
    this.#events.abandoned();
    this.#writer.abort().catch(() => undefined);
  }
}

/** What is little of the message it came in is copied: a few bytes that wait must not keep all that came with them in memory. */
function ownPart(payload: Uint8Array): Uint8Array {
  return payload.byteLength * 2 < payload.buffer.byteLength ? payload.slice() : payload;
}
