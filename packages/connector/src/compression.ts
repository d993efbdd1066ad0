/** Which answers are compressed on their way, and how. */
import type { Transform } from "node:stream";
import * as zlib from "node:zlib";
import type { HeaderList, ResponseParts } from "./adapter.ts";
import { fieldOf } from "./upstream-headers.ts";

/** Below this, compression costs more than it saves. */
const MIN_COMPRESSED_BYTES = 1024;
/**
 * Of the 4.37 MB of claudecodeui's first page brotli 4 leaves 1,222 KB in 51 ms of CPU, 5 leaves 1,124 KB in 72 ms, 6 1,109 KB in 83 ms,
 * 9 1,087 KB in 270 ms, 11 994 KB in 5 s; gzip 6 1,269 KB in 74 ms; zstd 6 1,165 KB in 39 ms, zstd 9 1,137 KB in 58 ms. So zstd,
 * which Node 20 lacks, saves no bytes, and what 11 saves is not worth seconds of a machine that somebody works at.
 */
const BROTLI_QUALITY = 5;

const COMPRESSIBLE =
  /^(?:text\/(?!event-stream)|application\/(?:json|javascript|manifest\+json|xml|wasm|x-ndjson|[\w.+-]+\+(?:json|xml))|image\/(?:svg\+xml|bmp|x-icon))/i;

export type Encoding = "br" | "gzip";

/** True where a browser that takes a compressed body gets one, so that the answer depends on what it takes. */
export function isCompressible({ status, headers }: ResponseParts): boolean {
  if (status === 206 || fieldOf(headers, "content-encoding") !== undefined) return false;
  if (!COMPRESSIBLE.test(fieldOf(headers, "content-type") ?? "")) return false;
  if (/no-transform/i.test(fieldOf(headers, "cache-control") ?? "")) return false;
  const length = fieldOf(headers, "content-length");
  return length === undefined || Number(length) >= MIN_COMPRESSED_BYTES;
}

/** The best that a browser takes, by its `Accept-Encoding`. */
export function chooseEncoding(accepted: string | undefined): Encoding | undefined {
  if (accepts(accepted, "br")) return "br";
  return accepts(accepted, "gzip") ? "gzip" : undefined;
}

function accepts(accepted: string | undefined, encoding: Encoding): boolean {
  return (accepted ?? "").split(",").some((part) => {
    const [name = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    return name === encoding && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  });
}

/** Of an answer of unknown length every chunk comes out as it goes in: it may be one that is being written. */
export function compressor(encoding: Encoding, length: number | undefined): Transform {
  const flushes = length === undefined;
  if (encoding === "gzip")
    return zlib.createGzip({ flush: flushes ? zlib.constants.Z_SYNC_FLUSH : zlib.constants.Z_NO_FLUSH });
  return zlib.createBrotliCompress({
    flush: flushes ? zlib.constants.BROTLI_OPERATION_FLUSH : zlib.constants.BROTLI_OPERATION_PROCESS,
    params: {
      [zlib.constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
      ...(length !== undefined && { [zlib.constants.BROTLI_PARAM_SIZE_HINT]: length }),
    },
  });
}

/** The fields of an answer with these added to its `Vary`. */
export function varying(headers: HeaderList): HeaderList {
  const isSaid = headers.some(
    ([name, value]) => name === "vary" && /(?:^|,)\s*(?:accept-encoding|\*)\s*(?:,|$)/i.test(value),
  );
  return isSaid ? headers : [...headers, ["vary", "accept-encoding"]];
}
