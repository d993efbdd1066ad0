/** Activity in the SQLite of a UserHub: one row for each entry, and one for each file of older entries in the archive. */
import type { ActivityEntry } from "../activity.ts";

/** Ids are milliseconds times this, plus a count within the millisecond. */
const IDS_PER_MS = 1000;
const DAY_MS = 24 * 60 * 60_000;

/** A file of entries in the archive. Everything in it is older than what is in rows; files do not overlap. */
export interface ActivityFile {
  firstId: number;
  lastId: number;
  key: string;
}

export class ActivityRows {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  #lastId: number | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
  }

  add(entry: ActivityEntry): void {
    this.#sql.exec("INSERT INTO activity (id, entry) VALUES (?, ?)", entry.id, JSON.stringify(entry));
  }

  /** For an entry of `at`: later than every other, though the clock were set back. */
  nextId(at: number): number {
    const last = this.#lastId ?? this.#number("SELECT max(id) AS n FROM activity") ?? this.#lastArchivedId();
    this.#lastId = Math.max((last ?? 0) + 1, idAt(at));
    return this.#lastId;
  }

  /** The newest first, read as they are asked for: up to `limit` that are older than the one with the id `before`. */
  *older(before: number, limit: number): Generator<ActivityEntry> {
    const query = "SELECT entry FROM activity WHERE id < ? ORDER BY id DESC LIMIT ?";
    for (const { entry } of this.#sql.exec<{ entry: string }>(query, before, limit))
      yield JSON.parse(entry) as ActivityEntry;
  }

  hasOlder(before: number): boolean {
    return (this.oldestId() ?? before) < before || this.fileBefore(before) !== undefined;
  }

  oldestId(): number | undefined {
    return this.#number("SELECT min(id) AS n FROM activity");
  }

  /** Reads every row: not for every entry. */
  count(): number {
    return this.#number("SELECT count(*) AS n FROM activity") ?? 0;
  }

  /** The oldest entries, as lines, of one day and at most `limit`: the same ones until they are deleted. Null where there are none. */
  oldestOfOneDay(limit: number): { day: string; firstId: number; lastId: number; lines: string[] } | null {
    const firstId = this.oldestId();
    if (firstId === undefined) return null;
    const dayStart = Math.floor(timeOf(firstId) / DAY_MS) * DAY_MS;
    const rows = this.#sql
      .exec<{ id: number; entry: string }>(
        "SELECT id, entry FROM activity WHERE id < ? ORDER BY id LIMIT ?",
        idAt(dayStart + DAY_MS),
        limit,
      )
      .toArray();
    const day = new Date(dayStart).toISOString().slice(0, 10);
    return { day, firstId, lastId: rows.at(-1)?.id ?? firstId, lines: rows.map(({ entry }) => entry) };
  }

  /** The entries of this file are in the archive; their rows go. */
  archived({ firstId, lastId, key }: ActivityFile): void {
    this.#storage.transactionSync(() => {
      this.#sql.exec(
        "INSERT INTO activity_archives (first_id, last_id, key) VALUES (?, ?, ?)",
        firstId,
        lastId,
        key,
      );
      this.#sql.exec("DELETE FROM activity WHERE id <= ?", lastId);
    });
  }

  dropOldest(count: number): void {
    this.#sql.exec(
      "DELETE FROM activity WHERE id IN (SELECT id FROM activity ORDER BY id LIMIT ?)",
      Math.max(0, count),
    );
  }

  /** The newest file with entries older than the one with this id. */
  fileBefore(id: number): ActivityFile | undefined {
    return this.#files("WHERE first_id < ? ORDER BY first_id DESC LIMIT 1", id)[0];
  }

  /** Files of nothing but entries from before `at`, the oldest first. */
  filesUntil(at: number, limit: number): ActivityFile[] {
    return this.#files("WHERE last_id < ? ORDER BY first_id LIMIT ?", idAt(at), limit);
  }

  forgetFiles(files: readonly ActivityFile[]): void {
    for (const { firstId } of files)
      this.#sql.exec("DELETE FROM activity_archives WHERE first_id = ?", firstId);
  }

  #lastArchivedId(): number | undefined {
    return this.#number("SELECT max(last_id) AS n FROM activity_archives");
  }

  #files(where: string, ...bindings: number[]): ActivityFile[] {
    return this.#sql
      .exec<{ first_id: number; last_id: number; key: string }>(
        `SELECT first_id, last_id, key FROM activity_archives ${where}`,
        ...bindings,
      )
      .toArray()
      .map((row) => ({ firstId: row.first_id, lastId: row.last_id, key: row.key }));
  }

  #number(query: string): number | undefined {
    return this.#sql.exec<{ n: number | null }>(query).one().n ?? undefined;
  }
}

/** The first id of a millisecond. */
export function idAt(at: number): number {
  return Math.floor(at) * IDS_PER_MS;
}

/** When an entry with this id was recorded, roughly; milliseconds since the epoch. */
function timeOf(id: number): number {
  return Math.floor(id / IDS_PER_MS);
}
