/** HTTP in messages of version 1: header values and bodies as text, and what they mean as bytes. */
import { StreamError } from "./errors.ts";
import {
  decodeResponseHead,
  encodeResponseHead,
  type HeaderFields,
  type ResponseHead,
} from "./header-block.ts";

/** Says that a body is base64; it is undone here and told to nobody. */
const MARKER = "x-orch-encoding";

/** Not true any more once a body has travelled as text. */
const ABOUT_TRANSFER = new Set([MARKER, "content-length", "transfer-encoding"]);

interface SentAnswer extends ResponseHead {
  body: string;
}

interface Answer {
  head: ResponseHead;
  body: Uint8Array;
}

/** What a client has answered. Throws `StreamError` where that is no HTTP: `protocol_error`, or `too_large` for its header fields. */
export function readAnswer({ status, headers, body }: SentAnswer, method: string): Answer {
  const fields = legal({ status, headers: headers.map(([name, value]) => [name, readable(value)]) }).headers;
  const isBase64 = fields.some(([name, value]) => name === MARKER && /^\s*base64\s*$/i.test(value));
  const bytes = isBase64 ? fromBase64(body) : new TextEncoder().encode(body);
  // The length that an answer without a body speaks of is that of another.
  const keepsLength = method === "HEAD" || status === 304;
  const kept = fields.filter(
    ([name]) => !ABOUT_TRANSFER.has(name) && (isBase64 || name !== "content-encoding"),
  );
  const length = keepsLength
    ? fields.find(([name]) => name === "content-length")?.[1]
    : String(bytes.byteLength);
  const hasLength = length !== undefined && status !== 204;
  return {
    head: { status, headers: hasLength ? [...kept, ["content-length", length]] : kept },
    body: bytes,
  };
}

/** A header value for a client, whose HTTP has one character for each byte. */
export function byteText(value: string): string {
  if (isAscii(value)) return value;
  let text = "";
  for (const byte of new TextEncoder().encode(value)) text += String.fromCharCode(byte);
  return text;
}

/** The same rules as in version 2, and names in lower case. */
function legal(head: ResponseHead): { headers: HeaderFields } {
  return decodeResponseHead(encodeResponseHead(head, "utf-8"), "utf-8");
}

/** A client's HTTP shows one character for each byte; what is more than that was text already. */
function readable(value: string): string {
  if (isAscii(value) || !/^[\0-\xff]*$/.test(value)) return value;
  const bytes = Uint8Array.from({ length: value.length }, (_, index) => value.charCodeAt(index));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return value;
  }
}

function isAscii(value: string): boolean {
  return /^[\0-\x7f]*$/.test(value);
}

function fromBase64(text: string): Uint8Array {
  try {
    const characters = atob(text);
    const bytes = new Uint8Array(characters.length);
    for (let index = 0; index < bytes.length; index++) bytes[index] = characters.charCodeAt(index);
    return bytes;
  } catch {
    throw new StreamError("protocol_error", "a body that is not base64");
  }
}
