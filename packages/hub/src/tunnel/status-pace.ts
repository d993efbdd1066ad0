/**
 * How fast an instance's reports go on to its owner's UserHub, where each costs rows: as they come, and of too many only the last,
 * as soon as there is room again. In memory only, and what waits keeps the object awake.
 */

import type { Level } from "../usage/levels.ts";

interface Pace {
  /** As many go on at once. */
  burst: number;
  /** Milliseconds after which there is room for one more. */
  roomMs: number;
}

/**
 * By how near the hub is to the end of a quota. Hundreds of sessions may begin together, and a connector of ours sends at most 50 in
 * a second. What waits keeps the object awake and saves rows only where another takes its place, so no pace is slower than what
 * busy sessions overtake.
 */
const PACES: Record<Level, Pace> = {
  normal: { burst: 600, roomMs: 200 },
  tight: { burst: 1, roomMs: 2000 },
  scarce: { burst: 1, roomMs: 5000 },
  exhausted: { burst: 1, roomMs: 5000 },
};

export class StatusPace {
  #room = PACES.normal.burst;
  #at = 0;
  #waiting: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** Takes room for one, and what waits is out of date then; false where there is none. `now` is milliseconds since the epoch. */
  take(now: number, level: Level): boolean {
    const { burst, roomMs } = PACES[level];
    this.#room = Math.min(burst, this.#room + Math.max(0, now - this.#at) / roomMs);
    this.#at = now;
    if (this.#room < 1) return false;
    this.#room--;
    this.cancel();
    return true;
  }

  /** Calls back once there is room, unless something newer takes its place. */
  later(send: () => void, level: Level): void {
    this.#waiting = send;
    this.#timer ??= setTimeout(() => this.#send(), PACES[level].roomMs);
  }

  /** The connection has ended, or another has taken its place. */
  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#waiting = undefined;
  }

  #send(): void {
    const send = this.#waiting;
    this.#room--;
    this.cancel();
    send?.();
  }
}
