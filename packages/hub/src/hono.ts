import type { Env } from "./env.ts";
import type { Session } from "./auth/session.ts";

/** What handlers find in their context. `session` is there on every route that is not public. */
export interface HubContext {
  Bindings: Env;
  Variables: { session: Session };
}
