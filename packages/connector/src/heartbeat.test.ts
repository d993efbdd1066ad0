import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Heartbeat } from "./heartbeat.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
});
afterEach(() => void vi.useRealTimers());

/** Answers have a last chance after the timer. */
async function pass(ms: number) {
  vi.advanceTimersByTime(ms);
  await new Promise((resolve) => setImmediate(resolve));
}

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

test("asks every so often, and goes on while it is answered", async () => {
  const { heartbeat, seen } = start();
  for (let count = 1; count <= 10; count++) {
    await pass(30_000);
    heartbeat.answered();
    expect(seen).toEqual({ sent: count, proved: count, failed: 0 });
  }
  heartbeat.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test("fails once, ten seconds after what is not answered, also where it asks more often than that", async () => {
  for (const intervalMs of [30_000, 2_000]) {
    const { seen } = start(intervalMs);
    await pass(intervalMs + 9_999);
    expect(seen.failed).toBe(0);
    await pass(1);
    expect(seen.failed).toBe(1);
    await pass(100_000);
    expect(seen.failed).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  }
});

test("answers that come late, but in time, are answers, also where the next question came before them", async () => {
  const { heartbeat, seen } = start(5_000);
  await pass(14_000);
  for (let count = 0; count < 100; count++) {
    heartbeat.answered();
    await pass(5_000);
  }
  expect(seen).toMatchObject({ sent: 102, failed: 0 });
});

test("in doubt it waits less, whatever else it waits for", async () => {
  const { heartbeat, seen } = start();
  await pass(30_000);
  heartbeat.ask(1_500);
  heartbeat.ask();
  await pass(1_499);
  expect(seen.failed).toBe(0);
  await pass(1);
  expect(seen.failed).toBe(1);
});

test("the answer to an older question proves nothing", async () => {
  const { heartbeat, seen } = start();
  await pass(30_000);
  heartbeat.ask(1_500);
  heartbeat.answered();
  await pass(1_500);
  expect(seen).toEqual({ sent: 2, proved: 0, failed: 1 });
});

test("answers that nobody asked for do not count for later", async () => {
  const { heartbeat, seen } = start();
  for (let count = 0; count < 100; count++) heartbeat.answered();
  heartbeat.ask(1_500);
  await pass(1_500);
  expect(seen.failed).toBe(1);
});

test("an answer that has arrived while nothing ran here counts, though the timer is due", async () => {
  const { heartbeat, seen } = start();
  heartbeat.ask();
  vi.advanceTimersByTime(20_000);
  heartbeat.answered();
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toMatchObject({ proved: 1, failed: 0 });
  heartbeat.ask();
  await pass(10_000);
  expect(seen.failed).toBe(1);
});

test("what stands before the answer is read first, however much it is; but not for ever", async () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const { heartbeat, seen } = start();
  heartbeat.ask();
  vi.advanceTimersByTime(20_000);
  for (let count = 0; count < 20; count++) {
    heartbeat.heard();
    await turn();
  }
  heartbeat.answered();
  await turn();
  expect(seen).toMatchObject({ proved: 1, failed: 0 });
  heartbeat.ask();
  vi.advanceTimersByTime(10_000);
  for (let count = 0; count < 100; count++) {
    heartbeat.heard();
    await turn();
  }
  expect(seen.failed).toBe(1);
});
