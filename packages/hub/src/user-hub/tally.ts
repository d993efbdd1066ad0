/** How many instances there are, all in all and connected, without counting each time: that reads every row. */
interface Counts {
  all: number;
  connected: number;
}

export class Tally {
  readonly #sql: SqlStorage;
  /** Undefined until somebody asks. */
  #counts: Counts | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  counts(): Counts {
    this.#counts ??= this.#sql
      .exec<Record<keyof Counts, number>>(
        `SELECT count(*) AS "all", coalesce(sum(connected), 0) AS connected FROM instances`,
      )
      .one();
    return this.#counts;
  }

  /** There are as many more, or fewer. */
  add(all: number, connected: number): void {
    if (this.#counts === undefined) return;
    this.#counts = { all: this.#counts.all + all, connected: this.#counts.connected + connected };
  }
}
