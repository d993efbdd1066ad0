/**
 * What Cloudflare bills and what it gives, in one table, as its documentation says in November 2026 (Workers, Durable Objects, D1
 * and R2, each "Pricing"). docs/cost.md has the same prices, and a test holds the two together.
 */
import type { Amounts, Unit } from "./units.ts";

/** As of when, for the page. */
export const PRICES_OF = "November 2026";

/** USD a month that the paid plan costs itself. */
export const PLAN_USD = 5;

/** How long an object is taken to work at a request or message, as in docs/cost.md, and what it is billed as; nothing measures it. */
const SECONDS_AT_REQUEST = 0.02;
const SECONDS_AT_MESSAGE = 0.01;
const GIGABYTES = 0.128;
/** So many WebSocket messages are billed as one request. */
const MESSAGES_FOR_REQUEST = 20;

/** One line of the bill. */
export interface BillLine {
  name: string;
  /** How much of it one of each unit is. */
  of: Amounts;
  /** What the free plan gives for a day or a month (UTC); past it Cloudflare refuses. */
  free: { period: Period; amount: number };
  /** A month of the paid plan. */
  included: number;
  /** USD for a million beyond that. */
  price: number;
}

export type Period = "day" | "month";

export const BILL: readonly BillLine[] = [
  {
    name: "Worker requests",
    of: { worker_requests: 1 },
    free: { period: "day", amount: 100_000 },
    included: 10_000_000,
    price: 0.3,
  },
  {
    name: "object requests, messages counted 20 to 1",
    of: { object_requests: 1, messages: 1 / MESSAGES_FOR_REQUEST },
    free: { period: "day", amount: 100_000 },
    included: 1_000_000,
    price: 0.15,
  },
  {
    name: "GB-seconds",
    of: {
      object_requests: SECONDS_AT_REQUEST * GIGABYTES,
      messages: SECONDS_AT_MESSAGE * GIGABYTES,
      awake_seconds: GIGABYTES,
    },
    free: { period: "day", amount: 13_000 },
    included: 400_000,
    price: 12.5,
  },
  {
    name: "rows read",
    of: { rows_read: 1 },
    free: { period: "day", amount: 5_000_000 },
    included: 25_000_000_000,
    price: 0.001,
  },
  {
    name: "rows written",
    of: { rows_written: 1 },
    free: { period: "day", amount: 100_000 },
    included: 50_000_000,
    price: 1,
  },
  {
    name: "D1 rows read",
    of: { d1_rows_read: 1 },
    free: { period: "day", amount: 5_000_000 },
    included: 25_000_000_000,
    price: 0.001,
  },
  {
    name: "D1 rows written",
    of: { d1_rows_written: 1 },
    free: { period: "day", amount: 100_000 },
    included: 50_000_000,
    price: 1,
  },
  {
    name: "R2 writes",
    of: { r2_writes: 1 },
    free: { period: "month", amount: 1_000_000 },
    included: 1_000_000,
    price: 4.5,
  },
  {
    name: "R2 reads",
    of: { r2_reads: 1 },
    free: { period: "month", amount: 10_000_000 },
    included: 10_000_000,
    price: 0.36,
  },
];

/** How much longer than a request is taken to be an object was at work that waited `seconds` for an answer's end. */
export function beyondRequest(seconds: number): number {
  return Math.max(0, seconds - SECONDS_AT_REQUEST);
}

/** How much of a line these amounts are. */
export function quantityOf({ of }: BillLine, amounts: Amounts): number {
  return weighed(of, (unit) => amounts[unit] ?? 0);
}

/** The square of how far that may be off, where each unit is counted in steps of `step(unit)`: one standard deviation. */
export function varianceOf({ of }: BillLine, amounts: Amounts, step: (unit: Unit) => number): number {
  return weighed(of, (unit) => (amounts[unit] ?? 0) * step(unit) * (of[unit] ?? 0));
}

/** What this much of a line costs in a month of the paid plan, in USD. */
export function usdOf({ included, price }: BillLine, quantity: number): number {
  return (Math.max(0, quantity - included) * price) / 1_000_000;
}

function weighed(of: Amounts, each: (unit: Unit) => number): number {
  return Object.entries(of).reduce((sum, [unit, weight]) => sum + weight * each(unit as Unit), 0);
}
