/** An instance without a token and the code by which its owner approves it. Named by the code; over after ten minutes. */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../env.ts";

export class Pairing extends DurableObject<Env> {}
