/** Which plan of Cloudflare's the hub runs on, and what of it is a quota. */
import * as v from "valibot";
import type { Env } from "../env.ts";
import type { Usage } from "./forecast.ts";
import { endOf } from "./periods.ts";
import { BILL, PLAN_USD, quantityOf, usdOf, type Period } from "./prices.ts";
import type { Amounts } from "./units.ts";

export interface Plan {
  /** `local`: a hub on somebody's own machine, which no plan bounds. */
  kind: "free" | "paid" | "local";
  /** USD a month that the paid plan may cost with everything, itself included; null for any. */
  budgetUsd: number | null;
  /** What is wrong with the settings, in sentences. */
  problems: string[];
}

/** How much of a quota is used and will be by its end, as shares of it. */
export interface QuotaUse {
  /** A line of the bill, or `budget`. */
  name: string;
  period: Period;
  used: number;
  forecast: number;
  /** When it begins anew, milliseconds since the epoch. */
  until: number;
}

const KindSchema = v.picklist(["free", "paid", "local"]);
const BudgetSchema = v.pipe(
  v.string(),
  v.trim(),
  v.nonEmpty(),
  v.transform(Number),
  v.minValue(PLAN_USD),
  v.finite(),
);

/** Reads `PLAN` and `MONTHLY_BUDGET_USD`. What cannot be read counts as not set, and is a problem. */
export function readPlan({
  PLAN = "",
  MONTHLY_BUDGET_USD = "",
}: Pick<Env, "PLAN" | "MONTHLY_BUDGET_USD">): Plan {
  const problems: string[] = [];
  const kind = v.safeParse(KindSchema, PLAN);
  if (!kind.success && PLAN !== "") problems.push("PLAN is neither free, paid nor local, so paid is taken.");
  const budget = v.safeParse(BudgetSchema, MONTHLY_BUDGET_USD);
  if (!budget.success && MONTHLY_BUDGET_USD !== "")
    problems.push(
      `MONTHLY_BUDGET_USD is no number of USD from ${PLAN_USD} up, which the plan itself costs, so there is no budget.`,
    );
  return {
    kind: kind.success ? kind.output : "paid",
    budgetUsd: budget.success ? budget.output : null,
    problems,
  };
}

/** Whether anything of a plan can be used up. */
export function hasQuota({ kind, budgetUsd }: Plan): boolean {
  return kind === "free" || (kind === "paid" && budgetUsd !== null);
}

/** Every quota of a plan; none where nothing ends but the bill. */
export function quotasOf(plan: Plan, usage: Usage, now: number): QuotaUse[] {
  const { kind, budgetUsd } = plan;
  if (!hasQuota(plan)) return [];
  if (budgetUsd !== null && kind === "paid") {
    const [used, forecast] = [usage.month, usage.monthForecast].map((one) => shareOfBudget(one, budgetUsd));
    return [
      {
        name: "budget",
        period: "month",
        used: used ?? 0,
        forecast: forecast ?? 0,
        until: endOf("month", now),
      },
    ];
  }
  return BILL.map((line) => {
    const { period, amount } = line.free;
    const [used, forecast] =
      period === "day" ? [usage.today, usage.todayForecast] : [usage.month, usage.monthForecast];
    return {
      name: line.name,
      period,
      used: quantityOf(line, used) / amount,
      forecast: quantityOf(line, forecast) / amount,
      until: endOf(period, now),
    };
  });
}

/** What these amounts cost in a month of the paid plan, itself included. */
export function billOf(amounts: Amounts): number {
  return BILL.reduce((sum, line) => sum + usdOf(line, quantityOf(line, amounts)), PLAN_USD);
}

/**
 * The share of a budget that these amounts are: with as much of everything more as makes it 1, the bill is the budget. What is
 * included costs nothing, so the bill alone would say 0 until shortly before the end.
 */
export function shareOfBudget(amounts: Amounts, budgetUsd: number): number {
  const lines = BILL.map((line) => ({ ...line, quantity: quantityOf(line, amounts) }))
    .filter(({ quantity }) => quantity > 0)
    .map(({ quantity, included, price }) => ({
      from: included / quantity,
      usd: (quantity * price) / 1_000_000,
    }))
    .toSorted((a, b) => a.from - b.from);
  // So many times these amounts cost so much, and each time more so much more.
  let [times, usd, slope] = [0, 0, 0];
  const room = budgetUsd - PLAN_USD;
  for (const line of lines) {
    const next = usd + slope * (line.from - times);
    if (slope > 0 && next >= room) break;
    [times, usd, slope] = [line.from, next, slope + line.usd];
  }
  return slope === 0 ? 0 : 1 / (times + (room - usd) / slope);
}
