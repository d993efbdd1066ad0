import { expect, test } from "vitest";
import { Turns, type TurnTaker } from "./turns.ts";

const FRAME = 64 * 1024;

/** Takers with so many frames each, and a socket with room for a few; `written` is who wrote, in order. */
function bench(frames: Record<string, number>, room: number) {
  const written: string[] = [];
  let used = 0;
  const turns = new Turns(() => used < room);
  const takers = new Map<string, TurnTaker & { left: number; bytes: number }>();
  for (const [name, left] of Object.entries(frames)) {
    const taker = {
      turn: 0,
      left,
      bytes: FRAME,
      takeTurn: () => {
        while (taker.left > 0 && turns.admits(taker)) {
          written.push(name);
          taker.turn += taker.bytes;
          taker.left--;
          used++;
        }
      },
    };
    takers.set(name, taker);
  }
  return {
    turns,
    written,
    taker: (name: string) => takers.get(name) ?? expect.fail(`no ${name}`),
    start: () => {
      for (const taker of takers.values()) taker.takeTurn();
    },
    drain: () => {
      used = 0;
      turns.give();
    },
  };
}

function countOf(written: string[]): Record<string, number> {
  const count: Record<string, number> = {};
  for (const name of written) count[name] = (count[name] ?? 0) + 1;
  return count;
}

test("one that is alone writes as long as there is room", () => {
  const { start, drain, written } = bench({ a: 7 }, 3);
  start();
  expect(written).toHaveLength(3);
  drain();
  drain();
  drain();
  expect(written).toHaveLength(7);
});

test("those that wait write by turns, a frame each", () => {
  const { start, drain, written } = bench({ a: 100, b: 100, c: 100 }, 1);
  start();
  for (let round = 0; round < 29; round++) drain();
  expect(countOf(written)).toEqual({ a: 10, b: 10, c: 10 });
});

test("smaller frames come oftener: bytes are what is shared", () => {
  const { start, drain, written, taker } = bench({ small: 1000, large: 1000 }, 1);
  taker("small").bytes = FRAME / 4;
  start();
  for (let round = 0; round < 100; round++) drain();
  const { small = 0, large = 0 } = countOf(written);
  expect(Math.abs(small / 4 - large)).toBeLessThanOrEqual(1);
});

test("one that writes seldom comes next, however many wait", () => {
  const crowd = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`bulk${index}`, 1000]));
  const { start, drain, written, taker } = bench({ ...crowd, seldom: 0 }, 1);
  start();
  for (let round = 0; round < 333; round++) drain();
  taker("seldom").bytes = 1000;
  for (let time = 0; time < 20; time++) {
    taker("seldom").left = 1;
    taker("seldom").takeTurn();
    drain();
    expect(written.at(-1)).toBe("seldom");
    for (let round = 0; round < 7; round++) drain();
  }
});

test("who was away has saved nothing up", () => {
  const { start, drain, written, taker } = bench({ a: 1000, b: 1000, c: 0 }, 1);
  start();
  for (let round = 0; round < 200; round++) drain();
  taker("c").left = 1000;
  taker("c").takeTurn();
  const before = written.length;
  for (let round = 0; round < 30; round++) drain();
  const { a = 0, b = 0, c = 0 } = countOf(written.slice(before));
  expect(Math.max(a, b, c) - Math.min(a, b, c)).toBeLessThanOrEqual(1);
});

test("one that is forgotten has no turn, one that passes keeps nobody waiting", () => {
  const { start, drain, written, taker, turns } = bench({ a: 10, b: 10, c: 10 }, 1);
  start();
  turns.forget(taker("b"));
  taker("c").left = 0;
  for (let round = 0; round < 5; round++) drain();
  expect(written).toEqual(["a", "a", "a", "a", "a", "a"]);
});
