/** Activity of days that are over: in R2, each entry once, whatever fails. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ActivityEntry } from "../activity.ts";
import type { ActivityQuery } from "../contracts.ts";
import { connected } from "../../test/hub.ts";
import type { Instance } from "../instance.ts";
import { ARCHIVE_LIMITS, type ArchiveBucket } from "./activity-archive.ts";
import { ActivityLog } from "./activity-log.ts";
import { Registry } from "./registry.ts";
import { parseConnected } from "./parse.ts";

const DAY_MS = 24 * 60 * 60_000;
const HOUR_MS = 60 * 60_000;
const NOON = Date.UTC(2026, 10, 10, 12);

let now = NOON;
beforeEach(() => {
  now = NOON;
  vi.spyOn(Date, "now").mockImplementation(() => now);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const real: ArchiveBucket = {
  put: (key, value) => env.ARCHIVE.put(key, value),
  get: (key) => env.ARCHIVE.get(key),
  delete: (keys) => env.ARCHIVE.delete(keys),
};

/** The log of one person in an object of their own, which a test can evict and whose archive it can break. */
class Place {
  bucket: ArchiveBucket = real;
  log: ActivityLog;
  readonly sql: SqlStorage;
  readonly storage: DurableObjectStorage;
  readonly owner: string;
  readonly #instance: Instance;
  readonly #limits: typeof ARCHIVE_LIMITS;
  #pending: Promise<unknown>[] = [];

  constructor(storage: DurableObjectStorage, owner: string, limits: Partial<typeof ARCHIVE_LIMITS>) {
    this.storage = storage;
    this.sql = storage.sql;
    this.owner = owner;
    this.#limits = { ...ARCHIVE_LIMITS, ...limits };
    const registry = new Registry(storage);
    registry.connected(parseConnected(connected("one", { connectedAt: 1 })));
    const instance = registry.find("one");
    if (instance === undefined) throw new Error("no instance");
    this.#instance = instance;
    this.log = this.evict();
  }

  /** As an eviction or a crash: what was in memory is gone. */
  evict(): ActivityLog {
    const waitUntil = (promise: Promise<unknown>) => void this.#pending.push(promise);
    const ctx = { storage: this.storage, waitUntil };
    const bucket = () => ({ ARCHIVE: this.bucket });
    this.log = new ActivityLog({ ctx, env: bucket, owner: () => this.owner }, this.#limits);
    return this.log;
  }

  /** Records an action of this actor. */
  record(actor: string, at: number = now): void {
    this.log.record(this.#instance, { kind: "action", action: "open", actor }, at);
  }

  async settle(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    await Promise.all(pending);
  }

  /** Everything, page by page, the newest first. */
  async all(query: Omit<ActivityQuery, "before"> = { filter: "all" }): Promise<ActivityEntry[]> {
    const entries: ActivityEntry[] = [];
    let before: number | null | undefined;
    for (let pages = 0; before !== null; pages++) {
      if (pages > 1000) throw new Error("no end of pages");
      const page = await this.log.page({ ...query, before });
      if (page.entries.length > 50) throw new Error("a page too long");
      entries.push(...page.entries);
      before = page.next;
    }
    return entries;
  }

  count(table = "activity"): number {
    return this.sql.exec<{ n: number }>(`SELECT count(*) AS n FROM ${table}`).one().n;
  }

  async keys(): Promise<string[]> {
    const { objects } = await env.ARCHIVE.list({ prefix: `activity/${this.owner}/` });
    return objects.map(({ key }) => key);
  }
}

let places = 0;
/** Runs a test in an object of its own: storage belongs to an object. */
function inPlace(
  run: (place: Place) => Promise<void>,
  limits: Partial<typeof ARCHIVE_LIMITS> = {},
): Promise<void> {
  const owner = `archivist-${places++}`;
  return runInDurableObject(env.USER_HUB.getByName(owner), (_hub, { storage }) =>
    run(new Place(storage, owner, limits)),
  );
}

const actors = (entries: ActivityEntry[]): string[] =>
  entries.map((entry) => (entry.kind === "action" ? entry.actor : entry.kind));

const namesFrom = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `n${from + index}`);

describe("days that are over", () => {
  test("go to a file each, when the first entry two days later is written", () =>
    inPlace(async (place) => {
      for (const [index, days] of [0, 0, 1, 1, 1].entries()) {
        now = NOON + days * DAY_MS;
        place.record(`n${index}`);
      }
      place.record("n5");
      await place.settle();
      expect(await place.keys()).toEqual([]);
      now = Date.UTC(2026, 10, 12);
      place.record("n6");
      await place.settle();
      const [key = "", ...rest] = await place.keys();
      expect(rest).toEqual([]);
      expect(key).toBe(`activity/${place.owner}/2026-11-10/${NOON * 1000}.jsonl.gz`);
      expect(place.count()).toBe(5);
      const stored = await env.ARCHIVE.get(key);
      const body = stored?.body.pipeThrough(new DecompressionStream("gzip"));
      const lines = (await new Response(body).text()).split("\n");
      expect(lines.slice(0, 2).map((line) => (JSON.parse(line) as { actor: string }).actor)).toEqual([
        "n0",
        "n1",
      ]);
      expect(lines[2]).toBe("");
      expect(actors(await place.all())).toEqual(namesFrom(0, 7).toReversed());
    }));

  test("cost a row for the file and one for each entry that leaves", () =>
    inPlace(async (place) => {
      for (const name of namesFrom(0, 10)) place.record(name);
      now = NOON + 2 * DAY_MS;
      const before = place.sql.exec<{ n: number }>("SELECT total_changes() AS n").one().n;
      place.record("last");
      await place.settle();
      const after = place.sql.exec<{ n: number }>("SELECT total_changes() AS n").one().n;
      expect(after - before).toBe(1 + 1 + 10);
    }));

  test("of which nobody writes stay where they are, and nothing is written at all", () =>
    inPlace(async (place) => {
      place.record("n0");
      now = NOON + 30 * DAY_MS;
      await place.all();
      await place.settle();
      expect(place.count()).toBe(1);
      expect(await place.keys()).toEqual([]);
    }));

  test("are deleted with their files when they are older than 400 days", () =>
    inPlace(async (place) => {
      place.record("oldest");
      now = NOON + 10 * DAY_MS;
      place.record("old");
      await place.settle();
      now = NOON + 12 * DAY_MS;
      place.record("young");
      await place.settle();
      expect(await place.keys()).toHaveLength(2);
      now = Date.UTC(2026, 10, 11) + 400 * DAY_MS;
      place.record("now");
      await place.settle();
      expect(actors(await place.all())).toEqual(["now", "young", "old"]);
      expect(await place.keys()).toHaveLength(2);
      expect(place.count("activity_archives")).toBe(2);
    }));
});

describe("too many entries", () => {
  test("go to the archive, the oldest first, though their day is not over", () =>
    inPlace(
      async (place) => {
        for (const name of namesFrom(0, 45)) {
          now++;
          place.record(name);
          await place.settle();
        }
        expect(place.count()).toBeLessThanOrEqual(25);
        expect((await place.keys()).length).toBeGreaterThanOrEqual(2);
        expect(actors(await place.all())).toEqual(namesFrom(0, 45).toReversed());
      },
      { rows: 20, fileEntries: 10, countEvery: 5 },
    ));

  test("are counted now and then only, however often the object is evicted", () =>
    inPlace(
      async (place) => {
        const counts = vi.spyOn(place.sql, "exec");
        for (const name of namesFrom(0, 1000)) {
          place.record(name);
          place.evict();
        }
        const counted = counts.mock.calls.filter(([query]) => query.includes("count(*)")).length;
        // By chance 20: fewer than 2 or more than 60 are less likely than one in a million.
        expect(counted).toBeGreaterThan(1);
        expect(counted).toBeLessThan(60);
      },
      { countEvery: 50 },
    ));

  test("are lost, the oldest first, where the archive is away for too long", () =>
    inPlace(
      async (place) => {
        const error = vi.spyOn(console, "error").mockReturnValue();
        place.bucket = { ...real, put: () => Promise.reject(new Error("R2 is away")) };
        for (const name of namesFrom(0, 100)) {
          now++;
          place.record(name);
          await place.settle();
        }
        const left = place.count();
        expect(left).toBeLessThanOrEqual(44);
        expect(left).toBeGreaterThanOrEqual(40);
        expect(actors(await place.all())).toEqual(namesFrom(100 - left, left).toReversed());
        const events = error.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>);
        const dropped = events.filter(({ event }) => event === "activity_dropped");
        expect(dropped.reduce((sum, { count }) => sum + Number(count), 0)).toBe(100 - left);
        expect(events.filter(({ event }) => event === "archive_failed")).toHaveLength(1);
      },
      { rows: 20, mostRows: 40, fileEntries: 10, countEvery: 4 },
    ));
});

describe("an archive that is away", () => {
  test("leaves the rows, says so in one line, and is tried again after ten minutes, evictions or not", () =>
    inPlace(async (place) => {
      const error = vi.spyOn(console, "error").mockReturnValue();
      const put = vi.fn<ArchiveBucket["put"]>().mockRejectedValue(new Error("R2 is away"));
      place.bucket = { ...real, put };
      place.record("n0");
      now = NOON + 2 * DAY_MS;
      for (let minutes = 0; minutes < 10; minutes++) {
        now += 60_000;
        place.record(`m${minutes}`);
        await place.settle();
        place.evict();
      }
      expect(put).toHaveBeenCalledTimes(1);
      expect(place.count()).toBe(11);
      expect(error.mock.calls.map(([line]) => JSON.parse(String(line)) as unknown)).toEqual([
        { event: "archive_failed", level: "error", userId: place.owner, error: "Error: R2 is away" },
      ]);
      expect(await place.all()).toHaveLength(11);
      now += 60_000;
      place.record("again");
      await place.settle();
      expect(put).toHaveBeenCalledTimes(2);
      place.bucket = real;
      now += 10 * 60_000;
      place.record("at last");
      await place.settle();
      expect(await place.keys()).toHaveLength(1);
      expect(place.count()).toBe(12);
      expect(await place.all()).toHaveLength(13);
    }));

  test("is tried in time though the clock was set back", () =>
    inPlace(async (place) => {
      vi.spyOn(console, "error").mockReturnValue();
      place.record("n0");
      place.bucket = { ...real, put: () => Promise.reject(new Error("R2 is away")) };
      now = NOON + 100 * DAY_MS;
      place.record("n1");
      await place.settle();
      place.bucket = real;
      now = NOON + 2 * DAY_MS;
      place.record("n2");
      await place.settle();
      expect(await place.keys()).toHaveLength(1);
      expect(actors(await place.all())).toEqual(["n2", "n1", "n0"]);
    }));

  test("one run at a time moves what is due", () =>
    inPlace(async (place) => {
      const gate = Promise.withResolvers<void>();
      const put = vi.fn<ArchiveBucket["put"]>(async (...args) => {
        await gate.promise;
        return real.put(...args);
      });
      place.bucket = { ...real, put };
      place.record("n0");
      now = NOON + 2 * DAY_MS;
      for (const name of namesFrom(1, 5)) place.record(name);
      await vi.waitFor(() => expect(put).toHaveBeenCalledTimes(1));
      expect(actors(await place.all())).toEqual(namesFrom(0, 6).toReversed());
      gate.resolve();
      await place.settle();
      expect(put).toHaveBeenCalledTimes(1);
      expect(actors(await place.all())).toEqual(namesFrom(0, 6).toReversed());
    }));
});

describe("files that cannot be read", () => {
  test.each<[string, (key: string) => Promise<unknown>]>([
    ["missing", (key) => env.ARCHIVE.delete(key)],
    ["not compressed", (key) => env.ARCHIVE.put(key, "[]")],
    ["cut off", async (key) => env.ARCHIVE.put(key, (await bytesOf(key)).slice(0, -12))],
    ["no JSON", async (key) => env.ARCHIVE.put(key, await gzip("{}\n{"))],
    ["other entries", async (key) => env.ARCHIVE.put(key, await gzip('{"id":1}\n'))],
    ["more entries", async (key) => env.ARCHIVE.put(key, await gzip(`{"id":1}\n${await textOf(key)}`))],
    ["null", async (key) => env.ARCHIVE.put(key, await gzip("null\n"))],
    ["empty", (key) => env.ARCHIVE.put(key, "")],
  ])("are skipped with a line of log: %s", (_what, spoil) =>
    inPlace(async (place) => {
      const error = vi.spyOn(console, "error").mockReturnValue();
      for (let day = 0; day < 5; day++) {
        now = NOON + day * DAY_MS;
        place.record(`day ${day}`);
        await place.settle();
      }
      const [, second = ""] = await place.keys();
      await spoil(second);
      expect(await place.log.page({ filter: "all" })).toMatchObject({ next: null, isIncomplete: true });
      error.mockClear();
      expect(actors(await place.all())).toEqual(["day 4", "day 3", "day 2", "day 0"]);
      const lines = error.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>);
      expect(lines).toMatchObject([{ event: "archive_unreadable", file: second }]);
    }),
  );
});

describe("pages", () => {
  test("are of fifty, with a next one as long as there is something older", () =>
    inPlace(async (place) => {
      for (const name of namesFrom(0, 100)) place.record(name);
      const first = await place.log.page({ filter: "all" });
      expect(actors(first.entries)).toEqual(namesFrom(50, 50).toReversed());
      const second = await place.log.page({ filter: "all", before: first.next ?? 0 });
      expect(actors(second.entries)).toEqual(namesFrom(0, 50).toReversed());
      expect(second.next).toBeNull();
      expect(await place.log.page({ filter: "all", before: 0 })).toEqual({ entries: [], next: null });
    }));

  test("look at 2,000 entries and at five files, then say how far they came", () =>
    inPlace(async (place) => {
      const get = vi.fn<ArchiveBucket["get"]>(real.get);
      place.bucket = { ...real, get };
      place.record("needle");
      for (let day = 1; day <= 12; day++) {
        now = NOON + day * DAY_MS;
        place.record(`day ${day}`);
        await place.settle();
      }
      for (const name of namesFrom(0, 2000)) {
        now++;
        place.record(name);
      }
      const query = { filter: "all" as const, text: "NEEDLE" };
      const pages = [await place.log.page(query)];
      for (let next = pages[0]?.next; next; next = pages.at(-1)?.next)
        pages.push(await place.log.page({ ...query, before: next }));
      expect(pages.map(({ entries }) => actors(entries))).toEqual([[], [], [], ["needle"]]);
      expect(get).toHaveBeenCalledTimes(11);
    }));
});

/** What may happen to a log. */
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("record" as const),
      count: fc.integer({ min: 1, max: 7 }),
      lateMs: fc.nat(5000),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(14 * HOUR_MS) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("jump" as const),
      ms: fc.integer({ min: -3 * DAY_MS, max: 3 * DAY_MS }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("settle" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("evict" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("crash after put" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fail" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("read" as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Does one thing; `written` is everything that was recorded, the oldest first. */
async function take(place: Place, written: string[], what: Step): Promise<void> {
  switch (what.do) {
    case "record":
      for (const name of namesFrom(written.length, what.count)) {
        written.push(name);
        place.record(name, now - what.lateMs);
      }
      return;
    case "wait":
    case "jump":
      now += what.ms;
      return;
    case "settle":
      place.bucket = real;
      return place.settle();
    case "evict":
      // What is under way ends first: an object that crashed does nothing more.
      await place.settle();
      place.evict();
      return;
    case "crash after put":
      place.bucket = {
        ...real,
        put: async (...args) => {
          await real.put(...args);
          throw new Error("crashed");
        },
      };
      return;
    case "fail":
      place.bucket = { ...real, put: () => Promise.reject(new Error("away")) };
      return;
    case "read":
      expect(actors(await place.all())).toEqual(written.toReversed());
  }
}

test(
  "whatever happens in ten days, pages hold everything that was recorded, each once and in order",
  {
    timeout: 60_000,
  },
  async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const files: number[] = [];
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 150 }), (steps) =>
        inPlace(
          async (place) => {
            now = NOON;
            const written: string[] = [];
            for (const one of steps) await take(place, written, one);
            place.bucket = real;
            now += 11 * 60_000;
            written.push("last");
            place.record("last");
            await place.settle();
            expect(actors(await place.all())).toEqual(written.toReversed());
            files.push(place.count("activity_archives"));
          },
          { rows: 25, fileEntries: 8, countEvery: 6 },
        ),
      ),
      { numRuns: 40 },
    );
    // The steps do lead to archives.
    expect(Math.max(...files)).toBeGreaterThan(3);
  },
);

async function bytesOf(key: string): Promise<ArrayBuffer> {
  return (await env.ARCHIVE.get(key))?.arrayBuffer() ?? new ArrayBuffer(0);
}

async function textOf(key: string): Promise<string> {
  const body = new Blob([await bytesOf(key)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(body).text();
}

async function gzip(text: string): Promise<ArrayBuffer> {
  const body = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(body).arrayBuffer();
}
