/**
 * Sign-ins at the hub. The session cookie holds `<id>.<secret>`; D1 keeps the secret's hash and that of the one before.
 * Each refresh, `ACCESS_MS` apart, gives the browser a new secret, so a copied cookie betrays itself: one of the two who
 * have it comes with a secret that was replaced, and the sign-in ends for both. A session ends when nobody used it for
 * `IDLE_MS`, and in any case after `ABSOLUTE_MS`.
 */
import { recordAudit } from "../db/audit.ts";
import {
  createSession,
  deleteAllSessions,
  deleteExpiredSessions,
  deleteSessions,
  findSession,
  forgetPreviousSecret,
  rotateSession,
  touchSession,
  type SessionRow,
} from "../db/sessions.ts";
import { findPerson, type AdmissionColumns } from "../db/users.ts";
import type { Env } from "../env.ts";
import { HubError } from "../errors.ts";
import { equalInConstantTime, randomSecret, sha256 } from "../secrets.ts";
import { ACCESS_COOKIE, ACCESS_MS, accessCookie, readAccessCookie, type Session } from "./access-cookie.ts";
import { ASK_EVERY_MS, isAdmissionCurrent, membershipMaxAgeMs, type KnownAdmission } from "./admission.ts";
import { HUB_COOKIE_PREFIX, readCookie, serializeCookie } from "./cookies.ts";
import { isLocalHub, LOCAL_USER } from "./local.ts";
import type { Role } from "./policy.ts";
import { placeOf } from "./request-place.ts";
import { isUpgrade } from "./request-source.ts";

export { ACCESS_MS, HUB_COOKIE_PREFIX, type Session };

const DAY_MS = 24 * 60 * 60 * 1000;
export const IDLE_MS = 14 * DAY_MS;
export const ABSOLUTE_MS = 60 * DAY_MS;
/** Requests on their way when the secret was replaced still come with the one before. */
const OVERLAP_MS = 60_000;

export const SESSION_COOKIE = `${HUB_COOKIE_PREFIX}session`;
const SESSION_COOKIE_SHAPE = /^([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})$/;
/** Bytes of an id; the shape above has its length in base64url. */
const ID_BYTES = 12;

/** What a request proves, and the `Set-Cookie` values its answer must carry. */
export interface Proven {
  session: Session;
  cookies: string[];
}

/**
 * Who is signed in, or null. With proof `cookie` a fresh access cookie is enough; with `database` D1 is asked each time.
 * Where the access cookie is not fresh, it and the session's secret are issued anew, but for upgrades: browsers
 * may not take cookies from their answers.
 */
export async function proveSession(
  request: Request,
  env: Env,
  proof: "cookie" | "database",
  now: number = Date.now(),
): Promise<Proven | null> {
  const access = await readAccessCookie(request, env, now);
  if (proof === "cookie" && access !== null) return { session: access, cookies: [] };
  const found = await findPresented(request, env, now);
  if (found === null) return null;
  const session = await toSession(env, found.row, now);
  if (session === null) return null;
  if (access?.id !== session.id && !isUpgrade(request))
    return { session, cookies: await refresh(request, env, { ...found, session }, now) };
  await noteArrival(env, found, now);
  return { session, cookies: [] };
}

/** The session behind a request's cookies, asked of D1 and left as it is, or null. */
export async function currentSession(
  request: Request,
  env: Env,
  now: number = Date.now(),
): Promise<Session | null> {
  const found = await findPresented(request, env, now);
  return found === null ? null : toSession(env, found.row, now);
}

/** This sign-in of this person, unless it has ended or expired or the person is not admitted any more. Counts as its use. */
export async function findLiveSession(
  env: Env,
  { sessionId, userId }: { sessionId: string; userId: string },
  now: number = Date.now(),
): Promise<Session | null> {
  const row = await findSession(env.DB, sessionId);
  if (row === null || row.user_id !== userId || isExpired(row, now)) return null;
  const session = await toSession(env, row, now);
  if (session !== null && row.last_used_at + ACCESS_MS <= now) await touchSession(env.DB, row.id, now);
  return session;
}

/**
 * Signs an admitted person in: ends the session the browser had, makes a new one (so a planted cookie gains nothing), and
 * returns its `Set-Cookie` values. Writing it into the audit log is the caller's. Throws `not_admitted`.
 */
export async function signIn(
  request: Request,
  env: Env,
  userId: string,
  now: number = Date.now(),
): Promise<string[]> {
  const person = await findPerson(env.DB, userId);
  const admitted = person === null ? null : await findAdmitted(env, userId, knownAdmission(person), now);
  if (person === null || admitted === null) throw new HubError("not_admitted");
  const former = await findPresented(request, env, now);
  if (former !== null) await endSessions(env, former.row.user_id, [former.row.id]);
  await deleteExpiredSessions(env.DB, now, now - IDLE_MS);
  const [id, secret] = [randomSecret(ID_BYTES), randomSecret()];
  const expiresAt = now + ABSOLUTE_MS;
  const userAgent = request.headers.get("user-agent") ?? "";
  await createSession(env.DB, { id, secret, userId, userAgent, ...placeOf(request), now, expiresAt });
  const session = { id, userId, login: person.login, name: person.name, ...admitted };
  return [sessionCookie({ id, secret, expiresAt }, now), await accessCookie(env, session)];
}

/** Ends a sign-in and returns the `Set-Cookie` values that remove it from the browser. */
export async function signOut(env: Env, session: Session): Promise<string[]> {
  await endSessions(env, session.userId, [session.id]);
  return removalCookies();
}

/** The `Set-Cookie` values that remove a sign-in from a browser. */
export function removalCookies(): string[] {
  return [serializeCookie(SESSION_COOKIE, "", 0), serializeCookie(ACCESS_COOKIE, "", 0)];
}

/** Ends these sign-ins of a person and closes what they have open, here and at instances; returns those there were. */
export async function endSessions(env: Env, userId: string, ids: readonly string[]): Promise<string[]> {
  return closed(env, userId, await deleteSessions(env.DB, userId, ids));
}

/** As `endSessions`, for every sign-in of a person. */
export async function endAllSessions(env: Env, userId: string): Promise<string[]> {
  return closed(env, userId, await deleteAllSessions(env.DB, userId));
}

/** As what a person is admitted, and until when that may be believed without asking anybody, at most `ACCESS_MS`. */
export interface Admitted {
  role: Role;
  until: number;
}

/**
 * As what a person is admitted now, or null; asks GitHub again, by their UserHub, where what is known is too old.
 * `known`: what D1 remembers, null where GitHub was never asked.
 */
export async function findAdmitted(
  env: Env,
  userId: string,
  known: (KnownAdmission & { role: Role }) | null,
  now: number,
): Promise<Admitted | null> {
  const latest = now + ACCESS_MS;
  if (userId === LOCAL_USER.id) return isLocalHub(env) ? { role: "admin", until: latest } : null;
  const maxAgeMs = membershipMaxAgeMs(env);
  if (known !== null && isAdmissionCurrent(known, env, now))
    return { role: known.role, until: Math.min(latest, known.checkedAt + maxAgeMs) };
  const admission = await env.USER_HUB.getByName(userId).admission();
  // How old GitHub's answer is now, D1 tells the next time.
  const until = now + Math.min(ASK_EVERY_MS, maxAgeMs);
  return admission.admitted ? { role: admission.role, until } : null;
}

/** What a row remembers of its person's admission; null where GitHub was never asked. */
export function knownAdmission(row: AdmissionColumns): (KnownAdmission & { role: Role }) | null {
  const { allowed, checked_at: checkedAt, role } = row;
  return allowed === null || checkedAt === null || role === null
    ? null
    : { allowed: allowed === 1, checkedAt, role };
}

async function closed(env: Env, userId: string, ids: string[]): Promise<string[]> {
  // Again where that fails, as when a new version has just been deployed: with their rows gone, nobody else would say so.
  const tell = () => env.USER_HUB.getByName(userId).sessionsEnded(ids);
  if (ids.length > 0) await tell().catch(tell);
  return ids;
}

interface Presented {
  row: SessionRow;
  /** Hash of the secret that was presented: the current one or the one before. */
  hash: string;
}

/** The session whose secret the request has; one whose secret it only had is ended on the way. */
async function findPresented(request: Request, env: Env, now: number): Promise<Presented | null> {
  const [, id, secret] = SESSION_COOKIE_SHAPE.exec(readCookie(request, SESSION_COOKIE) ?? "") ?? [];
  if (id === undefined || secret === undefined) return null;
  const row = await findSession(env.DB, id);
  if (row === null || isExpired(row, now)) return null;
  const hash = await sha256(secret);
  const isKnown =
    equalInConstantTime(hash, row.secret_hash) || equalInConstantTime(hash, row.previous_hash ?? "");
  if (isKnown) return { row, hash };
  await endReused(request, env, row, now);
  return null;
}

/** Somebody has a copy, and nobody can tell who of the two is the thief. */
async function endReused(request: Request, env: Env, row: SessionRow, now: number): Promise<void> {
  const ended = await endSessions(env, row.user_id, [row.id]);
  if (ended.length === 0) return;
  const { user_id: userId, login } = row;
  const from = placeOf(request);
  await recordAudit(
    env.DB,
    { action: "session_reused", userId, login, subject: row.id, reason: null, from },
    now,
  );
}

/**
 * A new access cookie and a new secret. No new secret where the one before was presented: a moment after the rotation another
 * tab of the browser has the new one; later its answer was lost, and so it is replaced after all.
 */
async function refresh(
  request: Request,
  env: Env,
  { row, hash, session }: Presented & { session: Session },
  now: number,
): Promise<string[]> {
  const access = await accessCookie(env, session);
  if (hash !== row.secret_hash && now < row.rotated_at + OVERLAP_MS) return [access];
  const secret = randomSecret();
  const rotation = { id: row.id, from: row.secret_hash, previous: hash, to: await sha256(secret), now };
  const isRotated = await rotateSession(env.DB, { ...rotation, ...placeOf(request) });
  if (!isRotated) return [access];
  return [sessionCookie({ id: row.id, secret, expiresAt: row.expires_at }, now), access];
}

/** The browser has the secret it was last given: whoever still comes with the one before, some time later, is somebody else. */
async function noteArrival(env: Env, { row, hash }: Presented, now: number): Promise<void> {
  if (hash !== row.secret_hash || row.previous_hash === null || now < row.rotated_at + OVERLAP_MS) return;
  await forgetPreviousSecret(env.DB, row.id, row.previous_hash);
}

function sessionCookie(session: { id: string; secret: string; expiresAt: number }, now: number): string {
  const maxAgeSeconds = Math.floor((session.expiresAt - now) / 1000);
  return serializeCookie(SESSION_COOKIE, `${session.id}.${session.secret}`, maxAgeSeconds);
}

function isExpired(row: SessionRow, now: number): boolean {
  return row.expires_at <= now || row.last_used_at + IDLE_MS <= now;
}

async function toSession(env: Env, row: SessionRow, now: number): Promise<Session | null> {
  const admitted = await findAdmitted(env, row.user_id, knownAdmission(row), now);
  if (admitted === null) return null;
  return { id: row.id, userId: row.user_id, login: row.login, name: row.name, ...admitted };
}
