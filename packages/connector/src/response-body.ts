/** What happens to an answer's body on its way: nothing, compression, or an adapter's rewriting of a whole document. */
import { Transform, type TransformCallback } from "node:stream";
import * as zlib from "node:zlib";
import { StreamError } from "@ai-orchestrator/protocol";
import type { HeaderList, ResponseParts } from "./adapter.ts";
import { fieldOf, without } from "./upstream-headers.ts";

/** Documents are small; something larger is not one. */
const MAX_REWRITTEN_BYTES = 8 * 1024 * 1024;
/** Below this, compression costs more than it saves. */
const MIN_COMPRESSED_BYTES = 1024;
/** Brotli 4 is as fast as gzip 6 and smaller. */
const BROTLI_QUALITY = 4;

const COMPRESSIBLE =
  /^(?:text\/(?!event-stream)|application\/(?:json|javascript|manifest\+json|xml|wasm|x-ndjson|[\w.+-]+\+(?:json|xml))|image\/(?:svg\+xml|bmp|x-icon))/i;

/** The head to send and the steps the body goes through, in order. */
export interface BodyPlan {
  response: ResponseParts;
  steps: Transform[];
}

export interface BodyOptions {
  method: string;
  /** The browser's `Accept-Encoding`. */
  accepted: string | undefined;
  rewriteBody: ((body: string) => string) | undefined;
}

/** Decides what becomes of a body. */
export function planBody(response: ResponseParts, options: BodyOptions): BodyPlan {
  if (options.method === "HEAD" || response.status === 204 || response.status === 304)
    return { response, steps: [] };
  const rewritten = options.rewriteBody ? rewrite(response, options.rewriteBody) : { response, steps: [] };
  const encoding = chooseEncoding(rewritten.response, options.accepted);
  if (!encoding) return rewritten;
  const flushes = fieldOf(rewritten.response.headers, "content-length") === undefined && !options.rewriteBody;
  return {
    response: compressedHead(rewritten.response, encoding),
    steps: [...rewritten.steps, compressor(encoding, flushes)],
  };
}

function rewrite(response: ResponseParts, rewriteBody: (body: string) => string): BodyPlan {
  const encoding = fieldOf(response.headers, "content-encoding")?.toLowerCase() ?? "identity";
  const decoder = decompressor(encoding);
  if (decoder === undefined) return { response, steps: [] };
  const headers = without(
    response.headers,
    "content-length",
    "content-encoding",
    "etag",
    "accept-ranges",
    "last-modified",
  );
  const steps = decoder === null ? [] : [decoder];
  return { response: { ...response, headers }, steps: [...steps, new WholeBody(rewriteBody)] };
}

/** Null where there is nothing to decode, undefined where the encoding is not known here. */
function decompressor(encoding: string): Transform | null | undefined {
  switch (encoding) {
    case "identity":
      return null;
    case "gzip":
    case "deflate":
      return zlib.createUnzip();
    case "br":
      return zlib.createBrotliDecompress();
    default:
      return undefined;
  }
}

type Encoding = "br" | "gzip";

function chooseEncoding(
  { status, headers }: ResponseParts,
  accepted: string | undefined,
): Encoding | undefined {
  if (status === 206 || fieldOf(headers, "content-encoding") !== undefined) return undefined;
  if (!COMPRESSIBLE.test(fieldOf(headers, "content-type") ?? "")) return undefined;
  if (/no-transform/i.test(fieldOf(headers, "cache-control") ?? "")) return undefined;
  const length = fieldOf(headers, "content-length");
  if (length !== undefined && Number(length) < MIN_COMPRESSED_BYTES) return undefined;
  if (accepts(accepted, "br")) return "br";
  return accepts(accepted, "gzip") ? "gzip" : undefined;
}

function accepts(accepted: string | undefined, encoding: Encoding): boolean {
  return (accepted ?? "").split(",").some((part) => {
    const [name = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    return name === encoding && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  });
}

function compressedHead(response: ResponseParts, encoding: Encoding): ResponseParts {
  const etag = fieldOf(response.headers, "etag");
  const headers = without(response.headers, "content-length", "etag", "accept-ranges");
  headers.push(["content-encoding", encoding], ["vary", "accept-encoding"]);
  if (etag !== undefined) headers.push(["etag", etag.startsWith("W/") ? etag : `W/${etag}`]);
  return { ...response, headers: headers satisfies HeaderList };
}

/** With `flushes`, every chunk comes out as it goes in: an answer of unknown length may be one that is being written. */
function compressor(encoding: Encoding, flushes: boolean): Transform {
  if (encoding === "br") {
    const flush = flushes ? zlib.constants.BROTLI_OPERATION_FLUSH : zlib.constants.BROTLI_OPERATION_PROCESS;
    return zlib.createBrotliCompress({
      flush,
      params: { [zlib.constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY },
    });
  }
  return zlib.createGzip({ flush: flushes ? zlib.constants.Z_SYNC_FLUSH : zlib.constants.Z_NO_FLUSH });
}

/** Collects a document and hands it on rewritten. */
class WholeBody extends Transform {
  readonly #rewriteBody: (body: string) => string;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(rewriteBody: (body: string) => string) {
    super();
    this.#rewriteBody = rewriteBody;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#bytes += chunk.byteLength;
    if (this.#bytes > MAX_REWRITTEN_BYTES)
      return done(new StreamError("too_large", "the document is too large"));
    this.#chunks.push(chunk);
    done();
  }

  override _flush(done: TransformCallback): void {
    done(null, Buffer.from(this.#rewriteBody(Buffer.concat(this.#chunks).toString("utf8")), "utf8"));
  }
}
