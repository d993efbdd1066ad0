/** WebSocket messages over a stream: cut into frames as credit allows, and put together again. */
import { StreamError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { Stream } from "./stream.ts";

interface Waiting {
  data: Uint8Array;
  text: boolean;
}

/** Sends whole messages in order; keeps what has no credit yet. */
export class MessageSender {
  readonly #stream: Stream;
  readonly #maxQueueBytes: number;
  readonly #queue: Waiting[] = [];
  #queuedBytes = 0;
  #closing: { code: number; reason: string } | undefined;

  /** Beyond `maxQueueBytes` the stream is reset with `stalled`. */
  constructor(stream: Stream, maxQueueBytes: number) {
    this.#stream = stream;
    this.#maxQueueBytes = maxQueueBytes;
  }

  /** Bytes that wait for credit. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Takes over one message. */
  send(data: Uint8Array, text: boolean): void {
    if (this.#closing) return;
    this.#queue.push({ data, text });
    this.#queuedBytes += data.byteLength;
    this.drain();
    if (this.#queuedBytes > this.#maxQueueBytes) {
      this.#stream.fail(new StreamError("stalled", "the other side does not keep up"));
    }
  }

  /** Ends our half once everything before has gone out. */
  close(code: number, reason: string): void {
    this.#closing ??= { code, reason };
    this.drain();
  }

  /** Sends what credit allows; call it when the stream is writable. */
  drain(): void {
    for (;;) {
      const first = this.#queue[0];
      if (!first) break;
      const size = Math.min(first.data.byteLength, this.#stream.credit, LIMITS.framePayloadBytes);
      if (size === 0 && first.data.byteLength > 0) return;
      const more = size < first.data.byteLength;
      this.#stream.writeMessageFrame(first.data.subarray(0, size), { text: first.text, more });
      this.#queuedBytes -= size;
      if (more) first.data = first.data.subarray(size);
      else this.#queue.shift();
    }
    if (this.#closing) this.#stream.close(this.#closing.code, this.#closing.reason);
  }
}

/**
 * Puts messages together. Parts of an unfinished message are consumed as they come, so that a message may be larger than
 * the window; the last part must be consumed by whoever takes the message, with `bytes`.
 */
export class MessageReceiver {
  readonly #stream: Stream;
  readonly #maxBytes: number;
  readonly #deliver: (message: Uint8Array<ArrayBuffer>, text: boolean, bytes: number) => void;
  #parts: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;
  #text = false;

  constructor(
    stream: Stream,
    maxBytes: number,
    deliver: (message: Uint8Array<ArrayBuffer>, text: boolean, bytes: number) => void,
  ) {
    this.#stream = stream;
    this.#maxBytes = maxBytes;
    this.#deliver = deliver;
  }

  /** True while a message is incomplete. */
  get isPartial(): boolean {
    return this.#parts.length > 0;
  }

  /** Takes a DATA frame. Throws `StreamError` `too_large`. */
  data(payload: Uint8Array, text: boolean, more: boolean): void {
    if (this.#parts.length === 0) this.#text = text;
    this.#bytes += payload.byteLength;
    if (this.#bytes > this.#maxBytes) throw new StreamError("too_large", "WebSocket message over the limit");
    this.#parts.push(payload.slice());
    if (more) return this.#stream.consume(payload.byteLength);
    const message = concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    this.#deliver(message, this.#text, payload.byteLength);
  }
}

function concat(parts: Uint8Array<ArrayBuffer>[], bytes: number): Uint8Array<ArrayBuffer> {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const whole = new Uint8Array(bytes);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}
