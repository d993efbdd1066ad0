/** Credit-based flow control of one direction of one stream: pure counting, by the path's clock. SPEC.md section 5. */
import { StreamError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { Path } from "./path.ts";

/** The sender's side: how many bytes it may still send. */
export class SendWindow {
  #credit: number;

  constructor(credit: number) {
    this.#credit = credit;
  }

  get credit(): number {
    return this.#credit;
  }

  /** Spends credit. Spending more than there is is the caller's mistake: RangeError. */
  spend(bytes: number): void {
    if (bytes > this.#credit) throw new RangeError(`${bytes} bytes with ${this.#credit} of credit`);
    this.#credit -= bytes;
  }

  /** Takes credit from the peer. Throws `StreamError` when it breaks the rules. */
  grant(bytes: number): void {
    if (bytes < 1 || this.#credit + bytes > LIMITS.maxWindowBytes) {
      throw new StreamError("flow_control_error", "credit out of range");
    }
    this.#credit += bytes;
  }
}

/** The numbers of a `ReceiveWindow`, in bytes, so that it can be kept while its owner is out of memory. */
export interface ReceiveWindowState {
  /** What the peer may still send. */
  available: number;
  /** Consumed, but not given back yet. */
  unreturned: number;
  size: number;
}

/** What was written when all windows were of `FORMER_WINDOW_BYTES` and did not grow says no size. */
type KeptWindowState = Omit<ReceiveWindowState, "size"> & Partial<Pick<ReceiveWindowState, "size">>;

const FORMER_WINDOW_BYTES = 512 * 1024;
/** A window that is used up in so many round trips is what its sender waits for. */
const GROW_ROUND_TRIPS = 2;
/** On a shorter way the first window lets a gigabit a second through. Clocks here have steps of 1 ms. */
const MIN_ROUND_TRIP_MS = 4;
/** A grown window that is not used up in so many round trips, or in this time if that is longer, is larger than it need be. */
const SHRINK_ROUND_TRIPS = 16;
const SHRINK_MS = 1000;

/**
 * The receiver's side: how much the peer may still send, when to give credit back, and whether to give more or less than was
 * consumed.
 */
export class ReceiveWindow {
  readonly #path: Path;
  #size: number;
  /** How much of its size it has of the path's growth. */
  #grown: number;
  #available: number;
  #unreturned: number;
  /** Bytes that may come before the first that could not be sent without the credit of `#creditedAt`; negative: it has come. */
  #ahead = -1;
  #creditedAt = 0;
  #used = 0;
  #usedSince: number;

  constructor(path: Path, size: number, state: KeptWindowState = { available: size, unreturned: 0, size }) {
    this.#path = path;
    this.#size = state.size ?? FORMER_WINDOW_BYTES;
    this.#grown = Math.max(0, this.#size - size);
    path.shrink(-this.#grown);
    this.#available = state.available;
    this.#unreturned = state.unreturned;
    this.#usedSince = path.now();
  }

  get state(): ReceiveWindowState {
    return { available: this.#available, unreturned: this.#unreturned, size: this.#size };
  }

  /** Bytes that arrived and nobody consumed yet. */
  get held(): number {
    return this.#size - this.#available - this.#unreturned;
  }

  /** When it was made, until a window of bytes was consumed; milliseconds of the path's clock. */
  get usedSince(): number {
    return this.#usedSince;
  }

  /** Counts arrived bytes. Throws `StreamError` when the peer had no credit for them. */
  receive(bytes: number): void {
    if (bytes > this.#available) throw new StreamError("flow_control_error", "more data than credit");
    this.#available -= bytes;
    if (this.#ahead < 0) return;
    this.#ahead -= bytes;
    if (this.#ahead < 0) this.#path.measure(this.#creditedAt);
  }

  /** Counts consumed bytes; returns the credit to give back now, or 0 to wait for more. */
  consume(bytes: number): number {
    this.#unreturned += bytes;
    if (this.#unreturned < this.#size / 4) return 0;
    const now = this.#path.now();
    const credit = this.#unreturned + this.#resize(now);
    this.#unreturned = 0;
    if (credit > 0 && this.#ahead < 0) {
      this.#ahead = this.#available;
      this.#creditedAt = now;
    }
    this.#available += credit;
    return credit;
  }

  /** Counts consumed bytes of a peer that has ended and needs no credit. */
  consumeLast(bytes: number): void {
    this.#unreturned += bytes;
  }

  /** Nothing comes any more and nothing is held: what it has grown by is the others'. */
  release(): void {
    this.#path.shrink(this.#grown);
    this.#grown = 0;
  }

  /** What credit is to be more, or less, than was consumed. */
  #resize(now: number): number {
    this.#used += this.#unreturned;
    const { roundTripMs } = this.#path;
    const tookMs = now - this.#usedSince;
    const isSlow = tookMs > Math.max(SHRINK_MS, SHRINK_ROUND_TRIPS * (roundTripMs ?? 0));
    if (!isSlow && this.#used < this.#size) return 0;
    this.#used = 0;
    this.#usedSince = now;
    if (isSlow) return -this.#shrink();
    if (roundTripMs === undefined || roundTripMs < MIN_ROUND_TRIP_MS) return 0;
    return tookMs <= GROW_ROUND_TRIPS * roundTripMs ? this.#grow() : 0;
  }

  #grow(): number {
    const wanted = Math.min(this.#size, LIMITS.grownWindowBytes - this.#size);
    const grown = wanted > 0 ? this.#path.grow(wanted) : 0;
    this.#size += grown;
    this.#grown += grown;
    return grown;
  }

  #shrink(): number {
    const shrunk = Math.min(this.#unreturned, this.#grown);
    this.#path.shrink(shrunk);
    this.#size -= shrunk;
    this.#grown -= shrunk;
    return shrunk;
  }
}
