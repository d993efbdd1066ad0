/** Clocks that tests move on by hand, and a way to let this process's own jump. */
import os from "node:os";
import { vi } from "vitest";
import type { Clocks } from "../gap.ts";

const START = 1_790_000_000_000;

export interface HandClocks extends Clocks {
  /** Everything goes on by this many milliseconds. */
  pass(ms: number): void;
  /** The machine sleeps: the monotonic clock stands still. */
  sleep(ms: number): void;
  /** Somebody sets the wall clock. */
  set(byMs: number): void;
}

/** As on Linux, unless `tellsFrozen` is false. */
export function handClocks(tellsFrozen = true): HandClocks {
  const now = { wall: START, monotonic: 5_000, boot: 900_000 };
  const clocks: HandClocks = {
    tellsFrozen,
    wall: () => now.wall,
    monotonic: () => now.monotonic,
    boot: () => now.boot,
    pass: (ms) => {
      now.monotonic += ms;
      clocks.sleep(ms);
    },
    sleep: (ms) => {
      now.wall += ms;
      now.boot += ms;
    },
    set: (byMs) => (now.wall += byMs),
  };
  return clocks;
}

/** This process's clocks, ahead by what was added; `vi.restoreAllMocks` brings them back. */
export function jumpingClocks() {
  const ahead = { wall: 0, monotonic: 0, boot: 0 };
  const real = {
    wall: Date.now.bind(Date),
    monotonic: performance.now.bind(performance),
    boot: os.uptime.bind(os),
  };
  vi.spyOn(Date, "now").mockImplementation(() => real.wall() + ahead.wall);
  vi.spyOn(performance, "now").mockImplementation(() => real.monotonic() + ahead.monotonic);
  vi.spyOn(os, "uptime").mockImplementation(() => real.boot() + ahead.boot / 1000);
  return {
    /** The machine slept, as Linux sees it. */
    sleep: (ms: number) => {
      ahead.wall += ms;
      ahead.boot += ms;
    },
    pass: (ms: number) => {
      ahead.wall += ms;
      ahead.monotonic += ms;
      ahead.boot += ms;
    },
  };
}
