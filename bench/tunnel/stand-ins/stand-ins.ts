/**
 * What the hub binds and plain workerd has not, as little of it as the hub needs: D1 on an object's SQLite, rate limits that allow
 * everything, an archive with nothing in it, and no static files. Runs in workerd.
 */
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

interface Bindings {
  DATABASE: DurableObjectNamespace<Database>;
}

interface Query {
  sql: string;
  /** Bytes are lists of numbers. */
  params?: (string | number | null | number[])[] | null;
}

/** Answers as D1 does what its binding sends: `POST /query` and `/execute`. */
export class D1 extends WorkerEntrypoint<Bindings> {
  override fetch(request: Request): Promise<Response> {
    return this.env.DATABASE.getByName("d1").fetch(request);
  }
}

export class Database extends DurableObject {
  override async fetch(request: Request): Promise<Response> {
    const asked = [await request.json<Query | Query[]>()].flat();
    const asRows = new URL(request.url).searchParams.get("resultsFormat") === "ROWS_AND_COLUMNS";
    try {
      const { storage } = this.ctx;
      return Response.json(storage.transactionSync(() => asked.map((query) => this.#run(query, asRows))));
    } catch (error) {
      return Response.json({ success: false, error: String(error) });
    }
  }

  #run({ sql, params }: Query, asRows: boolean): object {
    const values = (params ?? []).map((value) =>
      Array.isArray(value) ? new Uint8Array(value).buffer : value,
    );
    const { sql: database } = this.ctx.storage;
    const before = totalChanges(database);
    const cursor = database.exec(sql, ...values);
    const columns = cursor.columnNames;
    const rows = [...cursor.raw()].map((row) => row.map(plain));
    const objects = () => rows.map((row) => Object.fromEntries(columns.map((name, at) => [name, row[at]])));
    const changes = totalChanges(database) - before;
    const meta = {
      served_by: "bench",
      duration: 0,
      changes,
      last_row_id: 0,
      changed_db: changes > 0,
      size_after: database.databaseSize,
      rows_read: cursor.rowsRead,
      rows_written: cursor.rowsWritten,
    };
    return { success: true, results: asRows ? { columns, rows } : objects(), meta };
  }
}

function totalChanges(database: SqlStorage): number {
  return database.exec<{ changes: number }>("SELECT total_changes() AS changes").one().changes;
}

function plain(value: SqlStorageValue): string | number | null | number[] {
  return value instanceof ArrayBuffer ? [...new Uint8Array(value)] : value;
}

export class RateLimit extends WorkerEntrypoint {
  limit(): RateLimitOutcome {
    return { success: true };
  }
}

/** Has nothing, and keeps nothing. */
export class Archive extends WorkerEntrypoint {
  get(): null {
    return null;
  }

  put(): null {
    return null;
  }

  list(): { objects: []; truncated: false } {
    return { objects: [], truncated: false };
  }
}

export default class Assets extends WorkerEntrypoint {
  override fetch(): Response {
    return new Response(null, { status: 404 });
  }
}
