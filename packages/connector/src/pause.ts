/** How long to wait before the hub is dialled again. */
import type { Backoff } from "./backoff.ts";
import { MAX_RETRY_MS } from "./retry-after.ts";

const ASK_EVERY_MS = 60_000;
const ASK_SPREAD_MS = 10_000;

/** Milliseconds after a connection that ended or could not be made: not before the hub wishes, and not all at the moment it named. */
export function retryPause(wishedMs: number | undefined, backoff: Backoff): number {
  return Math.min((wishedMs ?? 0) + backoff.next(), MAX_RETRY_MS);
}

/** Milliseconds until who was sent away asks again. `random` is in [0, 1). */
export function askPause(wishedMs: number | undefined, random: () => number = Math.random): number {
  const least = Math.max(ASK_EVERY_MS, wishedMs ?? 0);
  return Math.min(Math.round(least + random() * ASK_SPREAD_MS), MAX_RETRY_MS);
}
