/**
 * Counts what Cloudflare bills, in the objects, D1 and R2 of the tests: every prototype that a bill depends on is wrapped. Objects
 * are those of the Worker under test; what a test does inside one itself, by `runInDurableObject`, is counted too.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Pairing } from "../src/pairing/pairing.ts";
import { RateLimiter } from "../src/rate-limiter/rate-limiter.ts";
import { Tunnel } from "../src/tunnel/tunnel.ts";
import { UserHub } from "../src/user-hub/user-hub.ts";
import { holdByTimers, holdUntil, inObject, runningObject } from "./held.ts";
import { after, afterAsync, before, wrap, type Method } from "./wrap.ts";

/** How often each thing happened, by its name. */
export type Tally = Record<string, number>;

export interface Counts {
  /** Objects that were made anew because something came for one that was not in memory. */
  constructed: number;
  /** Calls of the objects' handlers and RPC methods: `Tunnel.webSocketMessage`, `UserHub.list`, … */
  calls: Tally;
  /** Rows that objects wrote, by table, by key, or `alarm`. A row that is deleted counts as one that is written. */
  rows: Tally;
  /** Rows that objects read, by table or key. */
  rowsRead: Tally;
  /** Rows that D1 wrote, indexes included. */
  d1Rows: number;
  d1RowsRead: number;
  /** Statements that D1 was asked. */
  d1Statements: number;
  /** Operations on R2, by name. */
  r2: Tally;
  /** Bytes that were put into R2. */
  r2Bytes: number;
  /** Lines of the hub's log. */
  logLines: number;
  /**
   * Milliseconds, by the test's clock, for which objects could not hibernate: a call, a promise given to `waitUntil` or a timer
   * was not over. Each object counts for itself.
   */
  awakeMs: number;
}

let counts = nothing();

export function nothing(): Counts {
  const tallies = { calls: {}, rows: {}, rowsRead: {}, r2: {} };
  const numbers = { constructed: 0, d1Rows: 0, d1RowsRead: 0, d1Statements: 0, r2Bytes: 0 };
  return { ...numbers, ...tallies, logLines: 0, awakeMs: 0 };
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
  for (const Class of [Tunnel, UserHub, Pairing, RateLimiter]) countCalls(Class.name, Class.prototype);
  await runInDurableObject(env.USER_HUB.getByName("meter"), (_object, state) => countObjects(state));
  countD1();
  countR2();
  for (const level of ["info", "warn", "error"]) before(console, level, () => counts.logLines++);
  holdByTimers((ms) => (counts.awakeMs += ms));
}

function countCalls(className: string, prototype: object): void {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const isMethod = typeof Object.getOwnPropertyDescriptor(prototype, name)?.value === "function";
    if (!isMethod || name === "constructor") continue;
    wrap(prototype, name, (method) => countedCall(`${className}.${name}`, name, method));
  }
}

function countedCall(call: string, name: string, method: Method): Method {
  return function (this: unknown, ...args) {
    add(counts.calls, call);
    const object = this as object;
    const result = inObject(object, () => method.apply(object, args));
    holdUntil(result, object, name);
    return result;
  };
}

function countObjects(state: DurableObjectState): void {
  const { storage } = state;
  const cursor = storage.sql.exec("SELECT 1");
  countRowsRead(Object.getPrototypeOf(cursor) as object);
  after(Object.getPrototypeOf(storage.sql), "exec", (made, statement) => {
    const table = tableOf(String(statement));
    tables.set(made as Cursor, table);
    noteRead(made as Cursor);
    const { rowsWritten } = made as Cursor;
    if (rowsWritten > 0) add(counts.rows, table, rowsWritten);
  });
  for (const rows of [storage, storage.kv]) {
    const prototype = Object.getPrototypeOf(rows) as object;
    for (const name of ["put", "delete"]) before(prototype, name, (key) => add(counts.rows, String(key)));
    before(prototype, "get", (key) => add(counts.rowsRead, String(key)));
    wrap(prototype, "list", () => notCounted("list()"));
  }
  for (const name of ["setAlarm", "deleteAlarm"])
    before(Object.getPrototypeOf(storage), name, () => add(counts.rows, "alarm"));
  // Both classes say once, when they are made, what the platform is to answer for them.
  before(Object.getPrototypeOf(state), "setWebSocketAutoResponse", () => counts.constructed++);
  before(Object.getPrototypeOf(state), "waitUntil", (promise) => {
    const object = runningObject();
    if (object !== undefined) holdUntil(promise, object, "waitUntil");
  });
}

type Cursor = SqlStorageCursor<Record<string, SqlStorageValue>>;

/** Of which table a cursor reads, and how many rows of it were counted already. */
const tables = new WeakMap<Cursor, string>();
const noted = new WeakMap<Cursor, number>();

/** A cursor reads as it is asked, so what it has read is looked at each time. */
function countRowsRead(prototype: object): void {
  for (const name of ["toArray", "one", "next"])
    wrap(
      prototype,
      name,
      (method) =>
        function (this: unknown, ...args) {
          const result = method.apply(this, args);
          noteRead(this as Cursor);
          return result;
        },
    );
  wrap(prototype, "raw", () => notCounted("raw()"));
  const all = Reflect.get(prototype, Symbol.iterator) as (this: Cursor) => Iterator<unknown>;
  Reflect.set(prototype, Symbol.iterator, function* (this: Cursor) {
    const iterator = all.call(this);
    for (let step = iterator.next(); step.done !== true; step = iterator.next()) {
      noteRead(this);
      yield step.value;
    }
    noteRead(this);
  });
}

function noteRead(cursor: Cursor): void {
  const { rowsRead } = cursor;
  const more = rowsRead - (noted.get(cursor) ?? 0);
  if (more > 0) add(counts.rowsRead, tables.get(cursor) ?? "", more);
  noted.set(cursor, rowsRead);
}

/** D1 says what it wrote in answers that not every method returns, so all ask by the one that does. */
function countD1(): void {
  const answered = (result: unknown) => {
    const { meta } = result as D1Result;
    counts.d1Rows += meta.rows_written;
    counts.d1RowsRead += meta.rows_read;
    counts.d1Statements++;
  };
  const Statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1")) as Record<string, Method> & {
    all: Method;
  };
  for (const name of ["run", "all"]) afterAsync(Statement, name, answered);
  Statement["first"] = async function (this: unknown, column: unknown) {
    const { results } = (await Statement.all.call(this)) as D1Result<Record<string, unknown>>;
    const [row = null] = results;
    return typeof column === "string" && row !== null ? row[column] : row;
  };
  Statement["raw"] = notCounted("D1's raw()");
  afterAsync(Object.getPrototypeOf(env.DB) as object, "batch", (results) => {
    for (const result of results as unknown[]) answered(result);
  });
}

function countR2(): void {
  const prototype: unknown = Object.getPrototypeOf(env.ARCHIVE);
  for (const name of ["get", "head", "put", "delete", "list"])
    before(prototype, name, (_key, value) => {
      add(counts.r2, name);
      if (name === "put") counts.r2Bytes += new Blob([value as string]).size;
    });
}

/** What the hub does not use: the day it does, it must be counted. */
function notCounted(what: string): Method {
  return () => {
    throw new Error(`The meter does not count ${what}.`);
  };
}

function tableOf(statement: string): string {
  return /(?:INTO|UPDATE|FROM)\s+(\w+)/i.exec(statement)?.[1] ?? statement;
}

function add(tally: Tally, name: string, count = 1): void {
  tally[name] = (tally[name] ?? 0) + count;
}
