/** How a connection to the hub ends, and what follows from it. */
import type * as http from "node:http";
import { CONNECTION_ERRORS, connectionErrorName, type ConnectionErrorCode } from "@ai-orchestrator/protocol";
import { retryAfterMs } from "./retry-after.ts";

/**
 * Why a connection ended. `then` is what the connector does: `ask_later` is for who was sent away by their owner. `retryAfterMs` is the
 * hub's wish; `not_admitted`: it does not let the token's owner in now.
 */
export type SocketEnd =
  | { then: ConnectionThen; code: ConnectionErrorCode; message: string; retryAfterMs?: number }
  | { then: "retry"; code: OtherEnd; message: string; retryAfterMs?: number };
type ConnectionThen = (typeof CONNECTION_ERRORS)[ConnectionErrorCode]["then"];
type OtherEnd = "connection_lost" | "unreachable" | "not_admitted";

/** A refusal is a status and a sentence; it is read no further than this, and no longer. */
const REFUSAL_BYTES = 16 * 1024;
const REFUSAL_TIMEOUT_MS = 5_000;

/** The end with a code of the protocol's. */
export function endOf(code: ConnectionErrorCode, message: string): SocketEnd {
  return { code, message, then: CONNECTION_ERRORS[code].then };
}

/** The end by a close of the WebSocket. */
export function endOfClose(closeCode: number, reason: string): SocketEnd {
  const name = connectionErrorName(closeCode);
  if (name) return endOf(name, reason || name);
  const broke = closeCode === 1006 ? "the connection broke" : `closed with ${closeCode}`;
  return { then: "retry", code: "connection_lost", message: reason || broke };
}

/** Reads what the hub answered in place of 101; calls back once, whatever it sends and however slowly. */
export function readRefusal(answer: http.IncomingMessage, done: (end: SocketEnd) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const timer = setTimeout(() => answer.destroy(), REFUSAL_TIMEOUT_MS);
  answer.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes >= REFUSAL_BYTES) answer.destroy();
  });
  // What was cut off is an error of the stream's; the status counts all the same.
  answer.on("error", () => answer.destroy());
  answer.on("close", () => {
    clearTimeout(timer);
    const body = Buffer.concat(chunks).subarray(0, REFUSAL_BYTES).toString("utf8");
    done(refusalOf(answer, body));
  });
}

/** A refused upgrade: only a bad token is for good. */
function refusalOf({ statusCode, headers }: http.IncomingMessage, body: string): SocketEnd {
  const error = refusalIn(body);
  const message = error.message ?? `the hub answered ${statusCode ?? "nothing"}`;
  if (statusCode === 401) return { code: "unauthorized", message, then: "stay_away" };
  const wished = retryAfterMs(headers["retry-after"], Date.now());
  const wish = wished === undefined ? {} : { retryAfterMs: wished };
  if (statusCode === 403 && error.code === "disconnected")
    return { code: "disconnected", message, then: "ask_later", ...wish };
  if (statusCode === 403) return { code: "not_admitted", message, then: "retry", ...wish };
  return { code: statusCode === 429 ? "rate_limited" : "unreachable", message, then: "retry", ...wish };
}

function refusalIn(body: string): { code?: string; message?: string } {
  try {
    const value: unknown = JSON.parse(body);
    const { code, message } =
      (value as { error?: { code?: unknown; message?: unknown } | null } | null)?.error ?? {};
    return {
      ...(typeof code === "string" && { code }),
      ...(typeof message === "string" && { message: message.slice(0, 300) }),
    };
  } catch {
    // Whatever answers there is not a hub; its status says enough.
    return {};
  }
}
