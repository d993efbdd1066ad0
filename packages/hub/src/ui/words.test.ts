import { expect, test } from "vitest";
import { durationWords, shortPath, tabTitle, untilWords } from "./words.ts";

const NONE = { needsYou: 0, done: 0, busy: 0, active: 0, idle: 0, unreachable: 0 };

test.each([
  [-5000, "now"],
  [9_999, "now"],
  [10_000, "10 s"],
  [59_999, "50 s"],
  [60_000, "1 min"],
  [3_599_999, "59 min"],
  [3_600_000, "1 h"],
  [86_399_999, "23 h"],
  [86_400_000, "1 d"],
  [86_400_000 * 400, "400 d"],
])("%i ms is %s", (ms, words) => {
  expect(durationWords(ms)).toBe(words);
});

test.each([
  [-5000, "in 10 s"],
  [4_000, "in 10 s"],
  [59_000, "in 1 min"],
  [61_000, "in 1 min"],
  [3_595_000, "in 1 h"],
  [86_399_000, "in 1 d"],
  [30 * 86_400_000 - 1000, "in 30 d"],
  [29.4 * 86_400_000, "in 29 d"],
])("what is %i ms ahead is %s", (ms, words) => {
  expect(untilWords(ms)).toBe(words);
});

test.each([
  ["/home/ann/src/shop", "~/src/shop"],
  ["/Users/ann", "~"],
  ["/homestead/ann", "/homestead/ann"],
  ["", ""],
  ["/srv/work/clients/northwind/services/billing/apps/web", "/…/services/billing/apps/web"],
  ["/home/ann/work/clients/northwind/services/billing/web", "~/…/services/billing/web"],
  [`/srv/${"x".repeat(100)}`, `/…/${"x".repeat(28)}`],
])("%s fits as %s", (path, short) => {
  expect(shortPath(path)).toBe(short);
});

test("a cut leaves no half of a character", () => {
  for (let index = 20; index < 60; index++) {
    expect(shortPath(`/srv/${"x".repeat(index)}${"🚀".repeat(20)}`).isWellFormed()).toBe(true);
  }
});

test("the tab says what needs a look", () => {
  expect(tabTitle(NONE)).toBe("Orchestrator");
  expect(tabTitle({ ...NONE, idle: 3, unreachable: 1 })).toBe("Orchestrator");
  expect(tabTitle({ ...NONE, needsYou: 1, busy: 2 })).toBe("1 needs you, 2 busy · Orchestrator");
  expect(tabTitle({ ...NONE, needsYou: 2, busy: 2, active: 1 })).toBe(
    "2 need you, 2 busy, 1 active · Orchestrator",
  );
});
