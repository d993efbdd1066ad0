/** What is said to somebody who is not on an instance's list: who they are, who may use it, and why they do not count among them. */
import { accessGroup, type AccessList } from "@ai-orchestrator/protocol";
import type { InstanceAccess } from "../auth/instance-access.ts";
import type { ErrorDetail } from "../errors.ts";
import { whoMayUse } from "../who-may-use.ts";

type Refused = Extract<InstanceAccess, { allowed: false }>;

export function refusalDetail(list: AccessList, { login }: { login: string }, refused: Refused): ErrorDetail {
  const only = `This instance lets in only ${whoMayUse(list)}, and its owner is no exception.`;
  return { message: `${signedInAs(login, refused)} ${only}${whyNot(list, refused)}` };
}

function signedInAs(login: string, { refusal }: Refused): string {
  return refusal === "not_from_github"
    ? `You are signed in to this hub as ${login}, not with GitHub, and only people of GitHub's can be on such a list.`
    : `You are signed in as ${login}.`;
}

/** Beside not being a member. */
function whyNot(list: AccessList, { standing }: Refused): string {
  const group = accessGroup(list)?.name ?? "";
  if (standing === "not_known")
    return ` This hub does not know who belongs to ${group}: its own allow-list does not name it.`;
  if (standing === "untold") return ` GitHub does not tell this hub now whether you belong to ${group}.`;
  return "";
}
