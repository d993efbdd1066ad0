/**
 * REQUEST and RESPONSE payloads. Header values are byte strings on the wire; each end reads them in its own runtime's
 * form (Node shows bytes as Latin-1, workerd as UTF-8), so bytes pass through unchanged.
 */
import { StreamError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

export type HeaderText = "latin1" | "utf-8";
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

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TARGET = /^\/[\x21-\x7e]*$/;
const ILLEGAL_IN_VALUE = /[\0\r\n]/;

/** Payload of REQUEST. Throws `StreamError`: `protocol_error` for illegal text, `too_large` for what does not fit a frame. */
export function encodeRequestHead(head: RequestHead, text: HeaderText): Uint8Array {
  const writer = new BlockWriter(text);
  writer.byte(head.kind === "websocket" ? 1 : 0);
  writer.text(checked(head.method, TOKEN, "method"));
  writer.text(checked(head.target, TARGET, "target"));
  writer.fields(head.headers);
  return writer.finish();
}

/** Payload of RESPONSE. Errors as in `encodeRequestHead`. */
export function encodeResponseHead(head: ResponseHead, text: HeaderText): Uint8Array {
  const writer = new BlockWriter(text);
  writer.number(checkedStatus(head.status));
  writer.fields(head.headers);
  return writer.finish();
}

/** Reads a REQUEST payload; throws `StreamError` `protocol_error` for anything illegal. */
export function decodeRequestHead(payload: Uint8Array, text: HeaderText): RequestHead {
  const reader = new BlockReader(payload, text);
  const kind = reader.byte();
  if (kind > 1) throw malformed("kind");
  const method = checked(reader.text(), TOKEN, "method");
  const target = checked(reader.text(), TARGET, "target");
  const headers = reader.fields();
  reader.expectEnd();
  return { kind: kind === 1 ? "websocket" : "http", method, target, headers };
}

/** Reads a RESPONSE payload; errors as in `decodeRequestHead`. */
export function decodeResponseHead(payload: Uint8Array, text: HeaderText): ResponseHead {
  const reader = new BlockReader(payload, text);
  const status = checkedStatus(reader.number());
  const headers = reader.fields();
  reader.expectEnd();
  return { status, headers };
}

function malformed(what: string): StreamError {
  return new StreamError("protocol_error", `malformed ${what}`);
}

function checked(value: string, pattern: RegExp, what: string): string {
  if (!pattern.test(value)) throw malformed(what);
  return value;
}

function checkedStatus(status: number): number {
  const isFinal = Number.isInteger(status) && status >= 200 && status <= 599;
  if (!isFinal && status !== 101) throw malformed("status");
  return status;
}

function checkField(name: string, value: string): void {
  if (!TOKEN.test(name)) throw malformed("header name");
  if (ILLEGAL_IN_VALUE.test(value)) throw malformed("header value");
}

const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

class BlockWriter {
  readonly #text: HeaderText;
  #bytes = new Uint8Array(1024);
  #length = 0;

  constructor(text: HeaderText) {
    this.#text = text;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  number(value: number): void {
    this.#reserve(2);
    this.#bytes[this.#length++] = value >> 8;
    this.#bytes[this.#length++] = value & 255;
  }

  text(value: string): void {
    const bytes = this.#text === "latin1" ? latin1Bytes(value) : encoder.encode(value);
    if (bytes.byteLength > 0xffff) throw tooLarge();
    this.number(bytes.byteLength);
    this.#reserve(bytes.byteLength);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.byteLength;
  }

  fields(fields: HeaderFields): void {
    this.number(fields.length);
    for (const [name, value] of fields) {
      checkField(name, value);
      this.text(name.toLowerCase());
      this.text(value);
    }
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed > LIMITS.headerBlockBytes) throw tooLarge();
    if (needed <= this.#bytes.byteLength) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.byteLength * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

class BlockReader {
  readonly #bytes: Uint8Array;
  readonly #text: HeaderText;
  #offset = 0;

  constructor(bytes: Uint8Array, text: HeaderText) {
    this.#bytes = bytes;
    this.#text = text;
  }

  byte(): number {
    const value = this.#bytes[this.#offset++];
    if (value === undefined) throw malformed("header block");
    return value;
  }

  number(): number {
    return (this.byte() << 8) | this.byte();
  }

  text(): string {
    const length = this.number();
    const end = this.#offset + length;
    if (end > this.#bytes.byteLength) throw malformed("header block");
    const bytes = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return this.#text === "latin1" ? latin1Text(bytes) : utf8.decode(bytes);
  }

  fields(): HeaderFields {
    const fields: HeaderFields = [];
    for (let left = this.number(); left > 0; left--) {
      const name = this.text();
      const value = this.text();
      checkField(name, value);
      fields.push([name.toLowerCase(), value]);
    }
    return fields;
  }

  expectEnd(): void {
    if (this.#offset !== this.#bytes.byteLength) throw malformed("header block");
  }
}

function tooLarge(): StreamError {
  return new StreamError("too_large", `header block over ${LIMITS.headerBlockBytes} bytes`);
}

function latin1Bytes(value: string): Uint8Array {
  const bytes = new Uint8Array(value.length);
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code > 255) throw malformed("header value");
    bytes[index] = code;
  }
  return bytes;
}

function latin1Text(bytes: Uint8Array): string {
  let value = "";
  for (const byte of bytes) value += String.fromCharCode(byte);
  return value;
}
