/** How a connection to the hub ends, and what follows from it. */
import type * as http from "node:http";
import { CONNECTION_ERRORS, connectionErrorName, type ConnectionErrorCode } from "@ai-orchestrator/protocol";
import { OtherUserError } from "./own-connection.ts";
import { retryAfterMs } from "./retry-after.ts";

/**
 * Why a connection ended. `then` is what the connector does: `ask_later` is for who was sent away by their owner. `not_admitted`: the hub
 * does not let the token's owner in now.
 */
export type SocketEnd = ProtocolEnd | (EndFacts & { then: "retry"; code: OtherEnd });
/** One that the protocol has a close code for. */
export type ProtocolEnd = EndFacts & { then: ConnectionThen; code: ConnectionErrorCode };
interface EndFacts {
  message: string;
  /** The hub's wish. */
  retryAfterMs?: number;
  /** True where nothing was heard from a hub: it may be the way there that is missing. */
  isSilent?: boolean;
}
type ConnectionThen = (typeof CONNECTION_ERRORS)[ConnectionErrorCode]["then"];
type OtherEnd = "connection_lost" | "unreachable" | "not_admitted";

/** A refusal is a status and a sentence; it is read no further than this, and no longer. */
const REFUSAL_BYTES = 16 * 1024;
const REFUSAL_TIMEOUT_MS = 5_000;
const UNTRUSTED = "its certificate is not trusted; NODE_EXTRA_CA_CERTS names those of your own";

/** The end with a code of the protocol's. */
export function endOf(code: ConnectionErrorCode, message: string): ProtocolEnd {
  return { code, message, then: CONNECTION_ERRORS[code].then };
}

/** The end because nothing came back in time. */
export function endOfSilence(message: string): ProtocolEnd {
  return { ...endOf("heartbeat_timeout", message), isSilent: true };
}

/** The end by an error of the socket, of one that stood or of one that was being made. */
export function endOfError(error: Error & { code?: string }, stood: boolean): SocketEnd {
  const message = describe(error);
  return { then: "retry", code: stood ? "connection_lost" : "unreachable", message, isSilent: true };
}

/** The end by a close of the WebSocket. */
export function endOfClose(closeCode: number, reason: string): SocketEnd {
  const name = connectionErrorName(closeCode);
  if (name) return endOf(name, reason || name);
  const broke = closeCode === 1006 ? "the connection broke" : `closed with ${closeCode}`;
  return { then: "retry", code: "connection_lost", message: reason || broke, isSilent: closeCode === 1006 };
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

/** A refused upgrade: only a hub that says so itself is not asked again. */
function refusalOf({ statusCode = 0, headers }: http.IncomingMessage, body: string): SocketEnd {
  const error = refusalIn(body);
  const message = error.message ?? withoutWords(statusCode, headers.location);
  if (statusCode === 401 && error.code === "unauthorized") return endOf("unauthorized", message);
  const wished = retryAfterMs(headers["retry-after"], Date.now());
  const wish = wished === undefined ? {} : { retryAfterMs: wished };
  if (statusCode === 403 && error.code === "disconnected")
    return { code: "disconnected", message, then: "ask_later", ...wish };
  if (statusCode === 403) return { code: "not_admitted", message, then: "retry", ...wish };
  return { code: statusCode === 429 ? "rate_limited" : "unreachable", message, then: "retry", ...wish };
}

/** A proxy on the way there, a page, a redirect: redirects are not followed, because the token would go along. */
function withoutWords(status: number, location: string | undefined): string {
  if (status < 300) return `what answers there is no hub (${status})`;
  if (status >= 400 || location === undefined) return `the hub answered ${status}`;
  return `the hub's address leads on to ${URL.canParse(location) ? new URL(location).origin : "another page"} (${status})`;
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

const ERRORS: Record<string, string> = {
  ECONNREFUSED: "nothing answers there",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "its name could not be looked up",
  ENETUNREACH: "there is no network",
  EHOSTUNREACH: "there is no way to it",
  ETIMEDOUT: "it did not answer in time",
  ECONNRESET: "the connection broke",
  EPIPE: "the connection broke",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet; is this machine's clock right?",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host",
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
};

function describe(error: Error & { code?: string }): string {
  if (error instanceof OtherUserError)
    return `${error.message}, so the token is not sent there; ORCHESTRATOR_ALLOW_OTHER_USER=1 allows it`;
  const { code = "", message, name } = error;
  if (code === "EPROTO" || code.startsWith("ERR_SSL_"))
    return "what answers there does not speak https as it should";
  if (code.startsWith("HPE_")) return "what answers there does not speak http";
  return ERRORS[code] ?? (message || code || name);
}
