/** WebSocket messages over a stream: cut into frames as credit allows, and put together again. */
import { asStreamError, StreamError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { Stream } from "./stream.ts";

/** What a message that waits costs beside its bytes, so that a flood of empty ones fills a queue too. */
const MESSAGE_OVERHEAD_BYTES = 256;

interface Waiting {
  data: Uint8Array;
  text: boolean;
}

/** In the place of one that has been sent, so that nothing keeps its bytes. */
const SENT: Waiting = { data: new Uint8Array(0), text: false };

/** Sends whole messages in order; keeps what has no credit yet. */
export class MessageSender {
  readonly #stream: Stream;
  readonly #maxQueueBytes: number;
  /** What waits, from `#first` on: taking the first out of a list would move all the others. */
  #queue: Waiting[] = [];
  #first = 0;
  #queuedBytes = 0;
  /** What of the queue is on the connection's account. */
  #retainedBytes = 0;
  #closing: { code: number; reason: string } | undefined;

  /** Beyond `maxQueueBytes` the stream is reset with `stalled`, and with `overloaded` where its connection holds too much. */
  constructor(stream: Stream, maxQueueBytes: number) {
    this.#stream = stream;
    this.#maxQueueBytes = maxQueueBytes;
  }

  /** Bytes of memory that wait for credit: the messages' own and what each costs beside them. 0: nothing waits. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Takes over one message. */
  send(data: Uint8Array, text: boolean): void {
    if (this.#closing) return;
    const size = data.byteLength;
    if (this.#queuedBytes === 0 && size <= this.#stream.credit && size <= LIMITS.framePayloadBytes)
      return this.#stream.writeMessageFrame(data, { text, more: false });
    this.#queue.push({ data, text });
    this.#queuedBytes += data.byteLength + MESSAGE_OVERHEAD_BYTES;
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
    this.#sendQueue();
    try {
      this.#stream.retain(this.#queuedBytes - this.#retainedBytes);
      this.#retainedBytes = this.#queuedBytes;
    } catch (error) {
      this.#stream.fail(asStreamError(error));
    }
  }

  #sendQueue(): void {
    for (;;) {
      const first = this.#queue[this.#first];
      if (!first) break;
      const size = Math.min(first.data.byteLength, this.#stream.credit, LIMITS.framePayloadBytes);
      if (size === 0 && first.data.byteLength > 0) return;
      const more = size < first.data.byteLength;
      this.#stream.writeMessageFrame(first.data.subarray(0, size), { text: first.text, more });
      this.#queuedBytes -= size;
      if (more) {
        first.data = first.data.subarray(size);
        continue;
      }
      this.#queuedBytes -= MESSAGE_OVERHEAD_BYTES;
      this.#forgetFirst();
    }
    if (this.#closing) this.#stream.close(this.#closing.code, this.#closing.reason);
  }

  #forgetFirst(): void {
    this.#queue[this.#first++] = SENT;
    if (this.#first * 2 < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#first);
    this.#first = 0;
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
  /** The unfinished message. One growing piece: a list of parts would let a peer multiply memory with tiny frames. */
  #buffer = new Uint8Array(0);
  #bytes = 0;
  #isPartial = false;
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
    return this.#isPartial;
  }

  /** Takes a DATA frame. Throws `StreamError` `too_large`. */
  data(payload: Uint8Array, text: boolean, more: boolean): void {
    const bytes = this.#bytes + payload.byteLength;
    if (bytes > this.#maxBytes) throw new StreamError("too_large", "WebSocket message over the limit");
    if (!this.#isPartial) {
      if (!more) return this.#deliver(wholeMessage(payload), text, payload.byteLength);
      this.#text = text;
    }
    this.#append(payload, bytes);
    this.#isPartial = more;
    if (more) {
      this.#stream.consume(payload.byteLength);
      this.#stream.retain(payload.byteLength);
      return;
    }
    this.#stream.retain(payload.byteLength - bytes);
    const message = this.#buffer.subarray(0, bytes);
    this.#buffer = new Uint8Array(0);
    this.#bytes = 0;
    this.#deliver(message, this.#text, payload.byteLength);
  }

  #append(payload: Uint8Array, bytes: number): void {
    if (bytes > this.#buffer.byteLength) {
      const doubled = Math.min(2 * this.#buffer.byteLength, this.#maxBytes);
      const grown = new Uint8Array(Math.max(bytes, doubled));
      grown.set(this.#buffer.subarray(0, this.#bytes));
      this.#buffer = grown;
    }
    this.#buffer.set(payload, this.#bytes);
    this.#bytes = bytes;
  }
}

/**
 * A message that came in one frame: as it is where it makes up most of what it came in, else a copy. A few bytes that wait must not keep all
 * that came with them in memory.
 */
function wholeMessage(payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength, byteOffset } = payload;
  const isMost = buffer instanceof ArrayBuffer && byteLength * 2 >= buffer.byteLength;
  return isMost ? new Uint8Array(buffer, byteOffset, byteLength) : new Uint8Array(payload);
}
