import type { Env } from "./env.ts";
import type { Session } from "./auth/session.ts";
import type { PageFriends } from "./security-headers.ts";

/**
 * What handlers find in their context. `session` is there on every route whose rule asks for one; of a program with an
 * administrator's token its id is `token:<id of the token>`. `cookies` are added to the answer by the authorizer.
 * `formTarget` and `frameAncestor` are other origins: the page's forms may go to the one, the other may show the page in a frame.
 */
export interface HubContext {
  Bindings: Env;
  Variables: { session: Session; cookies?: string[] } & PageFriends;
}
