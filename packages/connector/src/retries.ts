/** When the hub is dialled again: soon at first, then ever more seldom, quickly again where the machine woke or its network changed. */
import { Backoff } from "./backoff.ts";
import { retryPause } from "./pause.ts";
import type { SocketEnd } from "./socket-end.ts";

const FIRST_RETRY_MS = 500;
/** A connection that lasted this long was a good one: only then does the next failure count as the first. */
const STABLE_MS = 10_000;
/** A network often takes this long to come back after waking, and it need not change its addresses for that. */
const HURRY_MS = 15_000;
/** Between two attempts in a hurry, in milliseconds: from the first of these to both together. */
const HURRIED_MS = { least: 250, spread: 500 };
/** Packets that were sent into a network that was not there yet are sent again too late: another dial is faster. */
const HURRIED_DIAL_MS = 3_000;
const DIAL_MS = 10_000;

export interface RetriesOptions {
  /** Longest pause between two attempts, in milliseconds, where the hub does not ask for a longer one. */
  maxMs: number;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
  /** In [0, 1). */
  random?: () => number;
}

export class Retries {
  readonly #backoff: Backoff;
  readonly #maxMs: number;
  readonly #now: () => number;
  readonly #random: () => number;
  #failures = 0;
  #registeredAt = Number.POSITIVE_INFINITY;
  #hurryUntil = Number.NEGATIVE_INFINITY;

  constructor({ maxMs, now = () => performance.now(), random = () => Math.random() }: RetriesOptions) {
    this.#backoff = new Backoff({ baseMs: FIRST_RETRY_MS, maxMs, random });
    this.#maxMs = maxMs;
    this.#now = now;
    this.#random = random;
  }

  /** The number of the next attempt: 1 after a connection that was good. */
  get attempt(): number {
    return this.#failures + 1;
  }

  /** How long the next dial may take, in milliseconds. */
  get dialTimeoutMs(): number {
    return this.#isHurried() ? HURRIED_DIAL_MS : DIAL_MS;
  }

  registered(): void {
    this.#registeredAt = this.#now();
  }

  /** The machine woke, or its network is another: attempts come quickly for a while. Returns milliseconds until the next. */
  hurry(): number {
    this.#hurryUntil = this.#now() + HURRY_MS;
    this.reset();
    return Math.min(Math.round(this.#random() * FIRST_RETRY_MS), this.#maxMs);
  }

  reset(): void {
    this.#failures = 0;
    this.#backoff.reset();
  }

  /** Milliseconds from the end of a connection, or of a dial, to the next dial. */
  pauseAfter({
    code,
    isSilent,
    retryAfterMs,
  }: Pick<SocketEnd, "code" | "isSilent" | "retryAfterMs">): number {
    const wasRegistered = this.#registeredAt < Number.POSITIVE_INFINITY;
    const wasStable = this.#now() - this.#registeredAt >= STABLE_MS;
    this.#registeredAt = Number.POSITIVE_INFINITY;
    if (wasStable) this.reset();
    this.#failures++;
    if (retryAfterMs !== undefined || !this.#isHurried()) return retryPause(retryAfterMs, this.#backoff);
    // Its proof was waited for already.
    if (wasStable || (wasRegistered && code === "heartbeat_timeout")) return 0;
    // A hub that answers is there: it is not to be pressed.
    if (!isSilent) return retryPause(undefined, this.#backoff);
    const { least, spread } = HURRIED_MS;
    return Math.min(Math.round(least + this.#random() * spread), this.#maxMs);
  }

  #isHurried(): boolean {
    return this.#now() < this.#hurryUntil;
  }
}
