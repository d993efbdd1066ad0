/**
 * Moving a signed-in browser from the hub to an instance's origin (docs: security, "Viewers"). The hub issues a code
 * that works once, for 60 s, for one instance, in the browser that asked: the browser's nonce lives in a cookie of the
 * instance's origin and the hub sees only its hash. The instance's origin trades the code for a signed viewer cookie,
 * which is checked without a database for `FRESH_MS`; after that the hub session behind it must still be alive.
 */
import type { Env } from "../env.ts";
import { consumeOneTimeCode, createOneTimeCode } from "../db/one-time-codes.ts";
import { equalInConstantTime, fromBase64Url, sha256, toBase64Url } from "../secrets.ts";
import { findLiveSession, HUB_COOKIE_PREFIX } from "./session.ts";

export { isSessionAlive } from "./session.ts";

export const VIEWER_COOKIE = `${HUB_COOKIE_PREFIX}viewer`;
export const NONCE_COOKIE = `${HUB_COOKIE_PREFIX}nonce`;

const CODE_LIFETIME_MS = 60_000;
const FRESH_MS = 5 * 60_000;
/** A cookie issued later than now by more than this was not issued by us. */
const CLOCK_SKEW_MS = 60_000;
const MAX_COOKIE_LENGTH = 2048;

/** Who looks at an instance, and by which sign-in at the hub. */
export interface Viewer {
  userId: string;
  login: string;
  sessionId: string;
}

/** What the hub is told of a browser's nonce: `binding` in `/open/:label`. */
export function bindingHash(nonce: string): Promise<string> {
  return sha256(`orchestrator-viewer-nonce:${nonce}`);
}

/** Issues a code with which the browser that holds the nonce may enter the instance `label`. */
export function issueViewerCode(
  db: D1Database,
  grant: { userId: string; sessionId: string; label: string; bindingHash: string },
  now: number = Date.now(),
): Promise<string> {
  const { userId, sessionId, label } = grant;
  return createOneTimeCode(
    db,
    {
      purpose: "viewer",
      userId,
      sessionId,
      subject: label,
      bindingHash: grant.bindingHash,
      lifetimeMs: CODE_LIFETIME_MS,
    },
    now,
  );
}

/** Trades a code for a viewer; null where it is used, expired, of another instance or of another browser. */
export async function redeemViewerCode(
  db: D1Database,
  attempt: { code: string; label: string; nonce: string },
  now: number = Date.now(),
): Promise<Viewer | null> {
  const grant = await consumeOneTimeCode(db, { text: attempt.code, purpose: "viewer" }, now);
  if (grant === null || grant.session_id === null || grant.binding_hash === null) return null;
  if (grant.subject !== attempt.label) return null;
  if (!equalInConstantTime(grant.binding_hash, await bindingHash(attempt.nonce))) return null;
  const session = await findLiveSession(db, { sessionId: grant.session_id, userId: grant.user_id }, now);
  return session === null ? null : { userId: session.userId, login: session.login, sessionId: session.id };
}

/** The value of a viewer cookie: `<payload>.<HMAC-SHA-256>`, both base64url, good for this label only. */
export async function signViewerCookie(
  env: Pick<Env, "COOKIE_SECRET">,
  content: Viewer & { label: string; issuedAt: number },
): Promise<string> {
  const { userId, login, sessionId, label, issuedAt } = content;
  const json = JSON.stringify([userId, login, sessionId, label, issuedAt]);
  const payload = toBase64Url(new TextEncoder().encode(json));
  const signature = await crypto.subtle.sign("HMAC", await signingKey(env), signedBytes(payload));
  return `${payload}.${toBase64Url(new Uint8Array(signature))}`;
}

/**
 * Reads a viewer cookie presented at `label`; null where it is forged, of another label or from the future. Where it
 * is not `fresh` the caller asks `isSessionAlive` and issues a new one.
 */
export async function readViewerCookie(
  env: Pick<Env, "COOKIE_SECRET">,
  label: string,
  value: string,
  now: number = Date.now(),
): Promise<{ viewer: Viewer; fresh: boolean } | null> {
  if (value.length > MAX_COOKIE_LENGTH) return null;
  const [payload = "", signature = "", ...rest] = value.split(".");
  const bytes = fromBase64Url(signature);
  if (bytes === undefined || rest.length > 0) return null;
  if (!(await crypto.subtle.verify("HMAC", await signingKey(env), bytes, signedBytes(payload)))) return null;
  const content = parsePayload(payload);
  if (content === null || content.label !== label || content.issuedAt > now + CLOCK_SKEW_MS) return null;
  const { userId, login, sessionId, issuedAt } = content;
  return { viewer: { userId, login, sessionId }, fresh: now < issuedAt + FRESH_MS };
}

function signedBytes(payload: string): Uint8Array {
  return new TextEncoder().encode(`orchestrator-viewer-cookie:${payload}`);
}

/** The payload was signed by us, so its shape is known; null only if an older version of the hub signed another. */
function parsePayload(payload: string): (Viewer & { label: string; issuedAt: number }) | null {
  const bytes = fromBase64Url(payload);
  const parsed: unknown = bytes === undefined ? null : JSON.parse(new TextDecoder().decode(bytes));
  if (!Array.isArray(parsed)) return null;
  const [userId, login, sessionId, label, issuedAt] = parsed as unknown[];
  if (typeof userId !== "string" || typeof login !== "string" || typeof sessionId !== "string") return null;
  if (typeof label !== "string" || typeof issuedAt !== "number") return null;
  return { userId, login, sessionId, label, issuedAt };
}

let cachedKey: { secret: string; key: Promise<CryptoKey> } | undefined;

/** Importing the key once saves most of the time of a check; it is derived from the setting alone. */
function signingKey(env: Pick<Env, "COOKIE_SECRET">): Promise<CryptoKey> {
  const secret = env.COOKIE_SECRET;
  if (secret.length < 43) throw new Error("COOKIE_SECRET needs at least 32 random bytes in base64url.");
  if (cachedKey?.secret !== secret) cachedKey = { secret, key: importKey(secret) };
  return cachedKey.key;
}

function importKey(secret: string): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", new TextEncoder().encode(secret), algorithm, false, [
    "sign",
    "verify",
  ]);
}
