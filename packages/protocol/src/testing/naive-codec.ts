/**
 * A second codec, written from SPEC.md alone and as plainly as possible: arrays of numbers, one small step after the other,
 * no sharing of code with the first. The tests hold the two against each other; nothing else uses it.
 */
export type NaiveEvent =
  | { is: "frame"; type: number; flags: number; streamId: number; payload: string }
  | { is: "malformed"; streamId: number }
  | { is: "end"; code: "bad_message" | "message_too_big" };

export type NaiveText = "latin1" | "utf-8";
export interface NaiveRequest {
  kind: "http" | "websocket";
  method: string;
  target: string;
  headers: [string, string][];
}
export interface NaiveResponse {
  status: number;
  headers: [string, string][];
}

/** A head that could be read, or the name of the reset that a head which cannot be read costs. */
export type NaiveHead<T> = { ok: T } | { error: "protocol_error" };

/** Section 3: a frame's bytes. */
export function naiveFrame(type: number, flags: number, streamId: number, payload: number[]): number[] {
  return [type * 16 + flags, ...bigEndian(payload.length, 3), ...bigEndian(streamId, 4), ...payload];
}

/** Sections 3 and 6: what a reader makes of a binary message, in order. */
export function naiveRead(message: Uint8Array): NaiveEvent[] {
  if (message.length > 1024 * 1024) return [{ is: "end", code: "message_too_big" }];
  const events: NaiveEvent[] = [];
  // Payloads are shown in hexadecimal.
  let at = 0;
  while (at < message.length) {
    const header = Array.from(message.slice(at, at + 8));
    if (header.length < 8) return [...events, { is: "end", code: "bad_message" }];
    const [typeAndFlags = 0] = header;
    const length = fromBigEndian(header.slice(1, 4));
    const streamId = fromBigEndian(header.slice(4, 8));
    if (streamId === 0) return [...events, { is: "end", code: "bad_message" }];
    if (at + 8 + length > message.length) return [...events, { is: "malformed", streamId }];
    const payload = toHex(message.slice(at + 8, at + 8 + length));
    const [type, flags] = [Math.floor(typeAndFlags / 16), typeAndFlags % 16];
    events.push(
      length > 65_536 ? { is: "malformed", streamId } : { is: "frame", type, flags, streamId, payload },
    );
    at += 8 + length;
  }
  return events;
}

/** REQUEST: kind, method, target, header fields. */
export function naiveRequestPayload(head: NaiveRequest, text: NaiveText): number[] {
  const kind = head.kind === "websocket" ? 1 : 0;
  return [
    kind,
    ...lengthAndBytes(head.method, text),
    ...lengthAndBytes(head.target, text),
    ...fieldBytes(head.headers, text),
  ];
}

/** RESPONSE: status, header fields. */
export function naiveResponsePayload(head: NaiveResponse, text: NaiveText): number[] {
  return [...bigEndian(head.status, 2), ...fieldBytes(head.headers, text)];
}

/** Reads a REQUEST payload. */
export function naiveReadRequest(payload: number[], text: NaiveText): NaiveHead<NaiveRequest> {
  const rest = new Rest(payload);
  const kind = rest.take(1)?.[0];
  const method = rest.takeText(text);
  const target = rest.takeText(text);
  const headers = rest.takeFields(text);
  if (kind === undefined || kind > 1 || method === undefined || target === undefined) return refused;
  if (headers === undefined || !rest.isEmpty) return refused;
  if (!isToken(method) || !isTarget(target)) return refused;
  return { ok: { kind: kind === 1 ? "websocket" : "http", method, target, headers } };
}

/** Reads a RESPONSE payload. */
export function naiveReadResponse(payload: number[], text: NaiveText): NaiveHead<NaiveResponse> {
  const rest = new Rest(payload);
  const bytes = rest.take(2);
  const headers = rest.takeFields(text);
  if (bytes === undefined || headers === undefined || !rest.isEmpty) return refused;
  const status = fromBigEndian(bytes);
  const isFinal = status >= 200 && status <= 599;
  return isFinal || status === 101 ? { ok: { status, headers } } : refused;
}

/** RESET and CLOSE: code, reason. */
export function naiveCodePayload(code: number, reason: string): number[] {
  return [...bigEndian(code, 2), ...new TextEncoder().encode(reason)];
}

/** A text's bytes, each code point up to 255 as one byte (latin1) or as UTF-8. */
export function naiveBytes(value: string, text: NaiveText): number[] {
  if (text === "utf-8") return Array.from(new TextEncoder().encode(value));
  return Array.from(value).map((character) => character.codePointAt(0) ?? 0);
}

/** Lower-case hexadecimal of bytes. */
export function toHex(bytes: Iterable<number>): string {
  let hex = "";
  for (const byte of bytes) hex += (byte < 16 ? "0" : "") + byte.toString(16);
  return hex;
}

/** The bytes of hexadecimal text; spaces are for people. */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  const pairs = hex.replaceAll(" ", "").match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}

const refused = { error: "protocol_error" } as const;

class Rest {
  #bytes: number[];

  constructor(bytes: number[]) {
    this.#bytes = bytes;
  }

  get isEmpty(): boolean {
    return this.#bytes.length === 0;
  }

  take(count: number): number[] | undefined {
    if (this.#bytes.length < count) return undefined;
    const taken = this.#bytes.slice(0, count);
    this.#bytes = this.#bytes.slice(count);
    return taken;
  }

  takeText(text: NaiveText): string | undefined {
    const length = this.take(2);
    const bytes = length && this.take(fromBigEndian(length));
    if (bytes === undefined) return undefined;
    if (text === "utf-8") return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
    return bytes.map((byte) => String.fromCodePoint(byte)).join("");
  }

  takeFields(text: NaiveText): [string, string][] | undefined {
    const count = this.take(2);
    if (count === undefined) return undefined;
    const fields: [string, string][] = [];
    for (let left = fromBigEndian(count); left > 0; left--) {
      const name = this.takeText(text);
      const value = this.takeText(text);
      if (name === undefined || value === undefined) return undefined;
      if (!isToken(name) || !isFieldValue(value)) return undefined;
      fields.push([name.toLowerCase(), value]);
    }
    return fields;
  }
}

function isToken(value: string): boolean {
  const allowed = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return value !== "" && Array.from(value).every((character) => allowed.includes(character));
}

function isTarget(value: string): boolean {
  return (
    value.startsWith("/") && Array.from(value).every((character) => character > " " && character < "\x7f")
  );
}

function isFieldValue(value: string): boolean {
  return !value.includes("\r") && !value.includes("\n") && !value.includes("\0");
}

function lengthAndBytes(value: string, text: NaiveText): number[] {
  const bytes = naiveBytes(value, text);
  return [...bigEndian(bytes.length, 2), ...bytes];
}

function fieldBytes(headers: [string, string][], text: NaiveText): number[] {
  const fields = headers.flatMap(([name, value]) => [
    ...lengthAndBytes(name.toLowerCase(), text),
    ...lengthAndBytes(value, text),
  ]);
  return [...bigEndian(headers.length, 2), ...fields];
}

function bigEndian(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => Math.floor(value / 256 ** (bytes - 1 - index)) % 256);
}

function fromBigEndian(bytes: number[]): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}
