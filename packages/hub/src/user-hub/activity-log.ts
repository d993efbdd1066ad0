/** What happened to a person's instances, in the SQLite of their UserHub: one row for each entry, nothing else written. */
import type { ActivityEntry, Happening } from "../activity.ts";
import { instanceTitle, type Instance } from "../instance.ts";

/** Ids are milliseconds times this, plus a count within the millisecond. */
const IDS_PER_MS = 1000;

export class ActivityLog {
  readonly #sql: SqlStorage;
  #lastId = 0;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
  }

  /** Notes what has happened to an instance, at `at` milliseconds since the epoch. */
  record(instance: Instance, happening: Happening, at: number): void {
    const id = this.#nextId(at);
    const entry: ActivityEntry = {
      id,
      at,
      label: instance.label,
      title: instanceTitle(instance),
      ...happening,
    };
    this.#sql.exec("INSERT INTO activity (id, entry) VALUES (?, ?)", id, JSON.stringify(entry));
  }

  /** Newest first, those older than the entry `before`. */
  list(before: number, limit: number): ActivityEntry[] {
    return this.#sql
      .exec<{ entry: string }>(
        "SELECT entry FROM activity WHERE id < ? ORDER BY id DESC LIMIT ?",
        before,
        limit,
      )
      .toArray()
      .map(({ entry }) => JSON.parse(entry) as ActivityEntry);
  }

  /** Later than every other, though the clock were set back. */
  #nextId(at: number): number {
    if (this.#lastId === 0) {
      const [row] = this.#sql.exec<{ id: number | null }>("SELECT max(id) AS id FROM activity").toArray();
      this.#lastId = row?.id ?? 0;
    }
    this.#lastId = Math.max(this.#lastId + 1, at * IDS_PER_MS);
    return this.#lastId;
  }
}
