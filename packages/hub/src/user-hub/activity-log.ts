/** What happened to a person's instances: recorded in rows, moved to the archive by the day, read across both. */
import { activityMatcher, boundedEntry, type ActivityEntry, type Happening } from "../activity.ts";
import type { ActivityPage, ActivityQuery } from "../contracts.ts";
import { instanceTitle, type Instance } from "../instance.ts";
import { ActivityArchive, ARCHIVE_LIMITS, type ArchivePlace } from "./activity-archive.ts";
import { ActivityRows, idAt } from "./activity-rows.ts";

const PAGE_ENTRIES = 50;
/** What one request looks at, at most, before it says how far it came. */
const SCANNED_ROWS = 2000;
const SCANNED_FILES = 5;
/** Entries among which a recent one is looked for. */
const RECENT_ROWS = 200;

export class ActivityLog {
  readonly #rows: ActivityRows;
  readonly #archive: ActivityArchive;

  constructor(place: ArchivePlace, limits = ARCHIVE_LIMITS) {
    this.#rows = new ActivityRows(place.ctx.storage);
    this.#archive = new ActivityArchive(place, this.#rows, limits);
  }

  /** Notes what has happened to an instance, at `at` milliseconds since the epoch. One row. */
  record(instance: Instance, happening: Happening, at: number): void {
    const now = Date.now();
    // A Tunnel's clock may be ahead of this one.
    const id = this.#rows.nextId(Math.min(at, now));
    const { label } = instance;
    this.#rows.add(boundedEntry({ id, at, label, title: instanceTitle(instance), ...happening }));
    this.#archive.tend(now);
  }

  /** Whether somebody has had an instance refreshed since then. */
  hasRefreshed(label: string, since: number): boolean {
    for (const entry of this.#rows.older(Number.MAX_SAFE_INTEGER, RECENT_ROWS)) {
      if (entry.id < idAt(since)) return false;
      if (entry.label === label && entry.kind === "action" && entry.action === "refresh" && entry.at >= since)
        return true;
    }
    return false;
  }

  /** Rows are all newer than the archive, whatever moves from one to the other meanwhile. */
  async page(query: ActivityQuery): Promise<ActivityPage> {
    const found = new Found(query);
    let scanned = 0;
    let isIncomplete = false;
    // In one go: entries may move to the archive while something is awaited.
    for (const entry of this.#rows.older(found.before, SCANNED_ROWS)) {
      scanned++;
      if (found.take(entry)) break;
    }
    for (let files = 0; !found.isFull && scanned < SCANNED_ROWS && files < SCANNED_FILES; files++) {
      const file = this.#rows.fileBefore(found.before);
      if (file === undefined) break;
      const entries = await this.#archive.read(file);
      isIncomplete ||= entries === null;
      if (!entries?.toReversed().some((entry) => found.take(entry))) found.before = file.firstId;
    }
    const next = this.#rows.hasOlder(found.before) ? found.before : null;
    return { entries: found.entries, next, ...(isIncomplete ? { isIncomplete } : {}) };
  }
}

/** A page that fills, from the newest entry to the oldest. */
class Found {
  readonly entries: ActivityEntry[] = [];
  /** Everything that is not older has been looked at. */
  before: number;
  readonly #matches: (entry: ActivityEntry) => boolean;

  constructor(query: ActivityQuery) {
    this.before = query.before ?? Number.MAX_SAFE_INTEGER;
    this.#matches = activityMatcher(query);
  }

  get isFull(): boolean {
    return this.entries.length >= PAGE_ENTRIES;
  }

  /** True when the page is full. */
  take(entry: ActivityEntry): boolean {
    if (entry.id >= this.before) return false;
    this.before = entry.id;
    if (this.#matches(entry)) this.entries.push(entry);
    return this.isFull;
  }
}
