import { expect, test } from "vitest";
import { Absences } from "./absences.ts";
import { GapDetector } from "./gap.ts";
import { handClocks } from "./testing/clocks.ts";

const HOUR = 3_600_000;

/** An instance that has registered. `slept` and `frozen` end with the look that notices it. */
function instance() {
  const clocks = handClocks();
  const gaps = new GapDetector(clocks);
  const absences = new Absences(clocks);
  const look = () => {
    const gap = gaps.look();
    if (gap) absences.gap(gap);
  };
  const run = (ms: number) => {
    for (let left = ms; left > 0; left -= 500) {
      clocks.pass(Math.min(left, 500));
      look();
    }
  };
  absences.registered();
  return {
    clocks,
    absences,
    run,
    slept: (ms: number) => {
      clocks.sleep(ms);
      look();
    },
    frozen: (ms: number) => {
      clocks.pass(ms);
      look();
    },
  };
}

test("a first start has none, however long it takes", () => {
  const clocks = handClocks();
  const absences = new Absences(clocks);
  absences.lost();
  clocks.pass(HOUR);
  absences.lost();
  expect(absences.current()).toBeUndefined();
});

test("the connection that ends after a sleep ended because of it; said once", () => {
  const { clocks, absences, run, slept } = instance();
  const since = clocks.wall();
  slept(2 * HOUR);
  const until = clocks.wall();
  run(1_500);
  absences.lost();
  run(20_000);
  absences.proved();
  absences.lost();
  const absence = { cause: "asleep", since, until };
  expect([absences.current(), absences.current()]).toEqual([absence, absence]);
  absences.registered();
  expect(absences.current()).toBeUndefined();
  absences.lost();
  expect(absences.current()).toBeUndefined();
});

test("a hub that took no notice is told nothing, and later ends have nothing to do with it", () => {
  const { absences, run, frozen } = instance();
  frozen(15_000);
  absences.proved();
  run(200);
  absences.lost();
  run(1_000);
  expect(absences.current()).toBeUndefined();
});

test("a lid that closes just after the network went is a sleep", () => {
  const { clocks, absences, run, slept } = instance();
  absences.lost();
  run(4_000);
  const since = clocks.wall();
  slept(HOUR);
  run(3_000);
  expect(absences.current()).toEqual({ cause: "asleep", since, until: since + HOUR });
});

test("a night of short wakings is one sleep", () => {
  const { clocks, absences, run, slept } = instance();
  const since = clocks.wall();
  for (let count = 0; count < 20; count++) {
    slept(HOUR / 2);
    absences.lost();
    run(5_000);
  }
  expect(absences.current()).toEqual({ cause: "asleep", since, until: clocks.wall() - 5_000 });
});

test("a machine that falls asleep again before its connection could be proved has slept once", () => {
  const { clocks, absences, run, slept } = instance();
  const since = clocks.wall();
  slept(HOUR);
  run(1_000);
  slept(HOUR);
  absences.lost();
  expect(absences.current()).toEqual({ cause: "asleep", since, until: clocks.wall() });
});

test("of two causes the longer one counts", () => {
  const { absences, run, slept, frozen } = instance();
  frozen(20_000);
  absences.lost();
  run(1_000);
  slept(HOUR);
  frozen(30_000);
  expect(absences.current()).toMatchObject({ cause: "asleep" });
});

test("half a minute without a way to the hub is the network; a short nap in a long one is not its cause", () => {
  const { clocks, absences, run, slept } = instance();
  const since = clocks.wall();
  absences.lost();
  run(29_500);
  expect(absences.current()).toBeUndefined();
  run(500);
  expect(absences.current()).toEqual({ cause: "network", since, until: since + 30_000 });
  run(HOUR);
  slept(60_000);
  absences.lost();
  expect(absences.current()).toEqual({ cause: "network", since, until: clocks.wall() });
});

test("what the hub itself did is no absence", () => {
  const { absences, run } = instance();
  absences.refused();
  run(HOUR);
  absences.lost();
  run(HOUR);
  expect(absences.current()).toBeUndefined();
  absences.registered();
  absences.lost();
  run(HOUR);
  expect(absences.current()).toMatchObject({ cause: "network" });
});

test("a clock that is set back does not let an absence end before it began", () => {
  const { clocks, absences, run } = instance();
  absences.lost();
  run(60_000);
  clocks.set(-10 * HOUR);
  expect(absences.current()).toEqual({
    cause: "network",
    since: clocks.wall() - 60_000,
    until: clocks.wall(),
  });
});
