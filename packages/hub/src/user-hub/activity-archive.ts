/**
 * Activity of past days, in R2: lines of JSON, compressed, a file for each day or part of it. Which entries a file begins with says
 * which it holds, so putting it again is putting it once; rows go in the same transaction that notes the file, so no entry is lost or
 * there twice. Everything happens when an entry is written: nobody is woken for it.
 */
import type { ActivityEntry } from "../activity.ts";
import { log } from "../log.ts";
import { idAt, type ActivityFile, type ActivityRows } from "./activity-rows.ts";
import { withPatience } from "./patience.ts";

const DAY_MS = 24 * 60 * 60_000;

export const ARCHIVE_LIMITS = {
  /** More rows than this, and the oldest go to the archive whatever their day. */
  rows: 5000,
  /** More rows than this, because the archive is away, and the oldest are lost. */
  mostRows: 50_000,
  /** Entries in one file: at 8 KB each the object can hold them several times. */
  fileEntries: 1000,
  /** Entries between two counts of the rows, because counting reads them all. */
  countEvery: 100,
};

/** Milliseconds from a failure to the next try. */
const RETRY_MS = 10 * 60_000;
const KEPT_DAYS = 400;
/** Files deleted at a time. */
const DELETE_AT_ONCE = 100;
const PUT_PATIENCE_MS = 30_000;
const READ_PATIENCE_MS = 5000;

/** In the object's storage: not to be tried again before, milliseconds since the epoch. */
const RETRY_AT = "activity_archive_retry_at";

/** What is needed of an R2 bucket. */
export interface ArchiveBucket {
  put: (key: string, value: ArrayBuffer) => Promise<unknown>;
  get: (key: string) => Promise<Pick<R2ObjectBody, "body"> | null>;
  delete: (keys: string[]) => Promise<void>;
}

export interface ArchivePlace {
  ctx: Pick<DurableObjectState, "storage" | "waitUntil">;
  env: () => { ARCHIVE: ArchiveBucket };
  /** The user's id. */
  owner: () => string;
}

export class ActivityArchive {
  readonly #place: ArchivePlace;
  readonly #rows: ActivityRows;
  readonly #limits: typeof ARCHIVE_LIMITS;
  #untilCount: number;
  #isRunning = false;

  constructor(place: ArchivePlace, rows: ActivityRows, limits = ARCHIVE_LIMITS) {
    this.#place = place;
    this.#rows = rows;
    this.#limits = limits;
    // By chance, so that an object that is evicted often counts as often as one that is not.
    this.#untilCount = Math.floor(Math.random() * limits.countEvery);
  }

  /** An entry was written: archives what is due, in the background. */
  tend(now: number): void {
    const count = this.#untilCount-- > 0 ? 0 : this.#rows.count();
    if (count > 0) this.#untilCount = this.#limits.countEvery;
    if (count > this.#limits.mostRows) this.#drop(count - this.#limits.mostRows);
    const isDue = count > this.#limits.rows || this.#hasPastDays(now);
    if (!isDue || this.#isRunning || now < this.#retryAt(now)) return;
    this.#isRunning = true;
    this.#place.ctx.waitUntil(this.#run(now, count > this.#limits.rows));
  }

  /** The entries of a file, the oldest first; null where it cannot be read. */
  async read(file: ActivityFile): Promise<ActivityEntry[] | null> {
    try {
      const reading = this.#read(file);
      const entries = await withPatience(reading, READ_PATIENCE_MS, null);
      if (entries === null) throw new Error("it took too long");
      return entries;
    } catch (error) {
      log("archive_unreadable", { file: file.key, error });
      return null;
    }
  }

  async #read({ key, firstId, lastId }: ActivityFile): Promise<ActivityEntry[]> {
    const object = await this.#place.env().ARCHIVE.get(key);
    if (object === null) throw new Error("it is not there");
    const text = await new Response(object.body.pipeThrough(new DecompressionStream("gzip"))).text();
    const entries = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as ActivityEntry);
    if (entries[0]?.id !== firstId || entries.at(-1)?.id !== lastId)
      throw new Error("it holds other entries than were put into it");
    return entries;
  }

  async #run(now: number, isFull: boolean): Promise<void> {
    try {
      while (this.#hasPastDays(now) || (isFull && this.#rows.count() > this.#limits.rows))
        await this.#moveOldest();
      await this.#deleteOld(now);
    } catch (error) {
      log("archive_failed", { userId: this.#place.owner(), error });
      this.#place.ctx.storage.kv.put(RETRY_AT, now + RETRY_MS);
    } finally {
      this.#isRunning = false;
    }
  }

  async #moveOldest(): Promise<void> {
    const oldest = this.#rows.oldestOfOneDay(this.#limits.fileEntries);
    if (oldest === null) return;
    const { day, firstId, lastId, lines } = oldest;
    const key = `activity/${this.#place.owner()}/${day}/${firstId}.jsonl.gz`;
    const put = this.#place.env().ARCHIVE.put(key, await compressed(lines));
    if ((await withPatience(put, PUT_PATIENCE_MS, "late")) === "late") throw new Error("it took too long");
    this.#rows.archived({ firstId, lastId, key });
  }

  /** The files first: a row whose file is gone already is harmless, and goes the next time. */
  async #deleteOld(now: number): Promise<void> {
    const files = this.#rows.filesUntil(now - KEPT_DAYS * DAY_MS, DELETE_AT_ONCE);
    if (files.length === 0) return;
    await this.#place.env().ARCHIVE.delete(files.map(({ key }) => key));
    this.#rows.forgetFiles(files);
  }

  /** True where there are entries of days before yesterday, of which the clock will bring no more. */
  #hasPastDays(now: number): boolean {
    const yesterday = (Math.floor(now / DAY_MS) - 1) * DAY_MS;
    return (this.#rows.oldestId() ?? Number.MAX_SAFE_INTEGER) < idAt(yesterday);
  }

  /** A time later than the clock allows was kept before it was set back. */
  #retryAt(now: number): number {
    const at = this.#place.ctx.storage.kv.get<number>(RETRY_AT) ?? 0;
    return at > now + RETRY_MS ? 0 : at;
  }

  #drop(count: number): void {
    log("activity_dropped", { userId: this.#place.owner(), count });
    this.#rows.dropOldest(count);
  }
}

async function compressed(lines: readonly string[]): Promise<ArrayBuffer> {
  const text = new Blob(lines.map((line) => `${line}\n`)).stream();
  return new Response(text.pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
}
