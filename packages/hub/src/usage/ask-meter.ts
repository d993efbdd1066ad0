import type { Env } from "../env.ts";
import { errorName, log } from "../log.ts";
import { parseAllowance, type Allowance } from "./allowance.ts";
import { METER_NAME } from "./contract.ts";
import { usage } from "./usage.ts";

/** Asks the Meter how near the hub is to the end of a quota; undefined where it does not say. Never rejects. */
export async function askMeter({ METER }: Pick<Env, "METER">): Promise<Allowance | undefined> {
  try {
    const allowance = parseAllowance(await METER.getByName(METER_NAME).allowance());
    usage.learn(allowance, Date.now());
    return allowance;
  } catch (error) {
    log("meter_failed", { error: errorName(error) });
    return undefined;
  }
}
