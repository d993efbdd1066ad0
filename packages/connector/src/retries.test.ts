import { describe, expect, test } from "vitest";
import { Retries } from "./retries.ts";

function plan(random = 0.999_999, maxMs = 30_000) {
  const clock = { ms: 0 };
  const retries = new Retries({ maxMs, now: () => clock.ms, random: () => random });
  return { clock, retries };
}
const silent = { code: "unreachable", isSilent: true } as const;
const answered = { code: "connection_lost" } as const;

describe("the pause between two attempts", () => {
  test.each([500, 5_000, 300_000])("is at most the interval that is set: %i ms", (maxMs) => {
    const { retries } = plan(0.999_999, maxMs);
    const pauses = Array.from({ length: 5_000 }, () => retries.pauseAfter(silent));
    expect(Math.max(...pauses)).toBe(maxMs);
    expect(pauses[0]).toBe(500);
    expect(retries.attempt).toBe(5_001);
  });

  test("is not all the same for everybody", () => {
    const pauses = [0.1, 0.5, 0.9].map((random) => {
      const { retries } = plan(random);
      for (let count = 0; count < 10; count++) retries.pauseAfter(silent);
      return retries.pauseAfter(silent);
    });
    expect(pauses).toEqual([3_000, 15_000, 27_000]);
  });

  test("begins anew only after a connection that lasted: one that is closed at once is no success", () => {
    const { retries, clock } = plan();
    const pauses = Array.from({ length: 8 }, () => {
      retries.registered();
      clock.ms += 9_999;
      return retries.pauseAfter(answered);
    });
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    retries.registered();
    clock.ms += 10_000;
    expect(retries.pauseAfter(answered)).toBe(500);
  });

  test("is not before the hub wishes, whatever hurry there is", () => {
    const { retries, clock } = plan();
    expect(retries.pauseAfter({ ...answered, retryAfterMs: 60_000 })).toBe(60_500);
    retries.registered();
    clock.ms += 10_000;
    retries.hurry();
    expect(retries.pauseAfter({ ...answered, retryAfterMs: 60_000 })).toBe(60_500);
  });
});

describe("after waking, or in another network", () => {
  test("attempts come quickly for 15 seconds, and then as after any loss", () => {
    const { retries, clock } = plan();
    for (let count = 0; count < 20; count++) retries.pauseAfter(silent);
    expect(retries.hurry()).toBeLessThanOrEqual(500);
    let attempts = 0;
    while (clock.ms < 15_000) {
      const pause = retries.pauseAfter(silent);
      expect(pause).toBeGreaterThanOrEqual(250);
      expect(pause).toBeLessThanOrEqual(750);
      clock.ms += pause;
      attempts++;
    }
    expect(attempts).toBe(20);
    expect(Array.from({ length: 4 }, () => retries.pauseAfter(silent))).toEqual([500, 1_000, 2_000, 4_000]);
  });

  test("a connection that was good is made again at once, and the next attempt waits", () => {
    const { retries, clock } = plan();
    retries.registered();
    clock.ms += 60_000;
    retries.hurry();
    expect(retries.pauseAfter(silent)).toBe(0);
    expect(retries.pauseAfter(silent)).toBe(750);
  });

  test("so is a younger one that could not be proved, but not one that broke", () => {
    const { retries } = plan();
    retries.hurry();
    retries.registered();
    expect(retries.pauseAfter({ code: "heartbeat_timeout", isSilent: true })).toBe(0);
    retries.registered();
    expect(retries.pauseAfter(silent)).toBe(750);
  });

  test("a hub that answers is not pressed: it is there", () => {
    const { retries } = plan();
    retries.hurry();
    expect(Array.from({ length: 4 }, () => retries.pauseAfter(answered))).toEqual([500, 1_000, 2_000, 4_000]);
  });

  test("a dial is given up sooner", () => {
    const { retries, clock } = plan();
    expect(retries.dialTimeoutMs).toBe(10_000);
    retries.hurry();
    expect(retries.dialTimeoutMs).toBe(3_000);
    clock.ms += 15_000;
    expect(retries.dialTimeoutMs).toBe(10_000);
  });

  test("a shorter interval that is set still holds", () => {
    const { retries } = plan(0.999_999, 100);
    expect([retries.hurry(), retries.pauseAfter(silent)]).toEqual([100, 100]);
  });
});
