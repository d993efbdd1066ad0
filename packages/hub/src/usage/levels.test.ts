import { expect, test } from "vitest";
import { goodForMs } from "./allowance.ts";
import type { Usage } from "./forecast.ts";
import { LEVELS, standingOf, type Level } from "./levels.ts";
import { billOf, quotasOf, readPlan, shareOfBudget, type QuotaUse } from "./plan.ts";
import type { Amounts } from "./units.ts";

const NOON = Date.UTC(2026, 10, 21, 12);
const MIDNIGHT = Date.UTC(2026, 10, 22);
const MONTHS_END = Date.UTC(2026, 11, 1);

const quota = (used: number, forecast = used, more: Partial<QuotaUse> = {}): QuotaUse => ({
  name: "rows written",
  period: "day",
  used,
  forecast,
  until: MIDNIGHT,
  ...more,
});

const level = (used: number, forecast = used, before: Level = "normal") =>
  standingOf([quota(used, forecast)], before).level;

test("each level begins at its share of a quota", () => {
  const levels = [0, 0.69, 0.7, 0.79, 0.8, 0.87, 0.88, 2].map((used) => level(used));
  expect(levels).toEqual([
    "normal",
    "normal",
    "tight",
    "tight",
    "scarce",
    "scarce",
    "exhausted",
    "exhausted",
  ]);
});

test("what would be used up before its end is tight, once there is something to judge by", () => {
  expect(level(0.24, 3)).toBe("normal");
  expect(level(0.25, 0.99)).toBe("normal");
  expect(level(0.25, 1)).toBe("tight");
});

test("a level does not flap: it goes a little later than it comes", () => {
  expect(level(0.86, 0.86, "exhausted")).toBe("exhausted");
  expect(level(0.86, 0.86, "scarce")).toBe("scarce");
  expect(level(0.84, 0.84, "exhausted")).toBe("scarce");
  expect(level(0.68, 0.68, "tight")).toBe("tight");
  expect(level(0.4, 0.9, "normal")).toBe("normal");
  expect(level(0.4, 0.9, "tight")).toBe("tight");
  expect(level(0.4, 0.84, "tight")).toBe("normal");
});

test("when a quota begins anew everything is normal at once, from whatever level", () => {
  for (const before of LEVELS)
    expect(standingOf([quota(0, 0.9)], before)).toEqual({ level: "normal", quota: null });
});

test("of several quotas the nearest to its end counts, and of equals the one that lasts longest", () => {
  const [day, month] = [
    quota(0.96),
    quota(0.97, 1, { name: "R2 writes", period: "month", until: MONTHS_END }),
  ];
  expect(standingOf([quota(0.8), day, quota(0.1)], "normal")).toEqual({ level: "exhausted", quota: day });
  expect(standingOf([month, day], "normal").quota).toBe(month);
  expect(standingOf([day, month], "normal").quota).toBe(month);
  expect(standingOf([], "exhausted")).toEqual({ level: "normal", quota: null });
});

test("the nearer an end, the sooner the Meter is asked again; where nothing ends, never", () => {
  const minutes = (used: number) => {
    const quotas = [quota(0), quota(used)];
    return (goodForMs(standingOf(quotas, "normal"), quotas) ?? 0) / 60_000;
  };
  const shares = [0, 0.24, 0.25, 0.49, 0.5, 0.69, 0.7, 0.99];
  expect(shares.map(minutes)).toEqual([360, 360, 120, 120, 60, 60, 30, 30]);
  expect(goodForMs({ level: "normal", quota: null }, [])).toBeNull();
});

// ── Plans ──

const usage = (today: Amounts, month = today): Usage => ({
  today,
  month,
  todayForecast: today,
  monthForecast: month,
  daysKnown: 0,
});

test("settings say which plan; what cannot be read is a problem and counts as not set", () => {
  expect(readPlan({})).toEqual({ kind: "paid", budgetUsd: null, problems: [] });
  expect(readPlan({ PLAN: "free", MONTHLY_BUDGET_USD: "" })).toEqual({
    kind: "free",
    budgetUsd: null,
    problems: [],
  });
  expect(readPlan({ PLAN: "local" }).kind).toBe("local");
  expect(readPlan({ PLAN: "paid", MONTHLY_BUDGET_USD: " 12.50 " }).budgetUsd).toBe(12.5);
  expect(readPlan({ PLAN: "FREE" })).toMatchObject({
    kind: "paid",
    problems: [expect.stringContaining("PLAN")],
  });
  for (const budget of ["x", "4.99", "-1", "Infinity", "NaN", " ", "10 USD"]) {
    const { budgetUsd, problems } = readPlan({ MONTHLY_BUDGET_USD: budget });
    expect([budgetUsd, problems.length]).toEqual([null, 1]);
  }
});

test("the free plan has a quota for each line, paid has one with a budget, and one's own machine none", () => {
  const used = usage(
    { object_requests: 40_000, messages: 200_000 },
    { object_requests: 1e6, r2_writes: 500_000 },
  );
  const free = quotasOf(readPlan({ PLAN: "free" }), used, NOON);
  const of = (name: string) => free.find((one) => one.name.startsWith(name));
  expect(of("object requests")).toMatchObject({ used: 0.5, period: "day", until: MIDNIGHT });
  expect(of("GB-seconds")?.used).toBeCloseTo(((40_000 * 0.02 + 200_000 * 0.01) * 0.128) / 13_000);
  expect(of("R2 writes")).toMatchObject({ used: 0.5, period: "month", until: MONTHS_END });
  expect(quotasOf(readPlan({ PLAN: "paid" }), used, NOON)).toEqual([]);
  expect(quotasOf(readPlan({ PLAN: "local", MONTHLY_BUDGET_USD: "5" }), used, NOON)).toEqual([]);
  const [budget, ...others] = quotasOf(readPlan({ MONTHLY_BUDGET_USD: "5" }), used, NOON);
  expect(others).toEqual([]);
  // A million requests is what is included.
  expect(budget).toMatchObject({ name: "budget", period: "month", until: MONTHS_END, used: 1 });
});

test("a share of a budget is that by which everything may still grow until the bill is the budget", () => {
  const month: Amounts = {
    worker_requests: 4e6,
    object_requests: 3e6,
    messages: 8e6,
    rows_written: 2e7,
    awake_seconds: 1e5,
  };
  for (const budget of [5.01, 7, 10, 250]) {
    const share = shareOfBudget(month, budget);
    const grown = Object.fromEntries(Object.entries(month).map(([unit, amount]) => [unit, amount / share]));
    expect(billOf(grown)).toBeCloseTo(budget, 6);
  }
  expect(shareOfBudget({}, 5)).toBe(0);
  expect(shareOfBudget({ rows_written: 25_000_000 }, 5)).toBe(0.5);
});
