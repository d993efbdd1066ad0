/**
 * Which instances have changed since a page was drawn, so that a page that connects is told of those alone: with a thousand cards the
 * whole truth is 2 MB. In memory; after an eviction nothing is known of any page, and it is told everything.
 */

/** More labels than can be on pages: then everything begins anew. */
const MOST_LABELS = 4000;

interface Change {
  /** Of the last change. */
  number: number;
  /** Of the change with which pages had to be given a card; 0 where they had one before. */
  addedAt: number;
}

export class Revisions {
  #life = crypto.randomUUID();
  #number = 0;
  readonly #changes = new Map<string, Change>();

  /** Names how everything is now. */
  get current(): string {
    return `${this.#life}.${this.#number}`;
  }

  /** An instance has changed; `isKnown` says whether pages already have a card of it. */
  changed(label: string, isKnown: boolean): void {
    this.#number++;
    const before = this.#changes.get(label);
    const addedAt = isKnown ? (before?.addedAt ?? 0) : this.#number;
    this.#changes.set(label, { number: this.#number, addedAt });
    if (this.#changes.size > MOST_LABELS) this.#beginAnew();
  }

  /** What has changed since everything was as `revision` names it, and whether pages of then have a card of it; undefined where that is not known. */
  since(revision: string): Map<string, boolean> | undefined {
    const [life, number = ""] = revision.split(".");
    const then = Number(number);
    if (life !== this.#life || !/^\d+$/.test(number) || then > this.#number) return undefined;
    const later = [...this.#changes].filter(([, change]) => change.number > then);
    return new Map(later.map(([label, { addedAt }]) => [label, addedAt <= then]));
  }

  #beginAnew(): void {
    this.#life = crypto.randomUUID();
    this.#number = 0;
    this.#changes.clear();
  }
}
