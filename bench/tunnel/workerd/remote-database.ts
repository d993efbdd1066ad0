/** A D1 database behind a port, as much of it as migrations and accounts use. */

interface Answer {
  success: boolean;
  error?: string;
  results: Record<string, unknown>[];
  meta: { changes: number };
}

interface Query {
  sql: string;
  params: unknown[];
}

/** One whose `POST /query` is answered on this port of 127.0.0.1. */
export function remoteDatabase(port: number): D1Database {
  const send = async (queries: Query[]): Promise<Answer[]> => {
    const response = await fetch(`http://127.0.0.1:${port}/query`, {
      method: "POST",
      body: JSON.stringify(queries),
    });
    const answers = (await response.json()) as Answer[] | Answer;
    if (!Array.isArray(answers)) throw new Error(`the hub's database: ${answers.error}`);
    return answers;
  };
  const statement = (query: Query) => {
    const run = async () => (await send([query]))[0];
    return {
      query,
      bind: (...params: unknown[]) => statement({ sql: query.sql, params }),
      run,
      all: run,
      first: async () => (await run())?.results[0] ?? null,
    };
  };
  const database = {
    prepare: (sql: string) => statement({ sql, params: [] }),
    batch: (statements: { query: Query }[]) => send(statements.map(({ query }) => query)),
  };
  return database as unknown as D1Database;
}
