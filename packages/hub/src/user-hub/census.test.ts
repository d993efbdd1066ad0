import { env } from "cloudflare:workers";
import { evictDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { newPerson, openPage } from "../../test/dashboards.ts";
import { connected, signedIn } from "../../test/hub.ts";
import { countCensus, saveCensus, type CensusRow } from "../db/census.ts";
import { Census } from "./census.ts";

const NOW = Date.UTC(2026, 1, 3);
let waited: Promise<unknown>[] = [];
let counts: CensusRow;

const rowOf = (userId: string) =>
  env.DB.prepare("SELECT instances, browsers FROM census WHERE user_id = ?").bind(userId).first<CensusRow>();

function census(owner: string, db: D1Database = env.DB): Census {
  return new Census({
    ctx: { waitUntil: (promise: Promise<unknown>) => void waited.push(promise) },
    env: { DB: db },
    owner: () => owner,
    count: () => ({ ...counts }),
  });
}

/** A database that counts what it is asked, and writes only when it is let. */
function slowDatabase(): { db: D1Database; asked: () => number; letGo: () => void } {
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  const db = {
    prepare: (query: string) => ({
      bind: (...values: unknown[]) => ({
        run: async () => {
          asked++;
          await gate.promise;
          return env.DB.prepare(query)
            .bind(...values)
            .run();
        },
      }),
    }),
  };
  return { db: db as unknown as D1Database, asked: () => asked, letGo: gate.resolve };
}

beforeEach(() => {
  waited = [];
  counts = { instances: 0, browsers: 0 };
});
afterEach(() => vi.restoreAllMocks());

test("numbers that are what they were cost no row; of nobody none is kept", async () => {
  await signedIn("counted");
  await env.DB.prepare("DELETE FROM census").run();
  await saveCensus(env.DB, "counted", { instances: 2, browsers: 1 }, NOW);
  await saveCensus(env.DB, "counted", { instances: 2, browsers: 1 }, NOW + 1);
  const at = env.DB.prepare("SELECT changed_at FROM census WHERE user_id = 'counted'");
  expect(await at.first("changed_at")).toBe(NOW);
  await saveCensus(env.DB, "counted", { instances: 3, browsers: 1 }, NOW + 2);
  expect(await at.first("changed_at")).toBe(NOW + 2);
  await saveCensus(env.DB, "nobody", { instances: 9, browsers: 9 });
  expect(await rowOf("nobody")).toBeNull();
  await signedIn("other");
  await saveCensus(env.DB, "other", { instances: 1, browsers: 4 });
  expect(await countCensus(env.DB)).toEqual({ instances: 4, browsers: 5 });
  await env.DB.prepare("DELETE FROM census").run();
  expect(await countCensus(env.DB)).toEqual({ instances: 0, browsers: 0 });
});

test("what changes while something is written is written after it, once, and the last word counts", async () => {
  await signedIn("busy");
  const { db, asked, letGo } = slowDatabase();
  const told = census("busy", db);
  counts.instances = 1;
  told.changed();
  for (counts.instances = 2; counts.instances < 9; counts.instances++) told.changed();
  letGo();
  await Promise.all(waited);
  expect(asked()).toBe(2);
  expect(await rowOf("busy")).toEqual({ instances: 9, browsers: 0 });
  told.changed();
  await Promise.all(waited);
  expect(asked()).toBe(2);
});

test("a database that is away is tried again with the next change, and is a line in the log", async () => {
  await signedIn("unlucky");
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  let isAway = true;
  const db = {
    prepare: (query: string) => {
      if (isAway) throw new Error("D1_ERROR: away");
      return env.DB.prepare(query);
    },
  } as unknown as D1Database;
  const told = census("unlucky", db);
  counts.browsers = 1;
  told.changed();
  await Promise.all(waited);
  expect(warn.mock.calls).toEqual([
    ['{"event":"census_failed","level":"warning","userId":"unlucky","error":"Error: D1_ERROR: away"}'],
  ]);
  isAway = false;
  told.changed();
  await Promise.all(waited);
  expect(await rowOf("unlucky")).toEqual({ instances: 0, browsers: 1 });
});

test("a person's hub counts what is connected and open, and knows it still after an eviction", async () => {
  const { person, hub } = await newPerson("ann-counted");
  const shows = (row: CensusRow) => vi.waitFor(async () => expect(await rowOf("ann-counted")).toEqual(row));
  const [at, later] = [Date.now(), Date.now() + 1];
  await hub.instanceConnected(connected("one", { connectedAt: at }));
  await hub.instanceConnected(connected("two", { connectedAt: at }));
  await shows({ instances: 2, browsers: 0 });
  const [first, second] = [await openPage(person), await openPage(person)];
  await shows({ instances: 2, browsers: 2 });
  first.close();
  await shows({ instances: 2, browsers: 1 });
  await hub.instanceGone("one", at, "stopped", later);
  await shows({ instances: 1, browsers: 1 });
  await evictDurableObject(hub, { webSockets: "hibernate" });
  await hub.instanceStatus("two", { status: "busy", sessions: [], at: later });
  second.close();
  await shows({ instances: 1, browsers: 0 });
  // It was thought gone, and speaks.
  await hub.instanceStatus("one", { status: "busy", sessions: [], at: later + 1 });
  await shows({ instances: 2, browsers: 0 });
});
