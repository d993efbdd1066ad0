/**
 * Compressed bodies of files that do not change, so that a file is compressed once and not for each browser. The application is asked
 * every time: head and validator are of its answer of now, and only the bytes are these.
 */
import type { Transform } from "node:stream";
import type { ResponseParts } from "./adapter.ts";
import { fieldOf } from "./upstream-headers.ts";

/** For everything that is kept; claudecodeui's first page is 1.1 MB of it. */
const MAX_BYTES = 16 * 1024 * 1024;
/** What is larger is nobody's first page. */
const MAX_COPY_BYTES = 4 * 1024 * 1024;

export class CompressedCopies {
  /** The one that was used longest ago comes first. */
  readonly #bodies = new Map<string, Buffer>();
  readonly #maxBytes: number;
  #bytes = 0;

  /** `maxBytes` for all of them. */
  constructor(maxBytes: number = MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get(key: string): Buffer | undefined {
    const body = this.#bodies.get(key);
    if (body === undefined) return undefined;
    this.#bodies.delete(key);
    this.#bodies.set(key, body);
    return body;
  }

  /** Keeps what comes out of this step, once all of it has: of a body that breaks off nothing. */
  keep(key: string, step: Transform): void {
    const chunks: Buffer[] = [];
    let bytes = 0;
    step.on("data", (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes <= MAX_COPY_BYTES) chunks.push(chunk);
      else chunks.length = 0;
    });
    step.on("end", () => {
      if (bytes <= MAX_COPY_BYTES) this.#add(key, Buffer.concat(chunks));
    });
  }

  #add(key: string, body: Buffer): void {
    this.#bytes += body.byteLength - (this.#bodies.get(key)?.byteLength ?? 0);
    this.#bodies.delete(key);
    this.#bodies.set(key, body);
    for (const [oldest, { byteLength }] of this.#bodies) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#bodies.delete(oldest);
      this.#bytes -= byteLength;
    }
  }
}

/**
 * Under what the compressed body of this answer to a GET is kept: what was asked for, and what tells its version. Undefined where it is
 * not certain that another answer of the same name has the same bytes: a strong validator says so, and so does `immutable` with any.
 */
export function copyKey(response: ResponseParts, target: string, encoding: string): string | undefined {
  const [etag, length] = [fieldOf(response.headers, "etag"), fieldOf(response.headers, "content-length")];
  const caching = fieldOf(response.headers, "cache-control") ?? "";
  if (response.status !== 200 || etag === undefined || length === undefined) return undefined;
  if (/\b(?:private|no-store)\b/i.test(caching) || fieldOf(response.headers, "set-cookie") !== undefined)
    return undefined;
  if (etag.startsWith("W/") && !/\bimmutable\b/i.test(caching)) return undefined;
  return JSON.stringify([encoding, target, etag, length]);
}
