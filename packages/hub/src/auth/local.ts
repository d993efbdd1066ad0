/**
 * Sign-in for a hub on one's own machine: the runner prints a link with a code that works once. Only where the runner
 * says so, and only on loopback names, so that such a hub cannot be opened to others by mistake.
 */
import { consumeOneTimeCode, createOneTimeCode } from "../db/one-time-codes.ts";

export const LOCAL_USER = { id: "local", login: "local", name: "Local user" } as const;

const LOCAL_CODE_LIFETIME_MS = 10 * 60_000;

/** Those of the Worker's settings that decide; spelled out, because the runner loads this file without a Worker. */
interface LocalSettings {
  HUB_ORIGIN: string;
  LOCAL_SIGN_IN?: string;
}

/**
 * True where the local person may use the hub: where it signs in by link, on a loopback name. What they had before a hub was
 * opened to others, sign-ins and tokens of an administrator, is worth nothing any more.
 */
export function isLocalHub(env: LocalSettings): boolean {
  return env.LOCAL_SIGN_IN === "enabled" && isLoopbackName(new URL(env.HUB_ORIGIN).hostname);
}

/** True where this hub signs in by link and the request was sent to its loopback name. */
export function isLocalSignInOpen(request: Request, env: LocalSettings): boolean {
  return isLocalHub(env) && request.headers.get("host") === new URL(env.HUB_ORIGIN).host;
}

/** Makes the code of a sign-in link for the local person. Called by the runner, which has upserted `LOCAL_USER`. */
export function createLocalCode(db: D1Database, now: number = Date.now()): Promise<string> {
  const code = { purpose: "local", userId: LOCAL_USER.id, lifetimeMs: LOCAL_CODE_LIFETIME_MS } as const;
  return createOneTimeCode(db, code, now);
}

/** Takes the code of a sign-in link; true once. */
export async function redeemLocalCode(
  db: D1Database,
  code: string,
  now: number = Date.now(),
): Promise<boolean> {
  const grant = await consumeOneTimeCode(db, { text: code, purpose: "local" }, now);
  return grant?.user_id === LOCAL_USER.id;
}

/** True for names that lead to this machine wherever they are used. */
export function isLoopbackName(hostname: string): boolean {
  if (hostname === "localhost" || hostname === "127.0.0.1" || hostname === "[::1]") return true;
  return hostname.endsWith(".localhost");
}
