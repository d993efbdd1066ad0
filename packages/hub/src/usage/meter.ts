import { DurableObject } from "cloudflare:workers";
import type { Env } from "../env.ts";
import { log } from "../log.ts";
import { goodForMs, type Allowance } from "./allowance.ts";
import type { MeterReport, MeterRpc } from "./contract.ts";
import { usageAt } from "./forecast.ts";
import { standingOf, type Level, type Standing } from "./levels.ts";
import { dayAt } from "./periods.ts";
import { quotasOf, readPlan, type Plan, type QuotaUse } from "./plan.ts";
import { scaleFor } from "./sampling.ts";
import { parseAmounts, UNITS, type Amounts } from "./units.ts";
import { UsageDays } from "./usage-days.ts";

const LEVEL = "level";

/** When the level became what it is. */
interface LevelChange {
  level: Level;
  since: number;
}

/**
 * What the whole hub has used, by day (UTC), and how near that is to the end of a quota. One object; it is told by chance and
 * therefore seldom, and sleeps otherwise. It reckons when it is told or asked something, so nothing wakes it at midnight.
 */
export class Meter extends DurableObject<Env> implements MeterRpc {
  readonly #days: UsageDays;
  readonly #plan: Plan;
  #change: LevelChange | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#days = new UsageDays(ctx.storage);
    this.#plan = readPlan(env);
    this.#change = ctx.storage.kv.get<LevelChange>(LEVEL);
    for (const problem of this.#plan.problems) log("misconfigured", { problem });
  }

  add(from: Amounts): Allowance {
    const [amounts, now] = [parseAmounts(from), Date.now()];
    if (Object.keys(amounts).length > 0) this.#days.add(amounts, now);
    return this.#tell(now);
  }

  allowance(): Allowance {
    return this.#tell(Date.now());
  }

  report(): MeterReport {
    const now = Date.now();
    const { standing } = this.#reckon(now);
    return {
      days: this.#days.list(),
      standing,
      since: this.#change?.since ?? null,
      scale: this.#scale(now),
    };
  }

  #tell(now: number): Allowance {
    const { standing, quotas } = this.#reckon(now);
    return {
      level: standing.level,
      until: standing.quota?.until ?? 0,
      scale: this.#scale(now),
      at: now,
      goodForMs: goodForMs(standing, quotas),
    };
  }

  #reckon(now: number): { standing: Standing; quotas: QuotaUse[] } {
    const quotas = quotasOf(this.#plan, usageAt(this.#days.list(), now), now);
    const before = this.#change?.level ?? "normal";
    const standing = standingOf(quotas, before);
    const { level, quota } = standing;
    if (level !== before) {
      this.#change = { level, since: now };
      this.ctx.storage.kv.put(LEVEL, this.#change);
      log("usage_level_changed", { reason: level, ...(quota === null ? {} : { kind: quota.name }) });
    }
    return { standing, quotas };
  }

  /** By the larger of today and yesterday, so that a new day does not begin with small steps. */
  #scale(now: number): number {
    const [today, yesterday] = [this.#days.of(dayAt(now)), this.#days.of(dayAt(now) - 1)];
    const larger: Amounts = {};
    for (const unit of UNITS) larger[unit] = Math.max(today[unit] ?? 0, yesterday[unit] ?? 0);
    return scaleFor(larger);
  }
}
