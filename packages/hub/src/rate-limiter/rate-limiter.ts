import { DurableObject } from "cloudflare:workers";
import type { Env } from "../env.ts";

/** Counts exactly, where the edge counts roughly: attempts of one kind from one place (`<kind>:<place>` is its name). */
export class RateLimiter extends DurableObject<Env> {}
