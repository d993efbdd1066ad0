import { afterEach, expect, test, vi } from "vitest";
import type { Allowance } from "./allowance.ts";
import { UsageCounter } from "./usage-counter.ts";
import type { Amounts } from "./units.ts";

const NOW = Date.UTC(2026, 10, 21, 12);
const HOUR_MS = 60 * 60_000;

const allowance = (more: Partial<Allowance> = {}): Allowance => ({
  level: "tight",
  until: NOW + HOUR_MS,
  scale: 1,
  at: NOW,
  goodForMs: HOUR_MS,
  ...more,
});

/** A counter that notes everything, and what it sends. */
function counting(answer: () => unknown = () => undefined) {
  const sent: Amounts[] = [];
  const work: Promise<unknown>[] = [];
  const counter = new UsageCounter({
    random: () => 0,
    send: async (amounts) => {
      sent.push(amounts);
      return answer();
    },
    waitUntil: (promise) => work.push(promise),
  });
  return { counter, sent, settled: () => Promise.all(work) };
}

afterEach(() => vi.restoreAllMocks());

test("what one turn notes goes in one call", async () => {
  const { counter, sent, settled } = counting();
  counter.count("object_requests");
  counter.count("rows_written", 2);
  counter.count("rows_written", 900);
  await settled();
  expect(sent).toEqual([{ object_requests: 300, rows_written: 1200 }]);
  counter.count("messages");
  await settled();
  expect(sent).toHaveLength(2);
});

test("a Meter that fails fails nobody, loses nothing, and is told less often", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  let isAway = true;
  const { counter, sent, settled } = counting(() => {
    if (isAway) throw new Error("overloaded");
    return undefined;
  });
  counter.count("object_requests");
  await settled();
  expect(warn).toHaveBeenCalledOnce();
  isAway = false;
  counter.count("object_requests");
  await settled();
  expect(sent.at(-1)).toEqual({ object_requests: 300 + 600 });
});

test("the level is the last that was told, for as long as it lasts", () => {
  const { counter } = counting();
  expect(counter.level(NOW)).toBe("normal");
  counter.learn(allowance(), NOW);
  expect(counter.level(NOW)).toBe("tight");
  counter.learn(allowance({ level: "scarce", at: NOW + 1000 }), NOW + 1000);
  // What was on its way longer is older.
  counter.learn(allowance({ level: "normal", until: 0, at: NOW + 500 }), NOW + 1001);
  expect(counter.level(NOW + 1001)).toBe("scarce");
  expect(counter.level(NOW + HOUR_MS - 1)).toBe("scarce");
  // Nobody has to tell that the quota has begun anew.
  expect(counter.level(NOW + HOUR_MS)).toBe("normal");
});

test("the answers of increments tell it, too", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  const { counter, settled } = counting(() => allowance({ level: "exhausted", scale: 8 }));
  counter.count("object_requests");
  await settled();
  vi.useRealTimers();
  expect(counter.level(NOW)).toBe("exhausted");
});

test("a clock that was ahead and is set back leaves no level behind", () => {
  const { counter } = counting();
  const ahead = NOW + 30 * 24 * HOUR_MS;
  counter.learn(allowance({ level: "exhausted", at: ahead, until: ahead + HOUR_MS }), ahead);
  expect(counter.level(ahead)).toBe("exhausted");
  expect(counter.level(NOW)).toBe("normal");
  counter.learn(allowance({ level: "tight" }), NOW);
  expect(counter.level(NOW)).toBe("tight");
});

test("what is no word of the Meter's changes nothing", () => {
  const { counter } = counting();
  counter.learn(allowance(), NOW);
  const wrong = [
    undefined,
    null,
    {},
    "scarce",
    { ...allowance(), level: "empty" },
    { ...allowance(), scale: 0 },
    { ...allowance(), scale: Number.NaN },
    { ...allowance(), goodForMs: 0 },
    allowance({ level: "exhausted", at: NOW + HOUR_MS }),
  ];
  for (const one of wrong) counter.learn(one, NOW);
  expect(counter.level(NOW)).toBe("tight");
});
