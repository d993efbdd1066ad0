/** How near the hub is to the end of a quota, and what follows from that. */
import type { QuotaUse } from "./plan.ts";

/**
 * `tight`: what comes often comes less often. `scarce`: what is nice to have is left away. `exhausted`: nothing new goes through to
 * instances; what is left is for dashboards, sign-ins and what is open.
 */
export const LEVELS = ["normal", "tight", "scarce", "exhausted"] as const;
export type Level = (typeof LEVELS)[number];

/**
 * Shares of a quota from which a level is. Near a free plan's daily 100,000 the estimate is off by 5 % of it or more on one day in
 * three, and by 11 % on one in twenty; so the last step comes early enough that Cloudflare hardly ever refuses first.
 */
const FROM: Record<Exclude<Level, "normal">, number> = { tight: 0.7, scarce: 0.8, exhausted: 0.88 };
/** A level that is there stays until the share is smaller by so much. */
const HOLD = 0.03;
/** What would be used up before its end is tight from this share on; before it, a forecast is a guess. */
const AHEAD_FROM = 0.25;
/** Forecasts move: tight for that reason stays until it would be this much. */
const AHEAD_HOLD = 0.85;

export interface Standing {
  level: Level;
  /** The quota that it is for, the one that lasts longest where there are several; null where the level is normal. */
  quota: QuotaUse | null;
}

/** The level that these quotas make, where it was `before`. */
export function standingOf(quotas: readonly QuotaUse[], before: Level): Standing {
  let standing: Standing = { level: "normal", quota: null };
  for (const quota of quotas) {
    const level = levelOf(quota, before);
    if (level === "normal") continue;
    const [rank, highest] = [LEVELS.indexOf(level), LEVELS.indexOf(standing.level)];
    if (rank > highest || (rank === highest && quota.until > (standing.quota?.until ?? 0)))
      standing = { level, quota };
  }
  return standing;
}

/** True where a level is this one or a later. */
export function isAtLeast(level: Level, least: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least);
}

function levelOf({ used, forecast }: QuotaUse, before: Level): Level {
  const reached = (level: Exclude<Level, "normal">) =>
    used >= FROM[level] - (isAtLeast(before, level) ? HOLD : 0);
  if (reached("exhausted")) return "exhausted";
  if (reached("scarce")) return "scarce";
  const isAhead = used >= AHEAD_FROM && forecast >= (before === "normal" ? 1 : AHEAD_HOLD);
  return reached("tight") || isAhead ? "tight" : "normal";
}
