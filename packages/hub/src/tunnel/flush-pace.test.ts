import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createFlushPace } from "./flush-pace.ts";

let [clock, waiting, messages]: [number, number, number[]] = [0, 0, []];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  [clock, waiting, messages] = [1000, 0, []];
});
afterEach(() => {
  vi.useRealTimers();
});

/** A writer of frames, as far as this is concerned. */
function writer(schedule: (flush: () => number) => void): (frames?: number) => Promise<void> {
  let isScheduled = false;
  return async (frames = 1) => {
    waiting += frames;
    if (!isScheduled)
      schedule(() => {
        isScheduled = false;
        messages.push(waiting);
        waiting = 0;
        return messages.at(-1) ?? 0;
      });
    isScheduled = true;
    // Each is a turn of its own.
    await Promise.resolve();
  };
}

it("lets what is alone leave at once", async () => {
  const write = writer(createFlushPace(() => clock));
  for (let n = 0; n < 100; n++) {
    await write();
    expect(messages).toHaveLength(n + 1);
    if (n % 8 === 7) clock++;
  }
  expect(vi.getTimerCount()).toBe(0);
});

it("sends together what follows too fast, and at once again when it does not any more", async () => {
  const write = writer(createFlushPace(() => clock));
  for (let n = 0; n < 50; n++) await write();
  expect(messages).toEqual(Array.from({ length: 8 }, () => 1));
  clock++;
  vi.advanceTimersByTime(1);
  expect(messages.at(-1)).toBe(42);
  for (let n = 0; n < 20; n++) await write();
  clock++;
  vi.advanceTimersByTime(1);
  expect(messages.at(-1)).toBe(20);
  await write();
  expect(waiting).toBe(1);
  clock++;
  vi.advanceTimersByTime(1);
  await write();
  expect(waiting).toBe(0);
  expect(messages.slice(-2)).toEqual([1, 1]);
  expect(vi.getTimerCount()).toBe(0);
});
