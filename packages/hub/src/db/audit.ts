import type { AuditAction, AuditEvent } from "../audit.ts";
import { log } from "../log.ts";

const MAX_TEXT = 300;

/** What is older than this is forgotten. */
export const AUDIT_RETENTION_MS = 400 * 24 * 60 * 60 * 1000;
/** One entry in so many removes what is too old: seldom enough to cost nothing, often enough for nothing to pile up. */
const SWEEP_EVERY = 100;

/** A line of the audit log; `at` is in milliseconds since the epoch. */
export interface AuditRow {
  /** Grows with time; where a page of the log goes on. */
  id: number;
  at: number;
  /** One of `AUDIT_ACTIONS`, or a word of an older version of the hub. */
  action: string;
  user_id: string | null;
  login: string | null;
  subject: string | null;
  reason: string | null;
  ip: string | null;
  place: string | null;
}

export interface AuditFilter {
  action?: AuditAction | undefined;
  /** A login or a user's id, whole. */
  person?: string | undefined;
  /** Only entries with a lower id. */
  before?: number | undefined;
}

/** Adds a line to the audit log, and says so in the hub's own. */
export async function recordAudit(
  db: D1Database,
  event: AuditEvent,
  now: number = Date.now(),
): Promise<void> {
  const { meta } = await db
    .prepare(
      `INSERT INTO audit_log (at, action, user_id, login, subject, reason, ip, place)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(
      now,
      event.action,
      event.userId,
      event.login,
      event.subject?.slice(0, MAX_TEXT) ?? null,
      event.reason?.slice(0, MAX_TEXT) ?? null,
      event.from.ip,
      event.from.place,
    )
    .run();
  log(event.action, { userId: event.userId, reason: event.reason });
  if (meta.last_row_id % SWEEP_EVERY === 0) await deleteAuditBefore(db, now - AUDIT_RETENTION_MS);
}

/** The newest `limit` entries that the filter lets through, newest first. */
export async function listAudit(db: D1Database, filter: AuditFilter, limit: number): Promise<AuditRow[]> {
  const { results } = await db
    .prepare(
      `SELECT id, at, action, user_id, login, subject, reason, ip, place FROM audit_log
       WHERE (?1 IS NULL OR action = ?1)
         AND (?2 IS NULL OR user_id = ?2 OR login = ?2 COLLATE NOCASE)
         AND (?3 IS NULL OR id < ?3)
       ORDER BY id DESC LIMIT ?4`,
    )
    .bind(filter.action ?? null, filter.person ?? null, filter.before ?? null, limit)
    .all<AuditRow>();
  return results;
}

async function deleteAuditBefore(db: D1Database, at: number): Promise<void> {
  await db.prepare("DELETE FROM audit_log WHERE at < ?").bind(at).run();
}
