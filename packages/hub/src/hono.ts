import type { Env } from "./env.ts";
import type { Session } from "./auth/session.ts";

/**
 * What handlers find in their context. `session` is there on every route whose rule asks for one; of a program with an
 * administrator's token its id is `token:<id of the token>`. `cookies` are added to the answer by the authorizer.
 * `formTarget` is another origin that the page's forms may go to.
 */
export interface HubContext {
  Bindings: Env;
  Variables: { session: Session; cookies?: string[]; formTarget?: string };
}
