/** The counter of this isolate. */
import { env, waitUntil } from "cloudflare:workers";
import type { Env } from "../env.ts";
import { METER_NAME } from "./contract.ts";
import { UsageCounter } from "./usage-counter.ts";

export const chance = {
  /** Replaced in tests that count exactly: by a number no amount reaches. */
  random: (): number => Math.random(),
};

export const usage = new UsageCounter({
  random: () => chance.random(),
  send: (amounts) => (env as Pick<Env, "METER">).METER.getByName(METER_NAME).add(amounts),
  waitUntil,
});
