/** What the streams of a connection share of the way to its other end: how long it takes, and how far windows may grow. SPEC.md section 5. */
import { LIMITS } from "./limits.ts";

/** The shortest round trip of this time counts, and that of the one before: a way changes. */
const PERIOD_MS = 60_000;
/** No way counts as longer: what took longer waited for its sender. */
const MAX_ROUND_TRIP_MS = 500;

export class Path {
  /** Milliseconds since any time. */
  readonly now: () => number;
  #growth = LIMITS.windowGrowthBytes;
  #shortest = Number.POSITIVE_INFINITY;
  #shortestBefore = Number.POSITIVE_INFINITY;
  #periodBegan = 0;

  constructor(now: () => number) {
    this.now = now;
  }

  /** Milliseconds there and back, at least; undefined while nothing was measured. */
  get roundTripMs(): number | undefined {
    const shortest = Math.min(this.#shortest, this.#shortestBefore);
    return shortest === Number.POSITIVE_INFINITY ? undefined : shortest;
  }

  /** What all windows together may still grow by, in bytes. */
  get growth(): number {
    return this.#growth;
  }

  /**
   * Something came back that could not have been sent before what left at `since` had arrived. Who sent it may have waited, so
   * only the shortest counts.
   */
  measure(since: number): void {
    const now = this.now();
    // A clock that was set back says nothing.
    if (now < since) return;
    const tookMs = Math.min(now - since, MAX_ROUND_TRIP_MS);
    if (now - this.#periodBegan > PERIOD_MS) {
      this.#shortestBefore = this.#shortest;
      this.#shortest = tookMs;
      this.#periodBegan = now;
    } else if (tookMs < this.#shortest) this.#shortest = tookMs;
  }

  /** Takes up to `bytes` for one window, never more than half of what is left: a few must not leave the others nothing. */
  grow(bytes: number): number {
    const granted = Math.max(0, Math.min(bytes, Math.floor(this.#growth / 2)));
    this.#growth -= granted;
    return granted;
  }

  /** Gives back what a window has grown by; negative: what one had grown by that was kept while its owner was out of memory. */
  shrink(bytes: number): void {
    this.#growth += bytes;
  }
}
