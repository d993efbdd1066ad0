/** The hub's Meter as a test wants it. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { METER_NAME } from "../src/usage/contract.ts";
import { usage } from "../src/usage/usage.ts";

export const meter = env.METER.getByName(METER_NAME);

/** Lets the hub run on this plan, with nothing counted and nothing known. */
export async function onPlan(settings: { PLAN?: string; MONTHLY_BUDGET_USD?: string }): Promise<void> {
  Object.assign(env, { PLAN: undefined, MONTHLY_BUDGET_USD: undefined, ...settings });
  await runInDurableObject(meter, async (_object, { storage }) => {
    await storage.deleteAll();
  });
  await evictDurableObject(meter);
  know("normal");
}

type Level = ReturnType<typeof usage.level>;

/** Lets the isolate, which here is everybody's, believe that the level is this one. */
export function know(level: Level, now: number = Date.now(), forMs = 60 * 60_000): void {
  const until = level === "normal" ? 0 : now + forMs;
  usage.learn({ level, until, scale: 1, at: now, goodForMs: 60 * 60_000 }, now);
}
