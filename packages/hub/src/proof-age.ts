/** How old a connector's last proof of life may be: they prove it every 30 s, and nobody is shown an older one as connected. */
import * as v from "valibot";
import type { Env } from "./env.ts";

const DEFAULT_SECONDS = 90;
/** A setting can ask for younger proofs only. */
const SecondsSchema = v.pipe(
  v.string(),
  v.regex(/^\d+$/),
  v.transform(Number),
  v.minValue(1),
  v.maxValue(DEFAULT_SECONDS),
);

/** In milliseconds; what cannot be read is not believed. */
export function proofMaxAgeMs({
  PROOF_MAX_AGE_SECONDS: setting,
}: Pick<Env, "PROOF_MAX_AGE_SECONDS">): number {
  const seconds = v.safeParse(SecondsSchema, setting);
  return (seconds.success ? seconds.output : DEFAULT_SECONDS) * 1000;
}
