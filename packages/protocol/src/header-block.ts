/**
 * REQUEST and RESPONSE payloads. Header values are byte strings on the wire; each end reads them in its own runtime's
 * form (Node shows bytes as Latin-1, workerd as UTF-8), so bytes pass through unchanged.
 */
import {
  type HeaderText,
  malformed,
  METHOD,
  NAME,
  TARGET_TEXT,
  TextReader,
  tooLarge,
  writeAscii,
  writeValue,
} from "./header-text.ts";
import { LIMITS } from "./limits.ts";

export type { HeaderText } from "./header-text.ts";
export type HeaderFields = [name: string, value: string][];

export interface RequestHead {
  kind: "http" | "websocket";
  method: string;
  /** Path and query. */
  target: string;
  headers: HeaderFields;
}

export interface ResponseHead {
  /** 101 or 200–599. */
  status: number;
  headers: HeaderFields;
}

/** Every block is written here and copied once it is whole: none is written to memory that has to grow. */
const block = new Uint8Array(LIMITS.headerBlockBytes);

/** Payload of REQUEST. Throws `StreamError`: `protocol_error` for illegal text, `too_large` for what does not fit a frame. */
export function encodeRequestHead(head: RequestHead, text: HeaderText): Uint8Array<ArrayBuffer> {
  block[0] = head.kind === "websocket" ? 1 : 0;
  const method = writeAscii(block, 1, head.method, METHOD);
  const target = writeAscii(block, method, head.target, TARGET_TEXT);
  return block.slice(0, writeFields(target, head.headers, text));
}

/** Payload of RESPONSE. Errors as in `encodeRequestHead`. */
export function encodeResponseHead(head: ResponseHead, text: HeaderText): Uint8Array<ArrayBuffer> {
  const start = writeNumber(0, checkedStatus(head.status));
  return block.slice(0, writeFields(start, head.headers, text));
}

/** Reads a REQUEST payload; throws `StreamError` `protocol_error` for anything illegal. */
export function decodeRequestHead(payload: Uint8Array, text: HeaderText): RequestHead {
  const reader = new TextReader(payload, text);
  const kind = reader.byte();
  if (kind > 1) throw malformed("kind");
  const method = reader.ascii(METHOD);
  const target = reader.ascii(TARGET_TEXT);
  return { kind: kind === 1 ? "websocket" : "http", method, target, headers: readFields(reader) };
}

/** Reads a RESPONSE payload; errors as in `decodeRequestHead`. */
export function decodeResponseHead(payload: Uint8Array, text: HeaderText): ResponseHead {
  const reader = new TextReader(payload, text);
  const status = checkedStatus(reader.number());
  return { status, headers: readFields(reader) };
}

function checkedStatus(status: number): number {
  const isFinal = Number.isInteger(status) && status >= 200 && status <= 599;
  if (!isFinal && status !== 101) throw malformed("status");
  return status;
}

function writeFields(offset: number, fields: HeaderFields, text: HeaderText): number {
  let end = writeNumber(offset, fields.length);
  for (const [name, value] of fields) {
    const next = writeAscii(block, end, name, NAME);
    end = writeValue(block, next, value, text);
  }
  return end;
}

function writeNumber(offset: number, value: number): number {
  const end = offset + 2;
  if (end > block.byteLength) throw tooLarge();
  block[offset] = value >> 8;
  block[offset + 1] = value & 255;
  return end;
}

/** The fields, which are the end of every block. */
function readFields(reader: TextReader): HeaderFields {
  const fields: HeaderFields = [];
  for (let left = reader.number(); left > 0; left--) fields.push([reader.ascii(NAME), reader.value()]);
  if (!reader.isAtEnd) throw malformed("header block");
  return fields;
}
