/**
 * Instances that ask this person by name for a token. Anybody can ask, so they are few at a time, few in any ten minutes, and
 * gone when their time is over, whoever forgets to say so.
 */
import { takeAttempt, type RateLimitRule } from "../auth/rate-limits.ts";
import type { PairingNotice } from "../pairing/contract.ts";

const NOTICES = "pairings";
const ATTEMPTS = "pairing-attempts";
const MAX_NOTICES = 5;
const NEW_NOTICES: RateLimitRule = { max: 10, windowMs: 10 * 60_000 };

export class PairingNotices {
  readonly #kv: DurableObjectStorage["kv"];

  constructor({ kv }: DurableObjectStorage) {
    this.#kv = kv;
  }

  /** Those that still wait, oldest first. */
  list(now: number): PairingNotice[] {
    return (this.#kv.get<PairingNotice[]>(NOTICES) ?? []).filter(({ until }) => now < until);
  }

  /** True where the person is shown it. */
  add(notice: PairingNotice, now: number): boolean {
    const others = this.list(now).filter(({ code }) => code !== notice.code);
    if (others.length >= MAX_NOTICES) return false;
    const { attempts, decision } = takeAttempt(this.#kv.get<number[]>(ATTEMPTS) ?? [], NEW_NOTICES, now);
    if (!decision.allowed) return false;
    this.#kv.put(ATTEMPTS, attempts);
    this.#kv.put(NOTICES, [...others, notice]);
    return true;
  }

  /** True where the person was shown it until now. */
  remove(code: string, now: number): boolean {
    const before = this.list(now);
    const left = before.filter((notice) => notice.code !== code);
    if (left.length === before.length) return false;
    this.#kv.put(NOTICES, left);
    return true;
  }
}
