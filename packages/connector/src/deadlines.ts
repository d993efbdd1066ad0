/** Something that may be too late. */
export interface Waiting {
  tooLate(): void;
}

/** Deadlines that are equally long, with one timer for all of them: most are met, and a timer for each costs more than what it waits for. */
export class Deadlines {
  readonly #ms: number;
  /** When each is too late, by `performance.now()`; the earliest first. */
  readonly #due = new Map<Waiting, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Gives it its whole time, from now; also if it had one. */
  begin(waiting: Waiting): void {
    this.#due.delete(waiting);
    this.#due.set(waiting, performance.now() + this.#ms);
    if (this.#timer === undefined) this.#sweepAfter(this.#ms);
  }

  end(waiting: Waiting): void {
    this.#due.delete(waiting);
  }

  #sweepAfter(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#sweep(), ms).unref();
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [waiting, due] of this.#due) {
      if (due > now) return this.#sweepAfter(due - now);
      this.#due.delete(waiting);
      waiting.tooLate();
    }
  }
}
