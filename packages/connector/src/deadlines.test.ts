import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Deadlines } from "./deadlines.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function setUp() {
  const late: string[] = [];
  const waiting = (name: string) => ({ tooLate: () => late.push(name) });
  return { late, waiting, deadlines: new Deadlines(1000) };
}

test("each is told once, when its own time is over", () => {
  const { late, waiting, deadlines } = setUp();
  deadlines.begin(waiting("first"));
  vi.advanceTimersByTime(400);
  deadlines.begin(waiting("second"));
  vi.advanceTimersByTime(599);
  expect(late).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(late).toEqual(["first"]);
  vi.advanceTimersByTime(400);
  expect(late).toEqual(["first", "second"]);
  vi.advanceTimersByTime(5000);
  expect(late).toHaveLength(2);
});

test("what ended is not told, what began again has its whole time, and it all takes one timer", () => {
  const { late, waiting, deadlines } = setUp();
  const [ended, again] = [waiting("ended"), waiting("again")];
  deadlines.begin(ended);
  deadlines.begin(again);
  deadlines.end(ended);
  vi.advanceTimersByTime(900);
  deadlines.begin(again);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(999);
  expect(late).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(late).toEqual(["again"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("what begins again when it is told has its whole time, by one timer", () => {
  const { late, waiting, deadlines } = setUp();
  let told = 0;
  const patient = { tooLate: () => (told++ === 0 ? deadlines.begin(patient) : undefined) };
  deadlines.begin(patient);
  vi.advanceTimersByTime(500);
  deadlines.begin(waiting("other"));
  vi.advanceTimersByTime(500);
  expect([told, vi.getTimerCount()]).toEqual([1, 1]);
  vi.advanceTimersByTime(999);
  expect([told, late]).toEqual([1, ["other"]]);
  vi.advanceTimersByTime(1);
  expect([told, vi.getTimerCount()]).toEqual([2, 0]);
});
