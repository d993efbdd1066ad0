import { judgeAccess } from "../auth/instance-access.ts";
import type { Session } from "../auth/session.ts";
import type { Env } from "../env.ts";
import type { Instance } from "../instance.ts";
import type { Refused } from "../ui/who-may-use.tsx";

/** Why an instance does not open for its owner, who is signed in; null where it does, as far as its list goes. */
export async function findOwnRefusal(
  env: Pick<Env, "USER_HUB">,
  session: Pick<Session, "userId" | "login">,
  { access }: Pick<Instance, "access">,
): Promise<Refused | null> {
  if (access === null) return null;
  const hub = env.USER_HUB.getByName(session.userId);
  const judged = await judgeAccess(access, session, (group) => hub.belonging(group));
  return judged.allowed ? null : { access, refused: judged };
}
