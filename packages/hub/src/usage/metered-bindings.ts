/** D1 and R2 as they are, and counted by what they answer. */
import { usage } from "./usage.ts";

/** What the hub uses of them. */
type Database = Pick<D1Database, "prepare" | "batch">;
type Statement = Pick<D1PreparedStatement, "bind" | "all" | "run" | "first">;
type Bucket = Pick<R2Bucket, "get" | "head" | "put" | "delete">;

const databases = new WeakMap<D1Database, D1Database>();
const buckets = new WeakMap<R2Bucket, R2Bucket>();

export function meteredDatabase(database: D1Database): D1Database {
  const known = databases.get(database);
  if (known !== undefined) return known;
  const counted = new MeteredDatabase(database) as Database as D1Database;
  databases.set(database, counted);
  return counted;
}

/** Undefined stays so: a hub may have been deployed without a bucket. */
export function meteredBucket(bucket: R2Bucket): R2Bucket;
export function meteredBucket(bucket: R2Bucket | undefined): R2Bucket | undefined;
export function meteredBucket(bucket: R2Bucket | undefined): R2Bucket | undefined {
  if (bucket === undefined) return undefined;
  const known = buckets.get(bucket);
  if (known !== undefined) return known;
  const counted = countedBucket(bucket) as R2Bucket;
  buckets.set(bucket, counted);
  return counted;
}

class MeteredDatabase implements Database {
  readonly #database: D1Database;

  constructor(database: D1Database) {
    this.#database = database;
  }

  prepare(query: string): D1PreparedStatement {
    return metered(this.#database.prepare(query));
  }

  async batch<T>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]> {
    const results = await this.#database.batch<T>(statements.map(plainOf));
    for (const { meta } of results) count(meta);
    return results;
  }
}

class MeteredStatement implements Statement {
  readonly plain: D1PreparedStatement;

  constructor(plain: D1PreparedStatement) {
    this.plain = plain;
  }

  bind(...values: unknown[]): D1PreparedStatement {
    return metered(this.plain.bind(...values));
  }

  async all<T>(): Promise<D1Result<T>> {
    const result = await this.plain.all<T>();
    count(result.meta);
    return result;
  }

  async run<T>(): Promise<D1Result<T>> {
    const result = await this.plain.run<T>();
    count(result.meta);
    return result;
  }

  /** By `all`, because only that says what it has read; D1 itself asks for all rows for the first, too. */
  async first<T>(column?: string): Promise<T | null> {
    const { results } = await this.all<Record<string, unknown>>();
    const [row] = results;
    if (row === undefined) return null;
    return (column === undefined ? row : row[column]) as T;
  }
}

function metered(statement: D1PreparedStatement): D1PreparedStatement {
  return new MeteredStatement(statement) as Statement as D1PreparedStatement;
}

function plainOf(statement: Statement): D1PreparedStatement {
  return statement instanceof MeteredStatement ? statement.plain : (statement as D1PreparedStatement);
}

/** What stands in for D1 in a test may not say. */
function count(meta: Partial<D1Meta> | undefined): void {
  const { rows_read: read = 0, rows_written: written = 0 } = meta ?? {};
  if (read > 0) usage.count("d1_rows_read", read);
  if (written > 0) usage.count("d1_rows_written", written);
}

/** Deleting is free. */
function countedBucket(bucket: R2Bucket): Bucket {
  return {
    get: (...args: Parameters<R2Bucket["get"]>) => {
      usage.count("r2_reads");
      return bucket.get(...args);
    },
    head: (key) => {
      usage.count("r2_reads");
      return bucket.head(key);
    },
    put: ((...args: Parameters<R2Bucket["put"]>) => {
      usage.count("r2_writes");
      return bucket.put(...args);
    }) as R2Bucket["put"],
    delete: (keys) => bucket.delete(keys),
  };
}
