/** A 16-bit code and a short UTF-8 reason: the payload of RESET and CLOSE. */
import { StreamError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

/** Writes a code and as much of the reason as the limit allows, cut between characters. */
export function encodeCode(code: number, reason: string): Uint8Array {
  const text = new TextEncoder().encode(truncateReason(reason));
  const payload = new Uint8Array(2 + text.byteLength);
  payload[0] = code >> 8;
  payload[1] = code & 255;
  payload.set(text, 2);
  return payload;
}

/**
 * Reads a code and its reason; throws `StreamError` when the payload is too short or too long. What is not UTF-8 is
 * replaced, and the reason again fits the limit.
 */
export function decodeCode(payload: Uint8Array): { code: number; reason: string } {
  const [high, low] = payload;
  if (high === undefined || low === undefined || payload.byteLength > 2 + LIMITS.reasonBytes) {
    throw new StreamError("protocol_error", "malformed code and reason");
  }
  return { code: (high << 8) | low, reason: truncateReason(decoder.decode(payload.subarray(2))) };
}

/** The longest prefix of `reason` that fits a WebSocket close frame (123 bytes of UTF-8). */
export function truncateReason(reason: string): string {
  const target = new Uint8Array(LIMITS.reasonBytes);
  const { read } = new TextEncoder().encodeInto(reason, target);
  return reason.slice(0, read);
}

/** True for a WebSocket close code that a peer may put into a close frame (RFC 6455, 7.4). */
export function isSendableCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code);
}
