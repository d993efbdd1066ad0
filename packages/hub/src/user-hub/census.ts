/** Tells D1 how many instances are connected and how many dashboards are open, when one of the numbers has changed. */
import { saveCensus, type CensusRow } from "../db/census.ts";
import type { Env } from "../env.ts";
import { log } from "../log.ts";

interface Place {
  ctx: Pick<DurableObjectState, "waitUntil">;
  env: Pick<Env, "DB">;
  owner: () => string;
  /** The numbers as they are. */
  count: () => CensusRow;
}

export class Census {
  readonly #place: Place;
  /** What D1 has, as far as this object has said it since it was last evicted. */
  #written: CensusRow | undefined;
  #isWriting = false;

  constructor(place: Place) {
    this.#place = place;
  }

  /** To be said when a number may have changed. While something is being written, what comes then is written after it, once. */
  changed(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#place.ctx.waitUntil(this.#write());
  }

  /** Never rejects: what could not be written is with the next change. */
  async #write(): Promise<void> {
    const { env, owner, count } = this.#place;
    try {
      for (let now = count(); !isSame(now, this.#written); now = count()) {
        await saveCensus(env.DB, owner(), now);
        this.#written = now;
      }
    } catch (error) {
      this.#written = undefined;
      log("census_failed", { userId: owner(), error });
    } finally {
      this.#isWriting = false;
    }
  }
}

function isSame(one: CensusRow, other: CensusRow | undefined): boolean {
  return one.instances === other?.instances && one.browsers === other.browsers;
}
