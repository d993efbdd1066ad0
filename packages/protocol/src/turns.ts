/** Whose turn it is to write a body, where what is to be sent has room for little: who has had least goes first. */

/** Who has got this much further than another waits for it. What writes little is not sent to the end for every bit of it. */
const STEP_BYTES = 64 * 1024;

/** One that takes turns. */
export interface TurnTaker {
  /** How far it has got, in bytes; begins with 0 and grows by what it writes. */
  turn: number;
  /** Writes a frame, if it still has one. */
  takeTurn(): void;
}

/**
 * Start-time fair queueing: one that comes back after a pause counts as if it had got as far as those that waited, so what
 * writes seldom never waits for a round of those that write much, and saves nothing up.
 */
export class Turns {
  readonly #hasRoom: () => boolean;
  readonly #waiting = new Set<TurnTaker>();
  /** Steps that the one had got behind it that wrote last. */
  #steps = 0;
  /** Whose turn it is, until it writes a frame. */
  #current: TurnTaker | undefined;

  constructor(hasRoom: () => boolean) {
    this.#hasRoom = hasRoom;
  }

  /** Whether it may write one frame now; if not, it waits for its turn. */
  admits(taker: TurnTaker): boolean {
    taker.turn = Math.max(taker.turn, this.#steps * STEP_BYTES);
    const isNext = this.#waiting.size === 0 || this.#current === taker;
    if (isNext && this.#hasRoom()) {
      this.#current = undefined;
      this.#steps = stepsOf(taker);
      return true;
    }
    this.#waiting.add(taker);
    return false;
  }

  /** Gives turns while there is room. */
  give(): void {
    while (this.#waiting.size > 0 && this.#hasRoom()) {
      const next = this.#least();
      if (!next) return;
      this.#waiting.delete(next);
      this.#current = next;
      next.takeTurn();
      this.#current = undefined;
    }
  }

  forget(taker: TurnTaker): void {
    this.#waiting.delete(taker);
  }

  #least(): TurnTaker | undefined {
    let least: TurnTaker | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const taker of this.#waiting) {
      const steps = stepsOf(taker);
      // Among equals the last to come: it may be one that writes seldom, the others wait for each other in any case.
      if (steps <= fewest) [least, fewest] = [taker, steps];
    }
    return least;
  }
}

function stepsOf({ turn }: TurnTaker): number {
  return Math.floor(turn / STEP_BYTES);
}
