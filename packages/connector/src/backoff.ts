/** Exponential backoff with full jitter: a hub that comes back is not met by everybody at once. */

export interface BackoffOptions {
  /** Milliseconds. */
  baseMs: number;
  maxMs: number;
  /** In [0, 1); default `Math.random`. */
  random?: () => number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #attempts = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Attempts since the last success. */
  get attempts(): number {
    return this.#attempts;
  }

  /** How long to wait before the next attempt, in milliseconds: anything up to twice the last bound, at most `maxMs`. */
  next(): number {
    const { baseMs, maxMs, random = Math.random } = this.#options;
    const bound = Math.min(maxMs, baseMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts++;
    return Math.round(random() * bound);
  }

  reset(): void {
    this.#attempts = 0;
  }
}
