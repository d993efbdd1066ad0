/** What the hub's Meter is asked for. */
import type { Allowance } from "./allowance.ts";
import type { UsageDay } from "./forecast.ts";
import type { Standing } from "./levels.ts";
import type { Amounts } from "./units.ts";

/** There is one for the whole hub. */
export const METER_NAME = "hub";

export interface MeterReport {
  /** What was counted, of up to 62 days; a day on which nothing was is missing. */
  days: UsageDay[];
  standing: Standing;
  /** When the level became what it is, milliseconds since the epoch; null where it always was. */
  since: number | null;
  /** How much larger than usual the steps of counting are now. */
  scale: number;
}

/** RPC of `Meter`. */
export interface MeterRpc {
  /** Adds what was counted; what cannot be is left out. */
  add(amounts: Amounts): Allowance;
  allowance(): Allowance;
  report(): MeterReport;
}
