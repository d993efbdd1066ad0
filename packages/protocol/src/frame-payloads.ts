/** The payloads of WINDOW and RESET. */
import { STREAM_ERRORS, StreamError, streamErrorName, type StreamErrorCode } from "./errors.ts";
import { decodeCode, encodeCode } from "./reason.ts";

/** Bytes of credit, in 32 bits. */
export function encodeCredit(bytes: number): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, bytes);
  return payload;
}

/** Throws `StreamError` `protocol_error`. */
export function decodeCredit(payload: Uint8Array): number {
  if (payload.byteLength !== 4) throw new StreamError("protocol_error", "malformed WINDOW");
  return new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0);
}

export function encodeReset(code: StreamErrorCode, reason: string): Uint8Array {
  return encodeCode(STREAM_ERRORS[code], reason);
}

/** What the peer says was wrong. Throws `StreamError` `protocol_error`. */
export function decodeReset(payload: Uint8Array): StreamError {
  const { code, reason } = decodeCode(payload);
  const name = streamErrorName(code);
  return new StreamError(name, reason === "" ? name : reason);
}
