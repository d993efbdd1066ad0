/**
 * What today and this month will come to. Today: what there is, taken as far as the last days had come by this time of day; as far
 * as the day has come where they tell nothing. The month: what there is of past days, today's forecast, and for each day that is
 * left the mean of the last days. Weeks are not looked into: seven whole days have each weekday once.
 */
import { addAmounts, UNITS, type Amounts } from "./units.ts";
import { DAY_MS, dayAt, hourAt, monthAt } from "./periods.ts";

/** What was counted on one day (UTC). */
export interface UsageDay {
  day: number;
  amounts: Amounts;
  /** How often something was noted in each of its hours. */
  hours: number[];
}

export interface Usage {
  today: Amounts;
  month: Amounts;
  todayForecast: Amounts;
  monthForecast: Amounts;
  /** From so many whole days before today it was reckoned. */
  daysKnown: number;
}

/** So many days back tell of those that come. */
const LOOKS_BACK = 7;
/** Fewer notes in these days say nothing of hours. */
const MIN_NOTES = 50;
/** Earlier in the day than this share of it, what there is says less than the days before. */
const EARLY = 0.1;

/** Sums and forecasts at `now`, milliseconds since the epoch. Days after today, of a clock that was ahead, count for nothing. */
export function usageAt(days: readonly UsageDay[], now: number): Usage {
  const today = dayAt(now);
  const past = days.filter(({ day }) => day < today);
  const known = Math.min(LOOKS_BACK, today - Math.min(today, ...past.map(({ day }) => day)));
  const last = past.filter(({ day }) => day >= today - known);
  const usage = {
    today: sum(days.filter(({ day }) => day === today)),
    month: sum(days.filter(({ day }) => day >= monthAt(now).first && day <= today)),
  };
  const mean = known === 0 ? undefined : times(sum(last), 1 / known);
  const todayForecast = forecastDay(usage.today, mean, shareOfDay(last, now));
  const monthForecast = times(mean ?? todayForecast, monthAt(now).next - today - 1);
  addAmounts(monthForecast, sum(past.filter(({ day }) => day >= monthAt(now).first)));
  addAmounts(monthForecast, todayForecast);
  return { ...usage, todayForecast, monthForecast, daysKnown: known };
}

function forecastDay(today: Amounts, mean: Amounts | undefined, share: number): Amounts {
  if (mean === undefined || share >= EARLY) return times(today, 1 / Math.max(share, EARLY));
  const forecast = times(mean, 1 - share);
  addAmounts(forecast, today);
  return forecast;
}

/** How much of a day's use has come by this time: as on these days, or evenly. */
function shareOfDay(days: readonly UsageDay[], now: number): number {
  const elapsed = (now % DAY_MS) / DAY_MS;
  const hour = hourAt(now);
  const notes = (from: number, to: number) =>
    days.reduce((all, { hours }) => all + hours.slice(from, to).reduce((a, b) => a + b, 0), 0);
  const all = notes(0, 24);
  if (all < MIN_NOTES) return elapsed;
  return (notes(0, hour) + notes(hour, hour + 1) * (elapsed * 24 - hour)) / all;
}

function sum(days: readonly UsageDay[]): Amounts {
  const all: Amounts = {};
  for (const { amounts } of days) addAmounts(all, amounts);
  return all;
}

function times(amounts: Amounts, factor: number): Amounts {
  const product: Amounts = {};
  for (const unit of UNITS) {
    const amount = amounts[unit];
    if (amount !== undefined) product[unit] = amount * factor;
  }
  return product;
}
