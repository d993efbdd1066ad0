/** Days and months as Cloudflare's quotas have them: in UTC. A day is its number since the epoch. */
import type { Period } from "./prices.ts";

export const DAY_MS = 24 * 60 * 60 * 1000;

export function dayAt(now: number): number {
  return Math.floor(now / DAY_MS);
}

/** Of the day that is now, the hour in UTC, 0 to 23. */
export function hourAt(now: number): number {
  return new Date(now).getUTCHours();
}

/** The first day of the month that is now, and the first of the next. */
export function monthAt(now: number): { first: number; next: number } {
  const date = new Date(now);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return { first: dayAt(Date.UTC(year, month, 1)), next: dayAt(Date.UTC(year, month + 1, 1)) };
}

/** When the day or month that is now ends, milliseconds since the epoch. */
export function endOf(period: Period, now: number): number {
  return (period === "day" ? dayAt(now) + 1 : monthAt(now).next) * DAY_MS;
}
