import type { Env } from "../env.ts";

/** What drawing an instance depends on beside the instance. */
export interface View {
  /** Milliseconds since the epoch. */
  now: number;
  /** Where instances are opened: see origins.ts. */
  origins: Pick<Env, "HUB_ORIGIN" | "INSTANCE_HOST">;
}
