import type { OriginSettings } from "../origins.ts";

/** What drawing an instance depends on beside the instance. */
export interface View {
  /** Milliseconds since the epoch. */
  now: number;
  /** Where instances are opened: see origins.ts. */
  origins: OriginSettings;
}
