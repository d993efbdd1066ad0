import { expect, test } from "vitest";
import { Backoff } from "./backoff.ts";

test("waits anything up to a bound that doubles to a limit, and begins anew after a success", () => {
  const highest = new Backoff({ baseMs: 500, maxMs: 4000, random: () => 0.999_999 });
  expect(Array.from({ length: 6 }, () => highest.next())).toEqual([500, 1000, 2000, 4000, 4000, 4000]);
  highest.reset();
  expect(highest.attempts).toBe(0);
  expect(highest.next()).toBe(500);
  const lowest = new Backoff({ baseMs: 500, maxMs: 4000, random: () => 0 });
  expect(Array.from({ length: 3 }, () => lowest.next())).toEqual([0, 0, 0]);
});

test("stays finite after very many attempts", () => {
  const backoff = new Backoff({ baseMs: 500, maxMs: 30_000, random: () => 1 });
  for (let attempt = 0; attempt < 5000; attempt++) backoff.next();
  expect(backoff.next()).toBe(30_000);
});
