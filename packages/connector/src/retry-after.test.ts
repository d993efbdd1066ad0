import { expect, test } from "vitest";
import { retryAfterMs } from "./retry-after.ts";

const now = Date.parse("2026-11-20T12:00:00Z");

test.each([
  ["0", 0],
  [" 30 ", 30_000],
  ["99999999", 3_600_000],
  ["9".repeat(400), 3_600_000],
  ["Fri, 20 Nov 2026 12:00:10 GMT", 10_000],
  ["Fri, 20 Nov 2026 11:00:00 GMT", 0],
  ["Fri, 20 Nov 2099 12:00:00 GMT", 3_600_000],
  ["-5", undefined],
  ["1.5", undefined],
  ["1e3", undefined],
  ["0x10", undefined],
  ["NaN", undefined],
  ["Infinity", undefined],
  ["soon", undefined],
  ["Fri, 99 Nov 2026 99:99:99 GMT", undefined],
  ["", undefined],
  [undefined, undefined],
])("Retry-After %j is %j ms", (value, ms) => expect(retryAfterMs(value, now)).toBe(ms));
