/**
 * How fast an instance's reports go on to its owner's UserHub, where each costs rows: as they come, and of too many only the last,
 * as soon as there is room again. In memory only, and what waits keeps the object awake for a fraction of a second.
 */

/** As many go on at once: hundreds of sessions may begin together, and a connector of ours sends at most 50 in a second. */
const BURST = 600;
/** Milliseconds after which there is room for one more. */
const ROOM_MS = 200;

export class StatusPace {
  #room = BURST;
  #at = 0;
  #waiting: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** Takes room for one, and what waits is out of date then; false where there is none. `now` is milliseconds since the epoch. */
  take(now: number): boolean {
    this.#room = Math.min(BURST, this.#room + Math.max(0, now - this.#at) / ROOM_MS);
    this.#at = now;
    if (this.#room < 1) return false;
    this.#room--;
    this.cancel();
    return true;
  }

  /** Calls back once there is room, unless something newer takes its place. */
  later(send: () => void): void {
    this.#waiting = send;
    this.#timer ??= setTimeout(() => this.#send(), ROOM_MS);
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
