/**
 * Counting by chance: of 300 requests one is noted, as 300. The sum is right on average whatever is evicted in between, because
 * nothing is kept until then; its error shrinks with the root of what is counted. Counting each would cost more than the hub.
 */
import { UNITS, type Amounts, type Unit } from "./units.ts";

/** How much is noted at once. With these the meter costs at most 2 % of what it counts (docs/cost.md has the sum). */
const STEPS: Record<Unit, number> = {
  worker_requests: 200,
  object_requests: 300,
  messages: 3000,
  awake_seconds: 100,
  rows_read: 20_000,
  rows_written: 300,
  d1_rows_read: 20_000,
  d1_rows_written: 200,
  r2_writes: 20,
  r2_reads: 100,
};

/** So many notes of one unit in a day are as exact as anybody needs (1 %), and one object takes them easily. */
const NOTES_A_DAY = 10_000;
export const MAX_SCALE = 2 ** 30;

/** How much of a unit is noted at once in a hub of this scale. */
export function stepOf(unit: Unit, scale: number): number {
  return STEPS[unit] * scale;
}

/** What to note for `amount`; on average it is `amount`. `random` gives numbers from 0 up to 1. */
export function sampled(amount: number, step: number, random: () => number): number {
  if (amount >= step) return amount;
  return random() * step < amount ? step : 0;
}

/** How much larger than usual steps must be in a hub that counts so much in a day: a power of 2, at least 1. */
export function scaleFor(day: Amounts): number {
  let scale = 1;
  for (const unit of UNITS)
    while (scale < MAX_SCALE && (day[unit] ?? 0) > NOTES_A_DAY * stepOf(unit, scale)) scale *= 2;
  return scale;
}
