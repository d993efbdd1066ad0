/**
 * Times in which this process did not run: its machine slept, or it was frozen (stopped, starved, or busy with one thing).
 *
 * What the clocks do meanwhile, in libuv and below it:
 * - Linux: `performance.now` is CLOCK_MONOTONIC, which stands still while the machine is suspended; `os.uptime` is /proc/uptime,
 *   CLOCK_BOOTTIME, which does not. So sleep is told from a process that was stopped.
 * - macOS: `performance.now` is mach_continuous_time and goes on in sleep, and so does `os.uptime` (now less the time of the boot).
 *   A closed lid and SIGSTOP look the same: the timer is late by every clock.
 * - Windows: `performance.now` is QueryPerformanceCounter, which on most hardware goes on in sleep, as GetTickCount64
 *   (`os.uptime`) does everywhere. Mostly as macOS.
 * - A virtual machine that was paused: its clocks stood still, all of them, until somebody sets its wall clock. That is taken for sleep,
 *   and so is a wall clock that is set forward for another reason: nothing but this tells the two apart, and all it costs is a heartbeat.
 *
 * Where a late timer can be either, sleep is what is said: lids are closed more often than processes are stopped.
 */
import os from "node:os";

/** Milliseconds, each from a beginning of its own. */
export interface Clocks {
  /** Since the epoch; people may set it, backwards too. */
  wall(): number;
  monotonic(): number;
  /** Since the machine was started, sleep included. */
  boot(): number;
  /** True where `monotonic` stands still in sleep, so that a late timer means a process that did not run. */
  tellsFrozen: boolean;
}

export interface Gap {
  cause: "asleep" | "frozen";
  /** Milliseconds since the epoch. */
  since: number;
  until: number;
}

/**
 * How often to look, in milliseconds: after waking, a Linux timer still waits for what was left of it. This, the time a doubted
 * connection has to prove itself, and a dial make the two seconds in which who wakes is connected again.
 */
export const LOOK_FOR_GAPS_MS = 250;
/** Far above what clocks differ by from one look to the next. */
const SLEPT_MS = 3_000;
const LATE_MS = 10_000;

export class GapDetector {
  readonly #clocks: Clocks;
  #last: { wall: number; monotonic: number; boot: number };

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
    this.#last = this.#read();
  }

  /** The gap since the last look, if there was one. To be called every `LOOK_FOR_GAPS_MS`, and in between at will. */
  look(): Gap | undefined {
    const now = this.#read();
    const { wall, monotonic, boot } = this.#last;
    this.#last = now;
    const ran = Math.max(0, now.monotonic - monotonic);
    const passed = Math.max(ran, now.boot - boot, now.wall - wall);
    const slept = passed - ran >= SLEPT_MS;
    if (!slept && ran < LATE_MS) return undefined;
    const cause = slept || !this.#clocks.tellsFrozen ? "asleep" : "frozen";
    const until = Math.max(0, Math.trunc(now.wall));
    return { cause, since: Math.max(0, Math.trunc(until - passed)), until };
  }

  #read() {
    const clocks = this.#clocks;
    return { wall: clocks.wall(), monotonic: clocks.monotonic(), boot: clocks.boot() };
  }
}

/** This machine's. */
export const systemClocks: Clocks = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  boot: bootTime,
  tellsFrozen: process.platform === "linux",
};

function bootTime(): number {
  try {
    return os.uptime() * 1000;
  } catch {
    // Some sandboxes do not say; then only the wall clock tells of sleep.
    return 0;
  }
}
