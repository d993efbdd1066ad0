/**
 * Putting texts into a stream of bytes without touching any other byte. A scanner reads the bytes as characters of one byte each,
 * which every encoding that agrees with ASCII allows, and says where something is to be put; what it has decided goes out at once.
 */

export interface Insertion {
  /** Offset in the whole body, in bytes. */
  at: number;
  /** ASCII. */
  text: string;
}

export interface Scanner {
  /** Reads the next piece; what is to be inserted, none of it before what was decided. */
  push(text: string): Insertion[];
  /** There is no more. */
  finish(): Insertion[];
  /** Up to here, in bytes of the whole body, nothing more will be inserted. */
  readonly decided: number;
}

/** A body with what the scanners put into it. */
export function withInsertions(body: ReadableStream, ...scanners: Scanner[]): ReadableStream {
  const { readable, writable } = new IdentityTransformStream();
  // An answer that breaks off breaks off in the browser too: nobody else is to be told.
  pump(body, writable, scanners).catch(() => undefined);
  return readable;
}

async function pump(body: ReadableStream, writable: WritableStream, scanners: Scanner[]): Promise<void> {
  const reader = body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const writer = writable.getWriter() as WritableStreamDefaultWriter<Uint8Array>;
  const pieces = new Pieces(scanners);
  // One character for each byte: its name is Latin-1, and browsers mean windows-1252.
  const decoder = new TextDecoder("latin1");
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const ready = pieces.push(value, decoder.decode(value));
      if (ready.byteLength > 0) await writer.write(ready);
    }
    const last = pieces.finish();
    if (last.byteLength > 0) await writer.write(last);
    await writer.close();
  } catch (error) {
    await Promise.allSettled([reader.cancel(error), writer.abort(error)]);
  }
}

/** What has come and is not decided yet, and what is ready. */
class Pieces {
  readonly #scanners: readonly Scanner[];
  readonly #encoder = new TextEncoder();
  #held = new Uint8Array();
  /** Offset of the held bytes in the whole body. */
  #at = 0;
  #waiting: Insertion[] = [];

  constructor(scanners: readonly Scanner[]) {
    this.#scanners = scanners;
  }

  push(bytes: Uint8Array, text: string): Uint8Array {
    this.#held = joined([this.#held, bytes]);
    this.#await(this.#scanners.flatMap((scanner) => scanner.push(text)));
    return this.#take(Math.min(...this.#scanners.map(({ decided }) => decided)));
  }

  finish(): Uint8Array {
    this.#await(this.#scanners.flatMap((scanner) => scanner.finish()));
    return this.#take(this.#at + this.#held.byteLength);
  }

  #await(found: Insertion[]): void {
    this.#waiting = [...this.#waiting, ...found].toSorted((a, b) => a.at - b.at);
  }

  #take(until: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let from = this.#at;
    const ready = this.#waiting.filter(({ at }) => at <= until);
    for (const { at, text } of ready) {
      parts.push(this.#slice(from, at), this.#encoder.encode(text));
      from = at;
    }
    parts.push(this.#slice(from, until));
    this.#waiting = this.#waiting.slice(ready.length);
    this.#held = this.#held.slice(until - this.#at);
    this.#at = until;
    return joined(parts);
  }

  #slice(from: number, to: number): Uint8Array {
    return this.#held.subarray(from - this.#at, to - this.#at);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}
