import { DurableObject } from "cloudflare:workers";
import { takeAttempt, type RateDecision, type RateLimitRule } from "../auth/rate-limits.ts";
import type { Env } from "../env.ts";

const ATTEMPTS = "attempts";
const WINDOW = "window";

/**
 * Counts exactly, where the edge counts roughly: attempts of one kind from one place (`<kind>:<place>` is its name), in any
 * window of time, across evictions. Refused attempts are not counted, so writes are bounded and the way is free again once
 * the oldest that counts is old enough. Nothing is left of it once the window is over.
 */
export class RateLimiter extends DurableObject<Env> {
  async count(rule: RateLimitRule): Promise<RateDecision> {
    const { kv } = this.ctx.storage;
    const { attempts, decision } = takeAttempt(kv.get<number[]>(ATTEMPTS) ?? [], rule, Date.now());
    if (!decision.allowed) return decision;
    kv.put(ATTEMPTS, attempts);
    kv.put(WINDOW, rule.windowMs);
    // One alarm for many attempts: it is moved on when it comes.
    if ((await this.ctx.storage.getAlarm()) === null)
      await this.ctx.storage.setAlarm(Date.now() + rule.windowMs);
    return decision;
  }

  /** Takes the last attempt back: it was none. */
  giveBack(): void {
    const { kv } = this.ctx.storage;
    kv.put(ATTEMPTS, (kv.get<number[]>(ATTEMPTS) ?? []).slice(0, -1));
  }

  /** Answers once its storage does, and writes nothing: by this /health knows that objects work. */
  isUp(): boolean {
    this.ctx.storage.kv.get(ATTEMPTS);
    return true;
  }

  override async alarm(): Promise<void> {
    const { kv } = this.ctx.storage;
    const last = kv.get<number[]>(ATTEMPTS)?.at(-1) ?? 0;
    const until = last + (kv.get<number>(WINDOW) ?? 0);
    if (until > Date.now()) await this.ctx.storage.setAlarm(until);
    else await this.ctx.storage.deleteAll();
  }
}
