/** Time that passes only when something is due: a simulation of minutes takes milliseconds and is the same every time. */

interface Due {
  at: number;
  order: number;
  run: () => void;
}

export class VirtualClock {
  /** Milliseconds since the beginning. */
  now = 0;
  readonly #due: Due[] = [];
  #order = 0;
  /** Called after everything of one instant has happened. */
  afterInstant: () => void = () => undefined;

  /** Calls back after so many milliseconds; 0 is the end of this turn. */
  after(ms: number, run: () => void): void {
    const due = { at: this.now + ms, order: this.#order++, run };
    let index = this.#due.length;
    while (index > 0 && isBefore(due, this.#due[index - 1])) index--;
    this.#due.splice(index, 0, due);
  }

  /** Lets time pass until nothing is due any more, or until this time. */
  run(until = Number.POSITIVE_INFINITY): void {
    for (let next = this.#due[0]; next && next.at <= until; next = this.#due[0]) {
      this.#due.shift();
      this.now = next.at;
      next.run();
      if (this.#due[0]?.at !== this.now) this.afterInstant();
    }
    if (Number.isFinite(until)) this.now = until;
  }
}

function isBefore(a: Due, b: Due | undefined): boolean {
  return b !== undefined && (a.at < b.at || (a.at === b.at && a.order < b.order));
}
