/** Counts the rows that an object's storage reads and writes. */
import { usage } from "./usage.ts";

type Cursor = SqlStorageCursor<Record<string, SqlStorageValue>>;
type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Replaces methods of this one object's storage by such that count. */
export function meterStorage(storage: DurableObjectStorage): void {
  let cursors: Cursor[] = [];
  // How many rows a query has read is known once they were taken from it: by the end of this turn.
  const sum = () => {
    const [read, written] = [total(cursors, "rowsRead"), total(cursors, "rowsWritten")];
    cursors = [];
    if (read > 0) usage.count("rows_read", read);
    if (written > 0) usage.count("rows_written", written);
  };
  after(storage.sql, "exec", (cursor) => {
    if (cursors.push(cursor as Cursor) === 1) queueMicrotask(sum);
  });
  // Each key has a row.
  for (const name of ["get", "list"] as const) after(storage.kv, name, () => usage.count("rows_read"));
  for (const name of ["put", "delete"] as const) after(storage.kv, name, () => usage.count("rows_written"));
  for (const name of ["setAlarm", "deleteAlarm"] as const)
    after(storage, name, () => usage.count("rows_written"));
}

function after<T extends object>(object: T, name: keyof T & string, note: (result: unknown) => void): void {
  const value: Method = function (...args) {
    const method = (Object.getPrototypeOf(object) as Record<string, Method>)[name];
    const result = method?.apply(object, args);
    note(result);
    return result;
  };
  Object.defineProperty(object, name, { value, configurable: true, writable: true });
}

function total(cursors: readonly Cursor[], what: "rowsRead" | "rowsWritten"): number {
  return cursors.reduce((all, cursor) => all + cursor[what], 0);
}
