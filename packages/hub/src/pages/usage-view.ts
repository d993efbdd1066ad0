/** What the page of the hub's use says, from what its Meter has counted. Pure. */
import type { MeterReport } from "../usage/contract.ts";
import { usageAt, type Usage } from "../usage/forecast.ts";
import { endOf } from "../usage/periods.ts";
import { billOf, quotasOf, type Plan, type QuotaUse } from "../usage/plan.ts";
import { BILL, quantityOf, usdOf, varianceOf, type BillLine } from "../usage/prices.ts";
import { stepOf } from "../usage/sampling.ts";
import type { Amounts } from "../usage/units.ts";

/** A sum, and how far it may be off: 19 of 20 times not farther. */
export interface Estimate {
  quantity: number;
  error: number;
}

export interface UsageLine {
  name: string;
  today: Estimate;
  month: Estimate;
  /** At the month's end. */
  forecast: number;
  /** What the free plan gives, and which shares of it are used and will be. */
  free: QuotaUse & { amount: number };
  /** What a month of the paid plan has included, and what the forecast costs beyond it, in USD. */
  included: number;
  usd: number;
}

export interface UsageView {
  plan: Plan;
  level: MeterReport["standing"]["level"];
  /** When the level came; null where it always was. */
  since: number | null;
  /** Which quota the level is for; null where it is normal. */
  quota: QuotaUse | null;
  lines: UsageLine[];
  /** What this month costs on the paid plan, itself included, as far as it has come and at its end. */
  usd: { soFar: number; forecast: number };
  /** Nothing was noted in these two months. */
  isEmpty: boolean;
  /** From so many whole days the forecast was reckoned. */
  daysKnown: number;
  monthEnds: number;
}

const FREE: Plan = { kind: "free", budgetUsd: null, problems: [] };
/** So many standard deviations. */
const CERTAINTY = 2;

export function usageView({ days, standing, since, scale }: MeterReport, plan: Plan, now: number): UsageView {
  const usage = usageAt(days, now);
  const quotas = quotasOf(FREE, usage, now);
  return {
    plan,
    level: standing.level,
    since,
    quota: standing.quota,
    lines: BILL.flatMap((line, index) => {
      const quota = quotas[index];
      return quota === undefined ? [] : [lineOf(line, { usage, quota, scale })];
    }),
    usd: { soFar: billOf(usage.month), forecast: billOf(usage.monthForecast) },
    isEmpty: days.length === 0,
    daysKnown: usage.daysKnown,
    monthEnds: endOf("month", now),
  };
}

function lineOf(
  line: BillLine,
  { usage, quota, scale }: { usage: Usage; quota: QuotaUse; scale: number },
): UsageLine {
  const estimate = (amounts: Amounts): Estimate => ({
    quantity: quantityOf(line, amounts),
    error: CERTAINTY * Math.sqrt(varianceOf(line, amounts, (unit) => stepOf(unit, scale))),
  });
  const forecast = quantityOf(line, usage.monthForecast);
  return {
    name: line.name,
    today: estimate(usage.today),
    month: estimate(usage.month),
    forecast,
    free: { ...quota, amount: line.free.amount },
    included: line.included,
    usd: usdOf(line, forecast),
  };
}
