/** Counting by chance must come to the same as counting. Randomness is seeded: what holds once holds always. */
import { expect, test } from "vitest";
import { sampled, scaleFor, stepOf, MAX_SCALE } from "./sampling.ts";
import { parseAmounts, UNITS, type Amounts } from "./units.ts";
import { UsageCounter } from "./usage-counter.ts";

/** Marsaglia's xorshift of 32 bits. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

test.each([
  { amounts: [1], step: 300 },
  { amounts: [1, 2, 7], step: 300 },
  { amounts: [0.01, 0.5], step: 100 },
  { amounts: [299, 301, 1000], step: 300 },
  { amounts: [12_345], step: 200 },
])("what is noted of $amounts in steps of $step is right on average", ({ amounts, step }) => {
  let [noted, real, variance] = [0, 0, 0];
  const random = seeded(7);
  for (let index = 0; index < 200_000; index++) {
    const amount = amounts[index % amounts.length] ?? 0;
    noted += sampled(amount, step, random);
    real += amount;
    variance += amount < step ? amount * (step - amount) : 0;
  }
  // Four standard deviations: a biased one would be far outside.
  expect(Math.abs(noted - real)).toBeLessThanOrEqual(4 * Math.sqrt(variance));
});

test("nothing, less than nothing and what is no number are not noted", () => {
  for (const amount of [0, -1, -Infinity, Number.NaN]) expect(sampled(amount, 300, () => 0)).toBe(0);
});

test("an eviction loses nothing on average: of many that count for a moment each", async () => {
  const sums: Amounts = {};
  const random = seeded(11);
  for (let isolate = 0; isolate < 4000; isolate++) {
    const work: Promise<unknown>[] = [];
    const counter = new UsageCounter({
      random,
      send: async (amounts) => {
        sums.object_requests = (sums.object_requests ?? 0) + (amounts.object_requests ?? 0);
      },
      waitUntil: (promise) => work.push(promise),
    });
    for (let request = 0; request < 40; request++) counter.count("object_requests");
    await Promise.all(work);
  }
  expect(Math.abs((sums.object_requests ?? 0) - 160_000)).toBeLessThan(4 * Math.sqrt(160_000 * 300));
});

/** A working day of one person, as in docs/cost.md. */
const PERSON: Amounts = {
  worker_requests: 521,
  object_requests: 1122,
  messages: 1578,
  awake_seconds: 40,
  rows_read: 5298,
  rows_written: 712,
  d1_rows_read: 489,
  d1_rows_written: 87,
  r2_writes: 1,
};

test("the meter costs at most 2 % of what it counts", () => {
  // A note is a call and a row written, at most: several of one turn go together.
  for (const people of [1, 1000, 1_000_000]) {
    const day = Object.fromEntries(Object.entries(PERSON).map(([unit, amount]) => [unit, amount * people]));
    const scale = scaleFor(day);
    const notes = UNITS.reduce((sum, unit) => sum + (day[unit] ?? 0) / stepOf(unit, scale), 0);
    expect(notes / (day["object_requests"] ?? 0)).toBeLessThan(0.02);
    expect(notes / (day["rows_written"] ?? 0)).toBeLessThan(0.02);
    // And one object takes them: at most one a second over a day, whatever the hub.
    expect(notes).toBeLessThan(86_400);
  }
});

test("steps grow with the hub, by powers of 2, and not without end", () => {
  expect(scaleFor({})).toBe(1);
  expect(scaleFor({ object_requests: 3_000_000 })).toBe(1);
  expect(scaleFor({ object_requests: 3_000_001 })).toBe(2);
  expect(scaleFor({ object_requests: 1e10 })).toBe(4096);
  expect(scaleFor({ object_requests: Infinity })).toBe(MAX_SCALE);
});

test("only amounts that can be are taken", () => {
  const amounts = { messages: 3000, worker_requests: -1, rows_read: Number.NaN, rows_written: 1e13, cows: 2 };
  expect(parseAmounts(amounts)).toEqual({ messages: 3000 });
  for (const none of [null, undefined, 7, "messages", [], { messages: "3000" }, { messages: Infinity }])
    expect(parseAmounts(none)).toEqual({});
});
