/** Which sign-ins have gone to which instances, and which have ended while cookies of theirs may still be fresh. */
import { ABSOLUTE_MS, ACCESS_MS } from "../auth/session.ts";

/** Cookies are believed for `ACCESS_MS`; clocks may differ by a little. */
const REMEMBERED_MS = ACCESS_MS + 60_000;

export class SignIns {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
  }

  /** True where the sign-in has not been there before. */
  opened(sessionId: string, label: string, now: number): boolean {
    // One that has just ended gets no code any more, and nobody would take this out again.
    if (this.isEnded(sessionId)) return false;
    const { rowsWritten } = this.#sql.exec(
      "INSERT OR IGNORE INTO opened_instances (session_id, label, opened_at) VALUES (?, ?, ?)",
      sessionId,
      label,
      now,
    );
    return rowsWritten > 0;
  }

  isEnded(sessionId: string): boolean {
    return (
      this.#sql.exec("SELECT 1 FROM ended_sessions WHERE session_id = ?", sessionId).toArray().length > 0
    );
  }

  /** Remembers their end and returns, by label, which of them went to which instance. */
  end(sessionIds: readonly string[], now: number): Map<string, string[]> {
    this.#sql.exec("DELETE FROM ended_sessions WHERE until <= ?", now);
    // Of sign-ins that nobody ended: they have expired.
    this.#sql.exec("DELETE FROM opened_instances WHERE opened_at <= ?", now - ABSOLUTE_MS);
    const byLabel = new Map<string, string[]>();
    for (const id of sessionIds) {
      const until = now + REMEMBERED_MS;
      this.#sql.exec("INSERT OR REPLACE INTO ended_sessions (session_id, until) VALUES (?, ?)", id, until);
      for (const label of this.#takeOpened(id)) byLabel.set(label, [...(byLabel.get(label) ?? []), id]);
    }
    return byLabel;
  }

  #takeOpened(sessionId: string): string[] {
    return this.#sql
      .exec<{ label: string }>("DELETE FROM opened_instances WHERE session_id = ? RETURNING label", sessionId)
      .toArray()
      .map(({ label }) => label);
  }
}
