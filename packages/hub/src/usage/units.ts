/** What the hub counts of itself. Cloudflare's bill follows from these (prices.ts). */
import * as v from "valibot";

export const UNITS = [
  "worker_requests",
  /** Requests, calls, closed sockets and alarms that an object has handled. */
  "object_requests",
  /** WebSocket messages that woke an object. */
  "messages",
  /** For which answers that stream have kept an object at work, beyond what each request is taken to take. */
  "awake_seconds",
  "rows_read",
  "rows_written",
  "d1_rows_read",
  "d1_rows_written",
  /** Operations on R2 that write or list, and those that read. */
  "r2_writes",
  "r2_reads",
] as const;

export type Unit = (typeof UNITS)[number];

/** How much of each; what is missing is 0. */
export type Amounts = Partial<Record<Unit, number>>;

/** More than any hub counts at once; what claims to be more is a mistake. */
const MAX_AT_ONCE = 1e12;

const AmountSchema = v.pipe(v.number(), v.finite(), v.gtValue(0), v.maxValue(MAX_AT_ONCE));

/** Those of these amounts that can be: units that are known, numbers above 0. */
export function parseAmounts(from: unknown): Amounts {
  const amounts: Amounts = {};
  if (typeof from !== "object" || from === null) return amounts;
  for (const unit of UNITS) {
    const parsed = v.safeParse(AmountSchema, (from as Amounts)[unit]);
    if (parsed.success) amounts[unit] = parsed.output;
  }
  return amounts;
}

/** Adds the one to the other. */
export function addAmounts(to: Amounts, more: Amounts): void {
  for (const unit of UNITS) {
    const amount = more[unit];
    if (amount !== undefined) to[unit] = (to[unit] ?? 0) + amount;
  }
}
