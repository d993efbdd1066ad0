import { sha256 } from "../secrets.ts";

/** A sign-in joined with its person; times are milliseconds since the epoch, `expires_at` is the absolute end. */
export interface SessionRow {
  id: string;
  user_id: string;
  login: string;
  name: string;
  created_at: number;
  last_used_at: number;
  expires_at: number;
}

const SELECT_SESSION = `
  SELECT s.id, s.user_id, u.login, u.name, s.created_at, s.last_used_at, s.expires_at
  FROM sessions s JOIN users u ON u.id = s.user_id`;

const MAX_USER_AGENT = 300;

/** Stores a new sign-in; only the hash of `secret` is kept. */
export async function createSession(
  db: D1Database,
  session: { id: string; secret: string; userId: string; userAgent: string; now: number; expiresAt: number },
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO sessions (id, secret_hash, user_id, user_agent, rotated_at, created_at, last_used_at, expires_at)
       VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?5, ?6)`,
    )
    .bind(
      session.id,
      await sha256(session.secret),
      session.userId,
      session.userAgent.slice(0, MAX_USER_AGENT),
      session.now,
      session.expiresAt,
    )
    .run();
}

/** The session with this secret, whether or not it is still good. */
export async function findSessionBySecret(db: D1Database, secret: string): Promise<SessionRow | null> {
  return db
    .prepare(`${SELECT_SESSION} WHERE s.secret_hash = ?`)
    .bind(await sha256(secret))
    .first<SessionRow>();
}

export function findSession(db: D1Database, id: string, userId: string): Promise<SessionRow | null> {
  return db
    .prepare(`${SELECT_SESSION} WHERE s.id = ? AND s.user_id = ?`)
    .bind(id, userId)
    .first<SessionRow>();
}

export async function touchSession(db: D1Database, id: string, now: number): Promise<void> {
  await db.prepare("UPDATE sessions SET last_used_at = ? WHERE id = ?").bind(now, id).run();
}

export async function deleteSession(db: D1Database, id: string): Promise<void> {
  await db.prepare("DELETE FROM sessions WHERE id = ?").bind(id).run();
}

/** Removes sign-ins past their absolute end or not used since `idleSince`. */
export async function deleteExpiredSessions(db: D1Database, now: number, idleSince: number): Promise<void> {
  await db
    .prepare("DELETE FROM sessions WHERE expires_at <= ? OR last_used_at <= ?")
    .bind(now, idleSince)
    .run();
}
