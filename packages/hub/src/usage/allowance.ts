/** What the Meter tells whoever tells or asks it something: how near the hub is to the end of a quota. */
import * as v from "valibot";
import { LEVELS, type Level, type Standing } from "./levels.ts";
import { DAY_MS } from "./periods.ts";
import { MAX_SCALE } from "./sampling.ts";

export interface Allowance {
  level: Level;
  /** From when on it is normal whatever was said before, milliseconds since the epoch; 0 where it is normal. */
  until: number;
  /** How much larger than usual the steps of counting are (sampling.ts). */
  scale: number;
  /** When this was so, milliseconds since the epoch. */
  at: number;
  /** How long it may be taken for so before the Meter is to be asked again, in milliseconds; null for as long as nobody tells anything else. */
  goodForMs: number | null;
}

const MINUTE_MS = 60_000;

const AllowanceSchema = v.object({
  level: v.picklist(LEVELS),
  until: v.pipe(v.number(), v.minValue(0)),
  scale: v.pipe(v.number(), v.minValue(1), v.maxValue(MAX_SCALE)),
  at: v.pipe(v.number(), v.minValue(0)),
  goodForMs: v.nullable(v.pipe(v.number(), v.minValue(MINUTE_MS), v.maxValue(DAY_MS))),
});

/** Undefined where it is none, as from an object of another version. */
export function parseAllowance(from: unknown): Allowance | undefined {
  const parsed = v.safeParse(AllowanceSchema, from);
  return parsed.success ? parsed.output : undefined;
}

/** How long a standing may be believed. Far from any end six hours, so that asking costs next to nothing; near one, half of one. */
export function goodForMs({ level }: Standing, quotas: readonly { used: number }[]): number | null {
  if (quotas.length === 0) return null;
  if (level !== "normal") return 30 * MINUTE_MS;
  const used = Math.max(...quotas.map((quota) => quota.used));
  if (used < 0.25) return 360 * MINUTE_MS;
  return (used < 0.5 ? 120 : 60) * MINUTE_MS;
}
