import type { AuditEvent } from "../audit.ts";

const MAX_TEXT = 300;

/** Adds a line to the audit log. */
export async function recordAudit(
  db: D1Database,
  event: AuditEvent,
  now: number = Date.now(),
): Promise<void> {
  await db
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
}
