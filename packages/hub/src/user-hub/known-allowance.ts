/**
 * What a UserHub knows of the hub's quota, for its Tunnels: it comes along with the answers to their reports. The Meter is asked when a
 * report comes and what is known is too old, and what it said is kept, because this object is out of memory most of the time.
 */
import type { Env } from "../env.ts";
import type { Allowance } from "../usage/allowance.ts";
import { askMeter } from "../usage/ask-meter.ts";
import { hasQuota, readPlan } from "../usage/plan.ts";
import { usage } from "../usage/usage.ts";

const ALLOWANCE = "allowance";
/** A Meter that does not answer is not asked again for so many milliseconds. */
const RETRY_MS = 10 * 60_000;

export class KnownAllowance {
  readonly #ctx: Pick<DurableObjectState, "storage" | "waitUntil">;
  readonly #env: Pick<Env, "METER">;
  readonly #hasQuota: boolean;
  #isRead = false;
  #askedAt = 0;

  constructor(
    ctx: Pick<DurableObjectState, "storage" | "waitUntil">,
    env: Pick<Env, "METER" | "PLAN" | "MONTHLY_BUDGET_USD">,
  ) {
    this.#ctx = ctx;
    this.#env = env;
    this.#hasQuota = hasQuota(readPlan(env));
  }

  /** As far as anybody here knows; undefined where nothing is, or nothing can be used up. */
  current(now: number): Allowance | undefined {
    if (!this.#hasQuota) return undefined;
    if (!this.#isRead) usage.learn(this.#ctx.storage.kv.get(ALLOWANCE), now);
    this.#isRead = true;
    if (usage.isStale(now)) this.#ask(now);
    return usage.known(now);
  }

  #ask(now: number): void {
    if (now >= this.#askedAt && now < this.#askedAt + RETRY_MS) return;
    this.#askedAt = now;
    this.#ctx.waitUntil(this.#learn());
  }

  async #learn(): Promise<void> {
    const allowance = await askMeter(this.#env);
    if (allowance !== undefined) this.#ctx.storage.kv.put(ALLOWANCE, allowance);
  }
}
