/** What happens to an answer's body on its way: nothing, compression, or an adapter's rewriting of a whole document. */
import { Transform, type TransformCallback } from "node:stream";
import * as zlib from "node:zlib";
import { StreamError } from "@ai-orchestrator/protocol";
import type { HeaderList, ResponseParts } from "./adapter.ts";
import { copyKey, type CompressedCopies } from "./compressed-copies.ts";
import { chooseEncoding, compressor, isCompressible, varying, type Encoding } from "./compression.ts";
import { fieldOf, without } from "./upstream-headers.ts";
import { answeredTag, weakTag } from "./validators.ts";

/** Documents are small; something larger is not one. */
const MAX_REWRITTEN_BYTES = 8 * 1024 * 1024;

/** The head to send and the steps the body goes through, in order. */
export interface BodyPlan {
  response: ResponseParts;
  steps: Transform[];
  /** To be sent in place of what comes. */
  body?: Buffer;
}

export interface BodyOptions {
  method: string;
  /** Path and query. */
  target: string;
  /** The browser's `Accept-Encoding` and `If-None-Match`. */
  accepted: string | undefined;
  askedTags: string | undefined;
  /** The browser said who asks. */
  isPersonal: boolean;
  rewriteBody: ((body: string) => string) | undefined;
  copies: CompressedCopies;
}

/** Decides what becomes of a body. */
export function planBody(response: ResponseParts, options: BodyOptions): BodyPlan {
  if (response.status === 304) return { response: revalidated(response, options.askedTags), steps: [] };
  if (options.method === "HEAD" || response.status === 204) return { response, steps: [] };
  const { rewriteBody } = options;
  const rewritten = rewriteBody ? rewrite(response, rewriteBody) : { response, steps: [] };
  if (!isCompressible(rewritten.response)) return rewritten;
  const encoding = chooseEncoding(options.accepted);
  if (!encoding) {
    const headers = varying(rewritten.response.headers);
    return { ...rewritten, response: { ...rewritten.response, headers } };
  }
  if (rewriteBody === undefined && options.method === "GET")
    return compressedFile(response, encoding, options);
  // A document that is rewritten comes out of that in one piece.
  const step = compressor(encoding, rewriteBody ? 0 : lengthOf(response));
  return { response: compressedHead(rewritten.response, encoding), steps: [...rewritten.steps, step] };
}

/** A body as the application sends it: compressed now, or where it is a file that does not change, perhaps before. */
function compressedFile(
  response: ResponseParts,
  encoding: Encoding,
  { target, isPersonal, copies }: BodyOptions,
): BodyPlan {
  const key = copyKey(response, { target, isPersonal }, encoding);
  const body = key === undefined ? undefined : copies.get(key);
  const head = compressedHead(response, encoding);
  if (body) {
    head.headers.push(["content-length", String(body.byteLength)]);
    return { response: head, steps: [], body };
  }
  const step = compressor(encoding, lengthOf(response));
  if (key !== undefined) copies.keep(key, step);
  return { response: head, steps: [step] };
}

/** What the browser has is compressed and known by a weak tag, of which the application knows nothing. */
function revalidated(response: ResponseParts, asked: string | undefined): ResponseParts {
  const etag = fieldOf(response.headers, "etag");
  if (etag === undefined || asked === undefined) return response;
  const tag = answeredTag(etag, asked);
  if (tag === etag) return response;
  return { ...response, headers: [...varying(without(response.headers, "etag")), ["etag", tag]] };
}

function lengthOf({ headers }: ResponseParts): number | undefined {
  const length = fieldOf(headers, "content-length");
  return length === undefined ? undefined : Number(length);
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

function compressedHead(response: ResponseParts, encoding: Encoding): ResponseParts {
  const etag = fieldOf(response.headers, "etag");
  const headers = varying(without(response.headers, "content-length", "etag", "accept-ranges"));
  const added: HeaderList = [["content-encoding", encoding]];
  if (etag !== undefined) added.push(["etag", weakTag(etag)]);
  return { ...response, headers: [...headers, ...added] };
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
