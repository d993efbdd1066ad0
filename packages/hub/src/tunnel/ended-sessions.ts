/** Sign-ins that have ended while a cookie of theirs may still be fresh. Stored, and read once in the object's life. */
import { ACCESS_MS } from "../auth/session.ts";

/** Viewer cookies are believed for `ACCESS_MS`; clocks may differ by a little. */
const REMEMBERED_MS = ACCESS_MS + 60_000;
const KEY = "endedSessions";

export class EndedSessions {
  readonly #kv: SyncKvStorage;
  /** Until when each is remembered, milliseconds since the epoch. */
  #until: Map<string, number> | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#kv = storage.kv;
  }

  has(sessionId: string, now: number): boolean {
    const until = this.#known().get(sessionId);
    return until !== undefined && now < until;
  }

  add(sessionIds: readonly string[], now: number): void {
    const known = this.#known();
    for (const [id, until] of known) if (until <= now) known.delete(id);
    for (const id of sessionIds) known.set(id, now + REMEMBERED_MS);
    this.#kv.put(KEY, known);
  }

  #known(): Map<string, number> {
    this.#until ??= this.#kv.get<Map<string, number>>(KEY) ?? new Map();
    return this.#until;
  }
}
