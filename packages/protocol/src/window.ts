/** Credit-based flow control of one direction of one stream: pure counting. SPEC.md section 5. */
import { StreamError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

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

/** Both numbers of a `ReceiveWindow`, in bytes, so that it can be kept while its owner is out of memory. */
export interface ReceiveWindowState {
  /** What the peer may still send. */
  available: number;
  /** Consumed, but not given back yet. */
  unreturned: number;
}

/** The receiver's side: how much the peer may still send, and when to give credit back. */
export class ReceiveWindow {
  readonly #size: number;
  #available: number;
  #unreturned: number;

  constructor(size: number, state: ReceiveWindowState = { available: size, unreturned: 0 }) {
    this.#size = size;
    this.#available = state.available;
    this.#unreturned = state.unreturned;
  }

  get state(): ReceiveWindowState {
    return { available: this.#available, unreturned: this.#unreturned };
  }

  /** Bytes that arrived and nobody consumed yet. */
  get held(): number {
    return this.#size - this.#available - this.#unreturned;
  }

  /** Counts arrived bytes. Throws `StreamError` when the peer had no credit for them. */
  receive(bytes: number): void {
    if (bytes > this.#available) throw new StreamError("flow_control_error", "more data than credit");
    this.#available -= bytes;
  }

  /** Counts consumed bytes; returns the credit to give back now, or 0 to wait for more. */
  consume(bytes: number): number {
    this.#unreturned += bytes;
    if (this.#unreturned < this.#size / 4) return 0;
    const credit = this.#unreturned;
    this.#unreturned = 0;
    this.#available += credit;
    return credit;
  }
}
