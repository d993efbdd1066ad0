import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Heartbeat } from "./heartbeat.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function start(intervalMs = 30_000) {
  const seen = { sent: 0, proved: 0, failed: 0 };
  const heartbeat = new Heartbeat({
    intervalMs,
    answerMs: 10_000,
    send: () => seen.sent++,
    proved: () => seen.proved++,
    failed: () => seen.failed++,
  });
  return { heartbeat, seen };
}

test("asks every so often, and goes on while it is answered", () => {
  const { heartbeat, seen } = start();
  for (let count = 1; count <= 10; count++) {
    vi.advanceTimersByTime(30_000);
    heartbeat.answered();
    expect(seen).toEqual({ sent: count, proved: count, failed: 0 });
  }
  heartbeat.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test("fails once, ten seconds after what is not answered, also where it asks more often than that", () => {
  for (const intervalMs of [30_000, 2_000]) {
    const { seen } = start(intervalMs);
    vi.advanceTimersByTime(intervalMs + 9_999);
    expect(seen.failed).toBe(0);
    vi.advanceTimersByTime(1);
    expect(seen.failed).toBe(1);
    vi.advanceTimersByTime(100_000);
    expect(seen.failed).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  }
});

test("in doubt it waits less, whatever else it waits for", () => {
  const { heartbeat, seen } = start();
  vi.advanceTimersByTime(30_000);
  heartbeat.ask(1_500);
  heartbeat.ask();
  vi.advanceTimersByTime(1_499);
  expect(seen.failed).toBe(0);
  vi.advanceTimersByTime(1);
  expect(seen.failed).toBe(1);
});

test("the answer to an older question proves nothing", () => {
  const { heartbeat, seen } = start();
  vi.advanceTimersByTime(30_000);
  heartbeat.ask(1_500);
  heartbeat.answered();
  vi.advanceTimersByTime(1_500);
  expect(seen).toEqual({ sent: 2, proved: 0, failed: 1 });
});

test("answers that nobody asked for do not count for later", () => {
  const { heartbeat, seen } = start();
  for (let count = 0; count < 100; count++) heartbeat.answered();
  heartbeat.ask(1_500);
  vi.advanceTimersByTime(1_500);
  expect(seen.failed).toBe(1);
});
