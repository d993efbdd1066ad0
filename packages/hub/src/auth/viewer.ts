/**
 * Moving a signed-in browser from the hub to an instance's origin (docs: security, "Viewers"). The hub issues a code
 * that works once, for 60 s, for one instance, in the browser that asked: the browser's nonce lives in a cookie of the
 * instance's origin and the hub sees only its hash. The instance's origin trades the code for a signed viewer cookie,
 * which is checked without a database for `ACCESS_MS`; after that the hub session behind it must still be alive.
 */
import type { Env } from "../env.ts";
import { consumeOneTimeCode, createOneTimeCode } from "../db/one-time-codes.ts";
import { showsMark } from "../db/users.ts";
import { equalInConstantTime, sha256 } from "../secrets.ts";
import { readSignedValue, signValue } from "./keys.ts";
import { ProvenCookies } from "./proven-cookies.ts";
import { ACCESS_MS, findLiveSession, HUB_COOKIE_PREFIX } from "./session.ts";

export const VIEWER_COOKIE = `${HUB_COOKIE_PREFIX}viewer`;
export const NONCE_COOKIE = `${HUB_COOKIE_PREFIX}nonce`;

const CODE_LIFETIME_MS = 60_000;
/** A cookie that is believed for longer than ours by more than this was not issued by us. */
const CLOCK_SKEW_MS = 60_000;
const MAX_COOKIE_LENGTH = 2048;

/** Who looks at an instance, and by which sign-in at the hub. */
export interface Viewer {
  userId: string;
  login: string;
  sessionId: string;
  /** Whether this person wants the hub's mark in the pages of instances. */
  showsMark: boolean;
}

/** Whether this person wants the hub's mark in the pages of instances. */
export const wantsMark = showsMark;

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

/** Trades a code for a viewer and until when they may be believed; null where it is used, expired, of another instance or of another browser. */
export async function redeemViewerCode(
  env: Env,
  attempt: { code: string; label: string; nonce: string },
  now: number = Date.now(),
): Promise<(Viewer & { until: number }) | null> {
  const grant = await consumeOneTimeCode(env.DB, { text: attempt.code, purpose: "viewer" }, now);
  if (grant === null || grant.session_id === null || grant.binding_hash === null) return null;
  if (grant.user_id === null || grant.subject !== attempt.label) return null;
  if (!equalInConstantTime(grant.binding_hash, await bindingHash(attempt.nonce))) return null;
  return findLiveViewer(env, { sessionId: grant.session_id, userId: grant.user_id }, now);
}

/** As whom this sign-in looks at instances, and until when that may be believed; null where `findLiveSession` finds none. */
export async function findLiveViewer(
  env: Env,
  { sessionId, userId }: Pick<Viewer, "sessionId" | "userId">,
  now: number = Date.now(),
): Promise<(Viewer & { until: number }) | null> {
  const [session, shows] = await Promise.all([
    findLiveSession(env, { sessionId, userId }, now),
    showsMark(env.DB, userId),
  ]);
  return session && { userId, login: session.login, sessionId, showsMark: shows, until: session.until };
}

/** The value of a viewer cookie: `<payload>.<HMAC-SHA-256>`, both base64url, good for this label only. */
export async function signViewerCookie(
  env: Pick<Env, "HUB_SECRET">,
  content: Viewer & { label: string; until: number },
): Promise<string> {
  const { userId, login, sessionId, label, until, showsMark: shows } = content;
  return signValue(env, "viewer-cookie", [userId, login, sessionId, label, until, shows]);
}

/** What a viewer cookie says: it may be believed until `until`, milliseconds since the epoch. */
export interface ViewerProof {
  viewer: Viewer;
  until: number;
  /** Where it is not, the caller asks `findLiveViewer` and issues a new one. */
  fresh: boolean;
}

const proven = new ProvenCookies();

/** Reads a viewer cookie presented at `label`; null where it is forged, of another label or from the future. */
export async function readViewerCookie(
  env: Pick<Env, "HUB_SECRET">,
  label: string,
  value: string,
  now: number = Date.now(),
): Promise<ViewerProof | null> {
  if (value.length > MAX_COOKIE_LENGTH) return null;
  const known = proven.recall(env.HUB_SECRET, label, value, now);
  // A clock that was set back makes it one from the future, too.
  if (known !== undefined && !isFromFuture(known.until, now)) return known;
  const content = parseContent(await readSignedValue(env, "viewer-cookie", value));
  if (content === null || content.label !== label || isFromFuture(content.until, now)) return null;
  const { label: _, until, ...viewer } = content;
  const proof = { viewer, until, fresh: now < until };
  if (proof.fresh) proven.remember(env.HUB_SECRET, label, value, proof);
  return proof;
}

function isFromFuture(until: number, now: number): boolean {
  return until > now + ACCESS_MS + CLOCK_SKEW_MS;
}

/** It was signed by us, so its shape is known; null only if it is forged or an older version of the hub signed another. */
function parseContent(value: unknown): (Viewer & { label: string; until: number }) | null {
  if (!Array.isArray(value)) return null;
  // Cookies of earlier hubs end with `until`.
  const [userId, login, sessionId, label, until, shows = true] = value as unknown[];
  if (typeof userId !== "string" || typeof login !== "string" || typeof sessionId !== "string") return null;
  if (typeof label !== "string" || typeof until !== "number") return null;
  return { userId, login, sessionId, label, until, showsMark: shows !== false };
}
