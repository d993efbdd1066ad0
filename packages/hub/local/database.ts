/**
 * The hub's D1 for the runner. Miniflare's own way to it stops this thread until workerd answers; workerd in turn waits for this
 * thread to read what it has logged, and a few hundred instances that come back at once log enough for both to wait for ever. So
 * statements go to a small Worker beside the hub, as requests.
 */
import { randomBytes } from "node:crypto";
import type { Miniflare, V4WorkerOptions } from "miniflare";

const HOST = "database.internal";

/** Runs what it is sent in one transaction. Only this process knows the secret: the port it comes by is open to the machine. */
const SCRIPT = `export default {
  async fetch(request, { DB, SECRET }) {
    if (request.headers.get("authorization") !== SECRET) return new Response(null, { status: 403 });
    const statements = await request.json();
    try {
      return Response.json(await DB.batch(statements.map(({ sql, values }) => DB.prepare(sql).bind(...values))));
    } catch (error) {
      return new Response(String(error), { status: 500 });
    }
  },
};`;

/** What D1 takes here: no bytes. */
type Value = string | number | null;
interface Result {
  results: Record<string, unknown>[];
}
type Ask = (statements: Statement[]) => Promise<Result[]>;

interface DatabaseWorker {
  options: V4WorkerOptions;
  /** What asks it, once Miniflare runs. */
  connect: (miniflare: Miniflare) => D1Database;
}

/** The Worker that answers. `d1Databases`: the hub's, with `DB` in it. */
export function databaseWorker(d1Databases: NonNullable<V4WorkerOptions["d1Databases"]>): DatabaseWorker {
  const secret = randomBytes(32).toString("base64url");
  return {
    options: {
      name: "database",
      modules: true,
      script: SCRIPT,
      routes: [`${HOST}/*`],
      bindings: { SECRET: secret },
      d1Databases,
    },
    connect: (miniflare) => {
      const ask: Ask = async (statements) => {
        const answer = await miniflare.dispatchFetch(`http://${HOST}/`, {
          method: "POST",
          headers: { authorization: secret },
          body: JSON.stringify(statements),
        });
        if (!answer.ok) throw new Error(await answer.text());
        return (await answer.json()) as Result[];
      };
      const database = { prepare: (sql: string) => new Statement(ask, sql), batch: ask };
      // As much of it as the hub's database code uses.
      return database as unknown as D1Database;
    },
  };
}

class Statement {
  readonly #ask: Ask;
  readonly #sql: string;
  readonly #values: Value[];

  constructor(ask: Ask, sql: string, values: Value[] = []) {
    this.#ask = ask;
    this.#sql = sql;
    this.#values = values;
  }

  toJSON(): { sql: string; values: Value[] } {
    return { sql: this.#sql, values: this.#values };
  }

  bind(...values: Value[]): Statement {
    return new Statement(this.#ask, this.#sql, values);
  }

  async all(): Promise<Result> {
    const [result] = await this.#ask([this]);
    if (result === undefined) throw new Error("D1 has answered nothing.");
    return result;
  }

  run(): Promise<Result> {
    return this.all();
  }

  async first(): Promise<unknown> {
    return (await this.all()).results[0] ?? null;
  }
}
