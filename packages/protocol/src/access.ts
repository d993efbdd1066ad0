/**
 * Who may use an instance: its list held against a person. Pure, and the only place that decides: the hub refuses by it early,
 * the connector refuses by it whatever the hub did.
 */
import type { AccessList } from "./instance-types.ts";

/** The fields by which a hub tells a connector who asks. No browser's field of such a name ever gets that far. */
export const IDENTITY_FIELDS = {
  /** GitHub's numeric id of a person of GitHub's, in decimal. */
  userId: "x-orchestrator-user-id",
  login: "x-orchestrator-username",
  /** Verified, by name, with commas between; only what the instance's list asks for, and not for the application. */
  organizations: "x-orchestrator-organizations",
  teams: "x-orchestrator-teams",
} as const;

/** A person as the hub verified them. */
export interface AccessPerson {
  /** GitHub's numeric id in decimal; anything else is nobody at GitHub, whom no list lets in. */
  id: string;
  login: string;
  /** The organisations and teams (`organization/slug`) they belong to, at least where the list asks for these. */
  organizations: readonly string[];
  teams: readonly string[];
}

/**
 * Why somebody may not use an instance. `nobody_named`: its list is empty. `not_from_github`: they are nobody at GitHub, of whom
 * the list speaks. `not_on_list`: somebody else.
 */
export type AccessRefusal = "nobody_named" | "not_from_github" | "not_on_list";

export type AccessDecision = { allowed: true } | { allowed: false; refusal: AccessRefusal };

/** The organisation or team whose members a list lets in; its name in lower case, a team's as `organization/slug`. */
export interface AccessGroup {
  kind: "organization" | "team";
  name: string;
}

const ALLOWED: AccessDecision = { allowed: true };
/** A user of a list by name and id. */
const NAME_AND_ID = /^.*:([1-9]\d*)$/;
const GITHUB_ID = /^[1-9]\d*$/;

/** Whether a person may use an instance with this list. Without a list everybody may whom the hub lets through. */
export function decideAccess(list: AccessList | undefined, person: AccessPerson): AccessDecision {
  if (list === undefined) return ALLOWED;
  const group = accessGroup(list);
  if (group === undefined && (list.users ?? []).length === 0)
    return { allowed: false, refusal: "nobody_named" };
  if (!isGitHubId(person.id)) return { allowed: false, refusal: "not_from_github" };
  if (isNamed(list, person)) return ALLOWED;
  const belongsTo = group?.kind === "team" ? person.teams : person.organizations;
  if (group !== undefined && belongsTo.some((name) => lowerCase(name) === group.name)) return ALLOWED;
  return { allowed: false, refusal: "not_on_list" };
}

/** True where a list names this very person. */
export function isNamed(
  { users = [] }: AccessList,
  { id, login }: Pick<AccessPerson, "id" | "login">,
): boolean {
  return users.some((user) => {
    if (!user.includes(":")) return login !== "" && lowerCase(user) === lowerCase(login);
    return NAME_AND_ID.exec(user)?.[1] === id;
  });
}

/** The group of a list; undefined where it has none, or a team that is of no organisation, to which nobody can belong. */
export function accessGroup({ organization = "", team = "" }: AccessList): AccessGroup | undefined {
  if (team.includes("/")) return { kind: "team", name: lowerCase(team) };
  if (team !== "")
    return organization === "" ? undefined : { kind: "team", name: lowerCase(`${organization}/${team}`) };
  return organization === "" ? undefined : { kind: "organization", name: lowerCase(organization) };
}

/** True of GitHub's numeric id in decimal. */
export function isGitHubId(id: string): boolean {
  return GITHUB_ID.test(id);
}

/** Of ASCII alone, as GitHub's names are: no other letter becomes one of theirs. */
function lowerCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
