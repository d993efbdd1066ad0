/** Answers to connectors that are not let in (SPEC.md section 1). */

type DialRefusal =
  | "bad_request"
  | "unauthorized"
  | "not_admitted"
  | "disconnected"
  | "pairing_over"
  | "unsupported_version"
  | "rate_limited";

/** `{"error":{"code","message"}}`; a connector comes back after `retryAfterSeconds` at the earliest, but never after a 401. */
export function refuseDial(
  status: number,
  code: DialRefusal,
  message: string,
  retryAfterSeconds?: number,
): Response {
  const headers = new Headers({ "cache-control": "no-store" });
  if (retryAfterSeconds !== undefined) headers.set("retry-after", String(retryAfterSeconds));
  return Response.json({ error: { code, message } }, { status, headers });
}
