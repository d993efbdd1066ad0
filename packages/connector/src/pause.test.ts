import { expect, test } from "vitest";
import { Backoff } from "./backoff.ts";
import { askPause, retryPause } from "./pause.ts";

test("who was sent away asks about once a minute, not all at once, and not before the hub wishes", () => {
  expect(askPause(undefined, () => 0)).toBe(60_000);
  expect(askPause(0, () => 0)).toBe(60_000);
  expect(askPause(60_000, () => 0.5)).toBe(65_000);
  expect(askPause(600_000, () => 0)).toBe(600_000);
  expect(askPause(3_600_000, () => 0.99)).toBe(3_600_000);
  expect(new Set(Array.from({ length: 20 }, () => askPause(60_000))).size).toBeGreaterThan(10);
});

test("a lost connection is made again soon, and not before the hub wishes", () => {
  const backoff = new Backoff({ baseMs: 500, maxMs: 30_000, random: () => 0.5 });
  expect(retryPause(undefined, backoff)).toBe(250);
  expect(retryPause(2_000, backoff)).toBe(2_500);
  expect(retryPause(3_600_000, backoff)).toBe(3_600_000);
});
