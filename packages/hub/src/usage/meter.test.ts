import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import { meter, onPlan } from "../../test/usage.ts";
import { dayAt } from "./periods.ts";
import { usage } from "./usage.ts";

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
const NOON = Date.UTC(2026, 10, 20, 12);

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOON });
  await onPlan({ PLAN: "free" });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});
afterAll(() => onPlan({}));

const pass = (milliseconds: number): unknown => vi.setSystemTime(Date.now() + milliseconds);

/** What the Meter has written since this was called. */
async function rowsOf(during: () => Promise<unknown>): Promise<number> {
  let rows = 0;
  const count = vi.spyOn(usage, "count").mockImplementation((unit, amount = 1) => {
    if (unit === "rows_written") rows += amount;
  });
  await during();
  // What a turn has read and written is summed up after it.
  await meter.report();
  count.mockRestore();
  return rows;
}

test("keeps the sums of each day, across evictions, and writes one row for each note", async () => {
  await meter.add({ object_requests: 300 });
  const rows = await rowsOf(() => meter.add({ object_requests: 300, rows_written: 300, messages: 3000 }));
  expect(rows).toBe(1);
  await evictDurableObject(meter);
  await meter.add({ object_requests: 600 });
  const { days } = await meter.report();
  expect(days).toEqual([
    {
      day: dayAt(NOON),
      amounts: { object_requests: 1200, rows_written: 300, messages: 3000 },
      hours: Array.from({ length: 24 }, (_, hour) => (hour === 12 ? 3 : 0)),
    },
  ]);
});

test("a day on which nothing happens leaves nothing: no row, no alarm, no day", async () => {
  await meter.add({ object_requests: 300 });
  const rows = await rowsOf(async () => {
    pass(DAY_MS);
    await meter.allowance();
    pass(DAY_MS);
    await meter.report();
  });
  expect(rows).toBe(0);
  expect(await runInDurableObject(meter, (_object, { storage }) => storage.getAlarm())).toBeNull();
  expect((await meter.report()).days).toHaveLength(1);
});

test("days begin in UTC", async () => {
  vi.setSystemTime(Date.UTC(2026, 11, 31, 23, 59, 59, 999));
  await meter.add({ messages: 3000 });
  pass(1);
  await meter.add({ messages: 6000 });
  const { days } = await meter.report();
  expect(days.map(({ day, amounts }) => [day, amounts.messages])).toEqual([
    [dayAt(Date.UTC(2026, 11, 31)), 3000],
    [dayAt(Date.UTC(2027, 0, 1)), 6000],
  ]);
});

test("keeps 62 days, and one more day does not cost one row more than it takes out", async () => {
  for (let day = 0; day < 70; day++) {
    await meter.add({ messages: 3000 + day });
    pass(DAY_MS);
  }
  const rows = await rowsOf(() => meter.add({ messages: 1 }));
  expect(rows).toBe(2);
  const { days } = await meter.report();
  expect(days).toHaveLength(62);
  expect(Math.min(...days.map(({ amounts }) => amounts.messages ?? 0))).toBe(1);
  expect(Math.max(...days.map(({ day }) => day))).toBe(dayAt(Date.now()));
});

test("a clock that was far ahead for a moment costs nothing of what was counted, and counts for nothing", async () => {
  await meter.add({ object_requests: 20_000 });
  vi.setSystemTime(Date.UTC(2090, 0, 1));
  expect(await meter.add({ object_requests: 99_000 })).toMatchObject({ level: "exhausted" });
  vi.setSystemTime(NOON);
  expect(await meter.allowance()).toMatchObject({ level: "normal", until: 0 });
  await meter.add({ object_requests: 5000 });
  const today = (await meter.report()).days.find(({ day }) => day === dayAt(NOON));
  expect(today?.amounts.object_requests).toBe(25_000);
});

test("what cannot be is left out, and changes nothing else", async () => {
  const wrong = { object_requests: -5, messages: Number.NaN, rows_read: 1e300, cows: 7, rows_written: 300 };
  await meter.add(wrong);
  expect((await meter.report()).days.map(({ amounts }) => amounts)).toEqual([{ rows_written: 300 }]);
  const rows = await rowsOf(() => meter.add({ messages: -1 }));
  expect(rows).toBe(0);
});

test("what its storage holds that cannot be read counts for nothing", async () => {
  await meter.add({ messages: 3000 });
  await runInDurableObject(meter, (_object, { storage }) => {
    storage.sql.exec(`UPDATE days SET amounts = '{"messages":"x","rows_read":20000}', hours = '[1]'`);
  });
  await evictDurableObject(meter);
  const { days } = await meter.report();
  expect(days.map(({ amounts }) => amounts)).toEqual([{ rows_read: 20_000 }]);
});

test("tells whoever adds or asks how near the end is, says so in the log, and is back to normal at midnight", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const midnight = Date.UTC(2026, 10, 21);
  expect(await meter.add({ rows_written: 24_000 })).toEqual({
    level: "normal",
    until: 0,
    scale: 1,
    at: NOON,
    goodForMs: 6 * HOUR_MS,
  });
  expect(await meter.add({ rows_written: 48_000 })).toMatchObject({ level: "tight", until: midnight });
  await evictDurableObject(meter);
  pass(HOUR_MS);
  expect(await meter.add({ rows_written: 15_000 })).toMatchObject({ level: "scarce", until: midnight });
  expect(await meter.report()).toMatchObject({ since: NOON + HOUR_MS, standing: { quota: { used: 0.87 } } });
  expect(await meter.add({ rows_written: 9000 })).toMatchObject({ level: "exhausted", until: midnight });
  expect(await meter.add({ rows_written: 300 })).toMatchObject({ level: "exhausted" });
  vi.setSystemTime(midnight);
  expect(await meter.allowance()).toMatchObject({ level: "normal", until: 0 });
  const told = warn.mock.calls.map(([line]) => JSON.parse(String(line)) as { reason: string; kind?: string });
  expect(told.map(({ reason, kind }) => [reason, kind])).toEqual([
    ["tight", "rows written"],
    ["scarce", "rows written"],
    ["exhausted", "rows written"],
    ["normal", undefined],
  ]);
});

test("is normal whatever was used on one's own machine, and on the paid plan without a budget", async () => {
  for (const PLAN of ["local", "paid"]) {
    await onPlan({ PLAN });
    expect(await meter.add({ rows_written: 9e9 })).toMatchObject({ level: "normal", goodForMs: null });
  }
});

test("asks for larger steps in a large hub, the next day too", async () => {
  expect(await meter.add({ messages: 3e8 })).toMatchObject({ scale: 16 });
  pass(DAY_MS);
  expect(await meter.allowance()).toMatchObject({ scale: 16 });
  pass(DAY_MS);
  expect(await meter.allowance()).toMatchObject({ scale: 1 });
});

test("there is one for the hub", () => {
  expect(env.METER.getByName("hub").id.toString()).toBe(meter.id.toString());
});
