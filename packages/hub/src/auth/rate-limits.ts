/**
 * How often something may be tried, all of it in one place. Rough limits at the edge come first and cost nothing; exact
 * ones are kept by objects, and only what fails is counted there (and the beginnings of sign-ins), so what goes well costs
 * no call. A good token or code is therefore never refused because a neighbour behind the same address sent bad ones. Codes
 * of pairings are the exception: short enough to be guessed, they are counted before they are looked at, and given back where right.
 */
import type { Env } from "../env.ts";
import { HubError } from "../errors.ts";
import { log } from "../log.ts";
import { LOCAL_PLACE, placeKey } from "./request-place.ts";

/** At most `max` in any `windowMs` milliseconds. */
export interface RateLimitRule {
  max: number;
  windowMs: number;
}

export type RateDecision = { allowed: true } | { allowed: false; retryAfterSeconds: number };

const MINUTE_MS = 60_000;

/** Counted for each place or person, by the object `RateLimiter` named `<kind>:<place or user's id>`. */
export const EXACT_LIMITS = {
  /** A sign-in at GitHub that begins: whoever begins it, so a whole office must find room. */
  "sign-in": { max: 120, windowMs: 10 * MINUTE_MS },
  /** An answer from GitHub that ends in no sign-in. */
  "failed-callback": { max: 10, windowMs: 10 * MINUTE_MS },
  /** A printed code, of a sign-in link or of setup, that is not good. */
  "failed-code": { max: 20, windowMs: 10 * MINUTE_MS },
  /** An instance's token that is not good. */
  "bad-token": { max: 20, windowMs: 10 * MINUTE_MS },
  /** A dial of version 1 that says whose it is only once it is open, within as long: so this is also how many are open unknown. */
  "dial-without-token": { max: 60, windowMs: 10_000 },
  /** A webhook whose signature is not good. */
  "refused-webhook": { max: 20, windowMs: 10 * MINUTE_MS },
  /** An instance without a token that asks for one; each may wait for as long as the window is. */
  "new-pairing": { max: 30, windowMs: 10 * MINUTE_MS },
  /** A code under which no instance waits, by place. */
  "wrong-code": { max: 40, windowMs: 10 * MINUTE_MS },
  /** The same, counted for each person. */
  "wrong-code-of": { max: 10, windowMs: 10 * MINUTE_MS },
  /** A link with a code in it that led a person here from another site; after that they send the code themselves. */
  "linked-code": { max: 10, windowMs: 10 * MINUTE_MS },
} as const satisfies Record<string, RateLimitRule>;

/** Dials of one instance, counted by its Tunnel, which they reach anyway; connectors that come back after losses stay below. */
export const DIALS: RateLimitRule = { max: 20, windowMs: MINUTE_MS };

export type ExactLimit = keyof typeof EXACT_LIMITS;

/** What the edge's bindings in wrangler.jsonc count in, in seconds. */
const EDGE_PERIOD_SECONDS = 60;

/**
 * Asks the edge whether there were too many requests from where this one comes from. A hub on one's own machine has no
 * edge and one person. `apart`: what is counted for itself, with the same limit.
 */
export async function checkEdge(binding: RateLimit, request: Request, apart?: string): Promise<RateDecision> {
  const place = placeKey(request);
  if (place === LOCAL_PLACE) return { allowed: true };
  const { success } = await binding.limit({ key: apart === undefined ? place : `${apart}:${place}` });
  return success ? { allowed: true } : { allowed: false, retryAfterSeconds: EDGE_PERIOD_SECONDS };
}

/** Counts an attempt from where a request comes from; not allowed, and not counted, where it is one too many. */
export async function countExact(
  env: Pick<Env, "RATE_LIMITER">,
  kind: ExactLimit,
  request: Request,
): Promise<RateDecision> {
  return countExactOf(env, kind, placeKey(request));
}

/** The same for a place as `placeKey` says it, or for a person's id. */
export async function countExactOf(
  env: Pick<Env, "RATE_LIMITER">,
  kind: ExactLimit,
  whose: string,
): Promise<RateDecision> {
  const decision = await env.RATE_LIMITER.getByName(`${kind}:${whose}`).count(EXACT_LIMITS[kind]);
  // What the edge refuses is not told: a flood would be paid for by the line.
  if (!decision.allowed) log("rate_limited", { kind });
  return decision;
}

/** Throws `too_many_requests`, with the time to wait, where it is not allowed. */
export function requireAllowed(decision: RateDecision): void {
  if (!decision.allowed)
    throw new HubError("too_many_requests", { retryAfterSeconds: decision.retryAfterSeconds });
}

/**
 * One more attempt, after those before (times in milliseconds, oldest first): whether it is allowed, and what to remember.
 * Pure.
 */
export function takeAttempt(
  before: readonly number[],
  { max, windowMs }: RateLimitRule,
  now: number,
): { attempts: number[]; decision: RateDecision } {
  // A clock that was set back must lock nobody out.
  const attempts = before.filter((at) => at > now - windowMs && at <= now);
  const oldest = attempts.at(-max);
  if (oldest === undefined) return { attempts: [...attempts, now], decision: { allowed: true } };
  const retryAfterSeconds = Math.ceil((oldest + windowMs - now) / 1000);
  return { attempts, decision: { allowed: false, retryAfterSeconds } };
}
