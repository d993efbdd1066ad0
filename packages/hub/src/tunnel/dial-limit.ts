/** How often one instance may dial, counted where its sockets are, so that it is exact and survives evictions. */
import { DIALS, takeAttempt, type RateDecision } from "../auth/rate-limits.ts";
import { refuseDial } from "./dial-refusal.ts";

const KEY = "dials";

/** Counts a dial of a good token; not allowed, and not counted, where it is one too many. */
export function countDial({ kv }: DurableObjectStorage, now: number): RateDecision {
  const { attempts, decision } = takeAttempt(kv.get<number[]>(KEY) ?? [], DIALS, now);
  if (decision.allowed) kv.put(KEY, attempts);
  return decision;
}

export function tooManyDials(retryAfterSeconds: number): Response {
  return refuseDial(429, "rate_limited", "This instance dials too often.", retryAfterSeconds);
}
