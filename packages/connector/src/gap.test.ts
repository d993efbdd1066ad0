import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GapDetector, LOOK_FOR_GAPS_MS, systemClocks } from "./gap.ts";
import { handClocks } from "./testing/clocks.ts";

const HOUR = 3_600_000;

function detector(tellsFrozen = true) {
  const clocks = handClocks(tellsFrozen);
  return { clocks, gaps: new GapDetector(clocks) };
}

describe("a gap", () => {
  test("is none while the timer comes about when it should", () => {
    const { clocks, gaps } = detector();
    for (let count = 0; count < 100; count++) {
      clocks.pass(count % 10 === 0 ? 9_900 : LOOK_FOR_GAPS_MS);
      expect(gaps.look()).toBeUndefined();
    }
  });

  test("is sleep where the machine's clock ran on and the monotonic one did not", () => {
    const { clocks, gaps } = detector();
    clocks.pass(200);
    const since = clocks.wall() - 200;
    clocks.sleep(8 * HOUR);
    clocks.pass(300);
    expect(gaps.look()).toEqual({ cause: "asleep", since, until: since + 8 * HOUR + 500 });
    clocks.pass(500);
    expect(gaps.look()).toBeUndefined();
  });

  test("is a process that did not run where every clock did", () => {
    const { clocks, gaps } = detector();
    const since = clocks.wall();
    clocks.pass(12_000);
    expect(gaps.look()).toEqual({ cause: "frozen", since, until: since + 12_000 });
  });

  test("is called sleep where clocks do not tell", () => {
    const { clocks, gaps } = detector(false);
    clocks.pass(12_000);
    expect(gaps.look()).toMatchObject({ cause: "asleep" });
  });

  test("is a virtual machine that was paused, once its wall clock is right again", () => {
    const { clocks, gaps } = detector();
    const since = clocks.wall();
    clocks.set(HOUR);
    expect(gaps.look()).toEqual({ cause: "asleep", since, until: since + HOUR });
  });
});

describe("a wall clock that is set back", () => {
  test("is no gap", () => {
    const { clocks, gaps } = detector();
    clocks.set(-HOUR);
    clocks.pass(500);
    expect(gaps.look()).toBeUndefined();
  });

  test("while the machine sleeps does not let the gap end before it begins", () => {
    const { clocks, gaps } = detector();
    clocks.sleep(HOUR);
    clocks.set(-10 * HOUR);
    expect(gaps.look()).toEqual({ cause: "asleep", since: clocks.wall() - HOUR, until: clocks.wall() });
  });

  test("to before the epoch makes no time that the protocol does not know", () => {
    const { clocks, gaps } = detector();
    clocks.set(-clocks.wall() - HOUR);
    clocks.sleep(10_000);
    expect(gaps.look()).toEqual({ cause: "asleep", since: 0, until: 0 });
  });
});

test("whatever the clocks do, a gap is a time that can be written down", () => {
  const step = fc.record({
    kind: fc.constantFrom("pass" as const, "sleep" as const, "set" as const),
    ms: fc.double({ min: -1e9, max: 1e9, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const { clocks, gaps } = detector();
      for (const { kind, ms } of steps) {
        clocks[kind](ms);
        const gap = gaps.look();
        if (!gap) continue;
        expect(Number.isInteger(gap.since) && Number.isInteger(gap.until)).toBe(true);
        expect(gap.since).toBeGreaterThanOrEqual(0);
        expect(gap.until).toBeGreaterThanOrEqual(gap.since);
      }
    }),
  );
});

test("this machine's clocks show no gap to who looks often", () => {
  const gaps = new GapDetector(systemClocks);
  for (let count = 0; count < 1000; count++) expect(gaps.look()).toBeUndefined();
});
