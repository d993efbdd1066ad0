/** The platform counts nanoseconds in 64 bits, so what is due after the year 2262 would be due at once. */
const LATEST = Date.UTC(2200, 0, 1);

/**
 * The one alarm of an object, set only where that changes something: setting it writes a row. Nothing is due, nothing is
 * set, and the object sleeps for as long as nobody comes.
 */
export class Alarm {
  readonly #storage: DurableObjectStorage;
  /** When it goes off, milliseconds since the epoch; null for never, undefined as long as nobody has asked the storage. */
  #at: number | null | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** To be said first where it goes off: the platform has taken it out by then. */
  wentOff(): void {
    this.#at = null;
  }

  /** Sets it to when the next thing is due, or takes it out. `dueAt` is asked when the storage has answered. */
  async set(dueAt: () => number | null): Promise<void> {
    if (this.#at === undefined) {
      const stored = await this.#storage.getAlarm();
      // Two may have asked; the first has gone on since.
      if (this.#at === undefined) this.#at = stored;
    }
    const due = dueAt();
    const at = due === null ? null : Math.min(due, LATEST);
    if (at === this.#at) return;
    this.#at = at;
    await (at === null ? this.#storage.deleteAlarm() : this.#storage.setAlarm(at));
  }
}
