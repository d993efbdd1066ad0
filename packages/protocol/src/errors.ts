/**
 * Every way a stream or a connection can fail, once. SPEC.md "Errors" is generated from nothing but says the same;
 * `errors.test.ts` holds the two together.
 */

/** Why one stream ended early. The number travels in a RESET frame; the name is what logs, pages and tests use. */
export const STREAM_ERRORS = {
  cancelled: 1,
  protocol_error: 2,
  flow_control_error: 3,
  refused_stream: 4,
  upstream_unreachable: 5,
  upstream_timeout: 6,
  upstream_failed: 7,
  too_large: 8,
  stalled: 9,
  denied: 10,
  connection_lost: 11,
  internal_error: 12,
  overloaded: 13,
} as const;

export type StreamErrorCode = keyof typeof STREAM_ERRORS;

const STREAM_ERROR_NAMES = new Map<number, StreamErrorCode>(
  Object.entries(STREAM_ERRORS).map(([name, code]) => [code, name as StreamErrorCode]),
);

/** The name of a number from the wire; numbers of a later version read as `internal_error`. */
export function streamErrorName(code: number): StreamErrorCode {
  return STREAM_ERROR_NAMES.get(code) ?? "internal_error";
}

/** A stream that ended early. `message` is for people; `code` decides what happens next. */
export class StreamError extends Error {
  override readonly name = "StreamError";
  readonly code: StreamErrorCode;

  constructor(code: StreamErrorCode, message: string = code) {
    super(message);
    this.code = code;
  }
}

/** Whatever was thrown, as a `StreamError`; what is not one is an `internal_error`. Never throws itself. */
export function asStreamError(error: unknown): StreamError {
  return error instanceof StreamError ? error : new StreamError("internal_error", describeThrown(error));
}

/** Some text for anything that was thrown, objects that cannot be turned into text included. */
export function describeThrown(error: unknown): string {
  try {
    return String(error);
  } catch {
    return "something that has no text was thrown";
  }
}

/**
 * Why the whole connection ended: the WebSocket close code, and what the connector does then.
 * `retry`: dial again with backoff. `ask_later`: dial about once a minute, until the hub lets the instance back. `stay_away`: do
 * not dial until a person asks.
 */
export const CONNECTION_ERRORS = {
  bad_message: { close: 4400, then: "retry" },
  unauthorized: { close: 4401, then: "stay_away" },
  token_revoked: { close: 4403, then: "stay_away" },
  register_timeout: { close: 4408, then: "retry" },
  replaced: { close: 4409, then: "stay_away" },
  disconnected: { close: 4410, then: "ask_later" },
  message_too_big: { close: 4413, then: "retry" },
  unsupported_version: { close: 4426, then: "stay_away" },
  rate_limited: { close: 4429, then: "retry" },
  internal_error: { close: 4500, then: "retry" },
  going_away: { close: 4503, then: "retry" },
  heartbeat_timeout: { close: 4504, then: "retry" },
  too_many_instances: { close: 4507, then: "stay_away" },
} as const satisfies Record<string, { close: number; then: "retry" | "ask_later" | "stay_away" }>;

export type ConnectionErrorCode = keyof typeof CONNECTION_ERRORS;

const CONNECTION_ERROR_NAMES = new Map<number, ConnectionErrorCode>(
  Object.entries(CONNECTION_ERRORS).map(([name, { close }]) => [close, name as ConnectionErrorCode]),
);

/** The name behind a WebSocket close code, or undefined for codes that are not ours (1006, 1012, …). */
export function connectionErrorName(closeCode: number): ConnectionErrorCode | undefined {
  return CONNECTION_ERROR_NAMES.get(closeCode);
}

/** A connection that must end; thrown by the parsers, turned into a close code in one place. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code: ConnectionErrorCode;

  constructor(code: ConnectionErrorCode, message: string = code) {
    super(message);
    this.code = code;
  }

  get closeCode(): number {
    return CONNECTION_ERRORS[this.code].close;
  }
}
