/** A list of who may use an instance, in words: for its pages, and for who is refused. The names came from the instance. */
import { accessGroup, type AccessList } from "@ai-orchestrator/protocol";
import type { InstanceAccess } from "./auth/instance-access.ts";
import { visibleText } from "./visible-text.ts";

/** Names that are spelled out; what is beyond them is counted. */
const MAX_NAMES = 20;
const WITH_ID = /^(.*):([1-9]\d*)$/s;

export interface NamedInList {
  /** What stands before the name: "members of ". */
  before: string;
  name: string;
}

/** Whom a list names, users first; `more` of them are not spelled out. Nobody can be a member of a team without an organisation. */
export function namesOf(list: AccessList): { names: NamedInList[]; more: number } {
  const users = (list.users ?? []).map((user) => ({ before: "", name: userName(user) }));
  const shown = users.slice(0, MAX_NAMES);
  const group = accessGroup(list);
  const members = group === undefined ? [] : [{ before: "members of ", name: shownName(group.name) }];
  return { names: [...shown, ...members], more: users.length - shown.length };
}

/** The same as a text: "ann, bea and members of acme/core"; "nobody" for a list of nobody. */
function whoMayUse(list: AccessList): string {
  const { names, more } = namesOf(list);
  const parts = names.map(({ before, name }) => before + name);
  if (more > 0) parts.push(`${more} more`);
  const last = parts.pop();
  if (last === undefined) return "nobody";
  return parts.length === 0 ? last : `${parts.join(", ")} and ${last}`;
}

type Refused = Extract<InstanceAccess, { allowed: false }>;

/** What is said to somebody who is not on a list: who they are, who may use the instance, and why they do not count among them. */
export function refusalMessage(list: AccessList, { login }: { login: string }, refused: Refused): string {
  const only = `This instance lets in only ${whoMayUse(list)}, and its owner is no exception.`;
  return [`You are signed in as ${login}.`, only, whyNot(list, refused)]
    .filter((part) => part !== "")
    .join(" ");
}

/** Why somebody does not count, where that is more than not being named: a sentence, or "". */
export function whyNot(list: AccessList, { refusal, standing }: Refused): string {
  const group = shownName(accessGroup(list)?.name ?? "");
  if (refusal === "not_from_github")
    return "You are signed in to this hub without GitHub, and only people of GitHub's can be on such a list.";
  if (standing === "not_known")
    return `This hub does not know who belongs to ${group}: its own allow-list does not name it. An administrator of the hub can add it.`;
  if (standing === "untold") return `GitHub does not tell this hub now whether you belong to ${group}.`;
  return "";
}

function userName(user: string): string {
  const [, name, id] = WITH_ID.exec(user) ?? [];
  if (id === undefined) return shownName(user);
  return name === "" || name === undefined ? `GitHub id ${id}` : `${shownName(name)} (GitHub id ${id})`;
}

/** An empty name, which is nobody's, is seen as one. */
function shownName(name: string): string {
  return visibleText(name).trim() || "\u201c\u201d";
}
