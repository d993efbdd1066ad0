import { sha256 } from "../secrets.ts";
import type { AdmissionColumns } from "./users.ts";

/** A sign-in joined with its person and their admission; times are milliseconds since the epoch. */
export interface SessionRow extends AdmissionColumns {
  id: string;
  user_id: string;
  login: string;
  name: string;
  /** Of the secret the browser has now, and of the one before. */
  secret_hash: string;
  previous_hash: string | null;
  rotated_at: number;
  last_used_at: number;
  /** The absolute end. */
  expires_at: number;
}

/** What a person sees of a sign-in of theirs. */
export interface ListedSession {
  id: string;
  user_agent: string;
  ip: string | null;
  place: string | null;
  created_at: number;
  last_used_at: number;
}

const MAX_USER_AGENT = 300;

/** Stores a new sign-in; only the hash of `secret` is kept. */
export async function createSession(
  db: D1Database,
  session: {
    id: string;
    secret: string;
    userId: string;
    userAgent: string;
    ip: string | null;
    place: string | null;
    now: number;
    expiresAt: number;
  },
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO sessions
         (id, secret_hash, user_id, user_agent, ip, place, rotated_at, created_at, last_used_at, expires_at)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?7, ?8)`,
    )
    .bind(
      session.id,
      await sha256(session.secret),
      session.userId,
      session.userAgent.slice(0, MAX_USER_AGENT),
      session.ip,
      session.place,
      session.now,
      session.expiresAt,
    )
    .run();
}

/** The session with this id, whether or not it is still good. */
export function findSession(db: D1Database, id: string): Promise<SessionRow | null> {
  return db
    .prepare(
      `SELECT s.id, s.user_id, u.login, u.name, s.secret_hash, s.previous_hash, s.rotated_at, s.last_used_at,
         s.expires_at, a.allowed, a.checked_at, a.role
       FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN admissions a ON a.user_id = s.user_id
       WHERE s.id = ?`,
    )
    .bind(id)
    .first<SessionRow>();
}

/**
 * Gives a session a new secret; false where it has ended or another request was faster. `from` is the hash it is known to
 * have, `previous` the hash that was presented, `to` the new one.
 */
export async function rotateSession(
  db: D1Database,
  rotation: {
    id: string;
    from: string;
    previous: string;
    to: string;
    now: number;
    ip: string | null;
    place: string | null;
  },
): Promise<boolean> {
  const { id, from, previous, to, now, ip, place } = rotation;
  const { meta } = await db
    .prepare(
      `UPDATE sessions
       SET secret_hash = ?3, previous_hash = ?4, rotated_at = ?5, last_used_at = ?5, ip = ?6, place = ?7
       WHERE id = ?1 AND secret_hash = ?2`,
    )
    .bind(id, from, to, previous, now, ip, place)
    .run();
  return meta.changes > 0;
}

/** Takes the secret before the current one for nothing from now on. */
export async function forgetPreviousSecret(db: D1Database, id: string, previousHash: string): Promise<void> {
  await db
    .prepare("UPDATE sessions SET previous_hash = NULL WHERE id = ? AND previous_hash = ?")
    .bind(id, previousHash)
    .run();
}

export async function touchSession(db: D1Database, id: string, now: number): Promise<void> {
  await db.prepare("UPDATE sessions SET last_used_at = ? WHERE id = ?").bind(now, id).run();
}

/** A person's sign-ins that have not expired, the last used one first. */
export async function listSessions(
  db: D1Database,
  userId: string,
  { now, idleSince }: { now: number; idleSince: number },
): Promise<ListedSession[]> {
  const { results } = await db
    .prepare(
      `SELECT id, user_agent, ip, place, created_at, last_used_at FROM sessions
       WHERE user_id = ? AND expires_at > ? AND last_used_at > ? ORDER BY last_used_at DESC, id`,
    )
    .bind(userId, now, idleSince)
    .all<ListedSession>();
  return results;
}

/** Removes these sign-ins of a person and returns the ids of those there were. */
export async function deleteSessions(
  db: D1Database,
  userId: string,
  ids: readonly string[],
): Promise<string[]> {
  const { results } = await db
    .prepare("DELETE FROM sessions WHERE user_id = ? AND id IN (SELECT value FROM json_each(?)) RETURNING id")
    .bind(userId, JSON.stringify(ids))
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** Removes every sign-in of a person and returns their ids. */
export async function deleteAllSessions(db: D1Database, userId: string): Promise<string[]> {
  const { results } = await db
    .prepare("DELETE FROM sessions WHERE user_id = ? RETURNING id")
    .bind(userId)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** Removes sign-ins past their absolute end or not used since `idleSince`. */
export async function deleteExpiredSessions(db: D1Database, now: number, idleSince: number): Promise<void> {
  await db
    .prepare("DELETE FROM sessions WHERE expires_at <= ? OR last_used_at <= ?")
    .bind(now, idleSince)
    .run();
}
