/**
 * Compressed bodies of files that do not change, so that a file is compressed once and not for each browser. The application is asked
 * every time: head and validator are of its answer of now, and only the bytes are these.
 */
import type { Transform } from "node:stream";
import type { HeaderList, ResponseParts } from "./adapter.ts";
import { fieldOf } from "./upstream-headers.ts";

/** For everything that is kept, bodies and addresses; claudecodeui's first page is 1.1 MB of it. */
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
    this.#remove(key);
    this.#bodies.set(key, body);
    this.#bytes += sizeOf(key, body);
    for (const oldest of this.#bodies.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#remove(oldest);
    }
  }

  #remove(key: string): void {
    const body = this.#bodies.get(key);
    if (body === undefined) return;
    this.#bodies.delete(key);
    this.#bytes -= sizeOf(key, body);
  }
}

/** An address may be longer than its body. */
function sizeOf(key: string, body: Buffer): number {
  return key.length + body.byteLength;
}

/** What was asked for. */
interface Asked {
  /** Path and query. */
  target: string;
  /** It says who asks. */
  isPersonal: boolean;
}

/**
 * Under what the compressed body of this answer to a GET is kept: what was asked for, and what tells its version. Undefined where it is
 * not certain that another answer of the same name has the same bytes: a strong validator says so, and so does `immutable` with any. What
 * was asked for by somebody, and differs perhaps by who asks, must call itself everybody's: not every application has such validators right.
 */
export function copyKey(
  { status, headers }: ResponseParts,
  { target, isPersonal }: Asked,
  encoding: string,
): string | undefined {
  const [etag, length] = [fieldOf(headers, "etag"), fieldOf(headers, "content-length")];
  const caching = membersOf(headers, "cache-control");
  if (status !== 200 || etag === undefined || length === undefined) return undefined;
  if (
    caching.some((one) => /^(?:private|no-store)\b/.test(one)) ||
    fieldOf(headers, "set-cookie") !== undefined
  )
    return undefined;
  const isImmutable = caching.includes("immutable");
  if (etag.startsWith("W/") && !isImmutable) return undefined;
  if (isPersonal && !isImmutable && !caching.includes("public")) return undefined;
  if (!membersOf(headers, "vary").every((one) => one === "accept-encoding" || one === "origin"))
    return undefined;
  return JSON.stringify([encoding, target, etag, length]);
}

/** The members of a field that is a list, in lower case. */
function membersOf(headers: HeaderList, name: string): string[] {
  return headers
    .filter(([field]) => field === name)
    .flatMap(([, value]) => value.toLowerCase().split(","))
    .map((one) => one.trim());
}
