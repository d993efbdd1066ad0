/**
 * Sign-ins at the hub: a random secret in a `__Host-` cookie, its hash in D1. A session ends when nobody used it for
 * `IDLE_MS`, and in any case after `ABSOLUTE_MS`.
 */
import type { Env } from "../env.ts";
import {
  createSession,
  deleteExpiredSessions,
  deleteSession,
  findSession,
  findSessionBySecret,
  touchSession,
  type SessionRow,
} from "../db/sessions.ts";
import { randomSecret } from "../secrets.ts";
import { readCookie, serializeCookie } from "./cookies.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
export const IDLE_MS = 14 * DAY_MS;
export const ABSOLUTE_MS = 60 * DAY_MS;
/** Cookies that are read without a database are believed for as long after they were issued. */
export const ACCESS_MS = 5 * 60 * 1000;
/** `last_used_at` is written at most once in this time, so that reading pages costs no writes. */
const TOUCH_MS = 5 * 60 * 1000;

/** Every cookie of the hub's own begins so; ingress keeps such cookies from instances. */
export const HUB_COOKIE_PREFIX = "__Host-orchestrator-";
export const SESSION_COOKIE = `${HUB_COOKIE_PREFIX}session`;

/** Who is signed in, and by which sign-in. */
export interface Session {
  id: string;
  userId: string;
  login: string;
  name: string;
}

/** The session behind a request's cookie, or null. */
export async function currentSession(
  request: Request,
  env: Pick<Env, "DB">,
  now: number = Date.now(),
): Promise<Session | null> {
  const secret = readCookie(request, SESSION_COOKIE);
  if (secret === undefined) return null;
  return keepAlive(env.DB, await findSessionBySecret(env.DB, secret), now);
}

/** True while this sign-in of this person has neither ended nor expired. */
export async function isSessionAlive(
  db: D1Database,
  sessionId: string,
  userId: string,
  now: number = Date.now(),
): Promise<boolean> {
  return (await findLiveSession(db, { sessionId, userId }, now)) !== null;
}

/** As `isSessionAlive`, and says whose it is. */
export async function findLiveSession(
  db: D1Database,
  session: { sessionId: string; userId: string },
  now: number = Date.now(),
): Promise<Session | null> {
  return keepAlive(db, await findSession(db, session.sessionId, session.userId), now);
}

/**
 * Signs a person in: ends the session the browser had, makes a new one (so a planted cookie gains nothing), and
 * returns its `Set-Cookie`.
 */
export async function signIn(
  request: Request,
  env: Pick<Env, "DB">,
  userId: string,
  now: number = Date.now(),
): Promise<string> {
  const previous = await currentSession(request, env, now);
  if (previous !== null) await deleteSession(env.DB, previous.id);
  await deleteExpiredSessions(env.DB, now, now - IDLE_MS);
  const secret = randomSecret();
  const userAgent = request.headers.get("user-agent") ?? "";
  await createSession(env.DB, {
    id: randomSecret(12),
    secret,
    userId,
    userAgent,
    now,
    expiresAt: now + ABSOLUTE_MS,
  });
  return serializeCookie(SESSION_COOKIE, secret, ABSOLUTE_MS / 1000);
}

/** Ends a sign-in and returns the `Set-Cookie` that removes it from the browser. */
export async function signOut(env: Pick<Env, "DB">, session: Session): Promise<string> {
  await deleteSession(env.DB, session.id);
  return serializeCookie(SESSION_COOKIE, "", 0);
}

async function keepAlive(db: D1Database, row: SessionRow | null, now: number): Promise<Session | null> {
  if (row === null || row.expires_at <= now || row.last_used_at + IDLE_MS <= now) return null;
  if (row.last_used_at + TOUCH_MS <= now) await touchSession(db, row.id, now);
  return { id: row.id, userId: row.user_id, login: row.login, name: row.name };
}
