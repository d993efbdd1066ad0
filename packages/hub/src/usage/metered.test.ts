/** What is counted of the Worker and its objects, where every count is noted. */
import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { admit, connected, HUB } from "../../test/hub.ts";
import { upsertUser } from "../db/users.ts";
import { routes } from "../routes.ts";
import { METER_NAME } from "./contract.ts";
import { chance, usage } from "./usage.ts";
import type { Unit } from "./units.ts";

let counted: Partial<Record<Unit, number>>;
const NEVER = chance.random;

beforeEach(() => {
  counted = {};
  const count = usage.count.bind(usage);
  vi.spyOn(usage, "count").mockImplementation((unit, amount = 1) => {
    counted[unit] = (counted[unit] ?? 0) + amount;
    count(unit, amount);
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  chance.random = NEVER;
});

/** What this turn has still to sum up. */
const moment = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 20));

test("a call of an object is one request, and its rows are counted as its storage tells", async () => {
  const hub = env.USER_HUB.getByName("ann");
  await hub.instanceConnected(connected("laptop"));
  await moment();
  counted = {};
  await hub.instanceStatus("laptop", { status: "busy", sessions: [], at: Date.now() + 1 });
  await moment();
  // One row of the registry, one of the activity.
  expect(counted).toMatchObject({ object_requests: 1, rows_written: 2 });
  expect(counted.rows_read).toBeGreaterThan(0);
});

test("keys and alarms are rows", async () => {
  await runInDurableObject(env.TUNNEL.getByName("rows"), async (_tunnel, { storage }) => {
    counted = {};
    storage.kv.put("a", 1);
    storage.kv.get("a");
    storage.kv.delete("a");
    await storage.setAlarm(Date.now() + 60_000);
    await storage.deleteAlarm();
    storage.sql.exec("CREATE TABLE many (a INTEGER PRIMARY KEY)");
    await moment();
    counted = { rows_read: counted.rows_read ?? 0, rows_written: counted.rows_written ?? 0 };
    const before = { ...counted };
    storage.sql.exec("INSERT INTO many VALUES (1), (2), (3)");
    expect(storage.sql.exec("SELECT * FROM many").toArray()).toHaveLength(3);
    await moment();
    expect((counted.rows_written ?? 0) - (before.rows_written ?? 0)).toBe(3);
    expect((counted.rows_read ?? 0) - (before.rows_read ?? 0)).toBeGreaterThanOrEqual(3);
  });
});

test("a request is one of the Worker's, with the rows D1 has read and written for it", async () => {
  await upsertUser(env.DB, { id: "bob", login: "bob", name: "Bob" });
  await admit("bob");
  counted = {};
  const answer = await exports.default.fetch(`${HUB}${routes.health}`, {
    headers: { host: new URL(HUB).host },
  });
  expect(answer.status).toBe(200);
  await moment();
  expect(counted).toMatchObject({ worker_requests: 1, object_requests: 1, r2_reads: 1 });
});

test("what is noted comes to the one Meter, in whole steps", async () => {
  chance.random = () => 0;
  const meter = env.METER.getByName(METER_NAME);
  await env.USER_HUB.getByName("eve").instanceConnected(connected("desktop"));
  chance.random = NEVER;
  await vi.waitFor(async () => {
    const [day] = (await meter.report()).days;
    const { object_requests, rows_read = 0, rows_written = 0 } = day?.amounts ?? {};
    expect([object_requests, rows_read % 20_000, rows_written % 300]).toEqual([300, 0, 0]);
    expect(Math.min(rows_read, rows_written)).toBeGreaterThan(0);
  });
});
