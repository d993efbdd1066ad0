/** The printed code that opens setup (setup.ts). By itself, because runners load it without a Worker. */
import { createOneTimeCode } from "../db/one-time-codes.ts";

const CODE_LIFETIME_MS = 24 * 60 * 60_000;

/** Makes the code of a setup link. Called by whatever starts or deploys the hub. */
export function createSetupCode(db: D1Database, now: number = Date.now()): Promise<string> {
  return createOneTimeCode(db, { purpose: "setup", lifetimeMs: CODE_LIFETIME_MS }, now);
}
