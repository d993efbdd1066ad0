/** How long a hub asks to be left alone. */

/** Nobody is kept away for longer by one answer, and a timer of more than 24 days would fire at once. */
export const MAX_RETRY_MS = 60 * 60 * 1000;

/** Milliseconds from a `Retry-After` field, seconds or a date, at most an hour; undefined where it says nothing. */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? "";
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : dateOf(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_MS);
}

/** Dates name a day and a month in letters; `Date.parse` alone would take "-5" for one. */
function dateOf(text: string): number {
  return /^[A-Za-z]{3,9},? .*\d{2}:\d{2}:\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
}
