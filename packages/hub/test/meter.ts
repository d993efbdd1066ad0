/**
 * Counts what Cloudflare bills, in the objects, D1 and R2 of the tests: every prototype that a bill depends on is wrapped. Objects
 * are those of the Worker under test; what a test does inside one itself, by `runInDurableObject`, is counted too.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Tunnel } from "../src/tunnel/tunnel.ts";
import { UserHub } from "../src/user-hub/user-hub.ts";

/** How often each thing happened, by its name. */
export type Tally = Record<string, number>;

export interface Counts {
  /** Objects that were made anew because something came for one that was not in memory. */
  constructed: number;
  /** Calls of the objects' handlers and RPC methods: `Tunnel.webSocketMessage`, `UserHub.list`, … */
  calls: Tally;
  /** Rows that objects wrote, by table, by key, or `alarm`. A row that is deleted counts as one that is written. */
  rows: Tally;
  /** Rows that D1 wrote, indexes included. */
  d1Rows: number;
  /** Operations on R2, by name. */
  r2: Tally;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

let counts = nothing();

export function nothing(): Counts {
  return { constructed: 0, calls: {}, rows: {}, d1Rows: 0, r2: {} };
}

/** What has been counted so far. */
export function live(): Counts {
  return counts;
}

/** What `during` costs. */
export async function metered(during: () => unknown): Promise<Counts> {
  counts = nothing();
  await during();
  const counted = counts;
  counts = nothing();
  return counted;
}

export function sum(tally: Tally): number {
  return Object.values(tally).reduce((total, count) => total + count, 0);
}

/** Begins to count; once in a test file, before its first object does something. */
export async function installMeter(): Promise<void> {
  for (const Class of [Tunnel, UserHub]) countCalls(Class.name, Class.prototype);
  await runInDurableObject(env.USER_HUB.getByName("meter"), (_object, state) => countObjects(state));
  countD1();
  for (const name of ["get", "head", "put", "delete", "list"])
    before(Object.getPrototypeOf(env.ARCHIVE), name, () => add(counts.r2, name));
}

function countCalls(className: string, prototype: object): void {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const isMethod = typeof Object.getOwnPropertyDescriptor(prototype, name)?.value === "function";
    if (isMethod && name !== "constructor")
      before(prototype, name, () => add(counts.calls, `${className}.${name}`));
  }
}

function countObjects(state: DurableObjectState): void {
  const { storage } = state;
  after(Object.getPrototypeOf(storage.sql), "exec", (cursor, statement) => {
    const { rowsWritten } = cursor as SqlStorageCursor<Record<string, SqlStorageValue>>;
    if (rowsWritten > 0) add(counts.rows, tableOf(String(statement)), rowsWritten);
  });
  for (const rows of [storage, storage.kv]) {
    for (const name of ["put", "delete"])
      before(Object.getPrototypeOf(rows), name, (key) => add(counts.rows, String(key)));
  }
  for (const name of ["setAlarm", "deleteAlarm"])
    before(Object.getPrototypeOf(storage), name, () => add(counts.rows, "alarm"));
  // Both classes say once, when they are made, what the platform is to answer for them.
  before(Object.getPrototypeOf(state), "setWebSocketAutoResponse", () => counts.constructed++);
}

/** D1 says what it wrote in answers that not every method returns, so all ask by the one that does. */
function countD1(): void {
  const written = (result: unknown) => {
    counts.d1Rows += (result as D1Result).meta.rows_written;
  };
  const Statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1")) as Record<string, Method> & {
    all: Method;
  };
  for (const name of ["run", "all"]) afterAsync(Statement, name, written);
  Statement["first"] = async function (this: unknown, column: unknown) {
    const { results } = (await Statement.all.call(this)) as D1Result<Record<string, unknown>>;
    const [row = null] = results;
    return typeof column === "string" && row !== null ? row[column] : row;
  };
  Statement["raw"] = () => {
    throw new Error("The meter does not count D1's raw().");
  };
  afterAsync(Object.getPrototypeOf(env.DB) as object, "batch", (results) => {
    for (const result of results as unknown[]) written(result);
  });
}

function tableOf(statement: string): string {
  return /(?:INTO|UPDATE|FROM)\s+(\w+)/i.exec(statement)?.[1] ?? statement;
}

function add(tally: Tally, name: string, count = 1): void {
  tally[name] = (tally[name] ?? 0) + count;
}

function before(prototype: unknown, name: string, note: (...args: unknown[]) => void): void {
  wrap(
    prototype,
    name,
    (method) =>
      function (this: unknown, ...args) {
        note(...args);
        return method.apply(this, args);
      },
  );
}

function after(prototype: unknown, name: string, note: (result: unknown, ...args: unknown[]) => void): void {
  wrap(
    prototype,
    name,
    (method) =>
      function (this: unknown, ...args) {
        const result = method.apply(this, args);
        note(result, ...args);
        return result;
      },
  );
}

function afterAsync(prototype: unknown, name: string, note: (result: unknown) => void): void {
  wrap(
    prototype,
    name,
    (method) =>
      async function (this: unknown, ...args) {
        const result = await method.apply(this, args);
        note(result);
        return result;
      },
  );
}

function wrap(prototype: unknown, name: string, wrapper: (method: Method) => Method): void {
  const methods = prototype as Record<string, Method>;
  const method = methods[name];
  if (method === undefined) throw new Error(`There is no ${name} to be counted.`);
  methods[name] = wrapper(method);
}
