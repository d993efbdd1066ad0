/**
 * Whether a person may use an instance that has a list of who may. What the list alone does not decide is asked of the person's
 * UserHub: whether they belong to its organisation or team.
 */
import {
  accessGroup,
  decideAccess,
  isGitHubId,
  type AccessGroup,
  type AccessList,
  type AccessRefusal,
} from "@ai-orchestrator/protocol";
import { standingIn, type AllowedEntity, type Memberships } from "./policy.ts";

/**
 * What is known of a person in an organisation or a team. `not_known`: the hub's own allow-list does not name it, so GitHub is not
 * asked about it. `untold`: GitHub could not be asked, or does not tell.
 */
export type GroupStanding = "member" | "not_member" | "not_known" | "untold";

export interface Belonging {
  standing: GroupStanding;
  /** What GitHub last called the person. */
  login: string;
  /** When this is worth asking again, milliseconds since the epoch. */
  until: number;
}

/** What an instance is told of the memberships of who looks: of all that is known, only what its list asks for. */
export interface ToldMemberships {
  organizations: string[];
  teams: string[];
}

export type InstanceAccess =
  | ({ allowed: true } & ToldMemberships)
  /** `standing` in the list's group, where that would have let them in. */
  | { allowed: false; refusal: AccessRefusal; standing?: GroupStanding };

const NO_MEMBERSHIPS: ToldMemberships = { organizations: [], teams: [] };

/** GitHub's numeric id of a user, in decimal; undefined for who is nobody there. */
export function gitHubIdOf(userId: string): string | undefined {
  const id = userId.replace(/^github:/, "");
  return id !== userId && isGitHubId(id) ? id : undefined;
}

/** Whether this user may use an instance with this list. `ask` is called only where that decides; where it fails, nobody belongs. */
export async function judgeAccess(
  list: AccessList,
  { userId, login }: { userId: string; login: string },
  ask: (group: AccessGroup) => Promise<Belonging>,
): Promise<InstanceAccess> {
  const person = { id: gitHubIdOf(userId) ?? userId, login };
  const alone = decideAccess(list, { ...person, ...NO_MEMBERSHIPS });
  if (alone.allowed) return { allowed: true, ...NO_MEMBERSHIPS };
  const group = accessGroup(list);
  if (alone.refusal !== "not_on_list" || group === undefined) return { ...alone };
  const belonging = await ask(group).catch(() => null);
  if (belonging?.standing === "member") return { allowed: true, ...memberOf(group) };
  return { ...alone, standing: belonging?.standing ?? "untold" };
}

/** As the list says it, whatever else it is called: the instance holds it against its own words. */
function memberOf({ kind, name }: AccessGroup): ToldMemberships {
  return kind === "team" ? { organizations: [], teams: [name] } : { organizations: [name], teams: [] };
}

/**
 * What GitHub said of a person in the organisation or team of this name. The hub knows those of its own allow-list, by the name that
 * GitHub last gave them and by the one that stands there; where two could be meant, GitHub's name counts. `unasked`: GitHub was
 * not asked about it yet, because it is new there.
 */
export function standingInGroup(
  group: AccessGroup,
  memberships: Memberships,
  policy: readonly AllowedEntity[],
): GroupStanding | "unasked" {
  const isOf = ({ kind, name }: { kind: string; name: string }) =>
    kind === group.kind && name.toLowerCase() === group.name;
  const renamed = new Set(memberships.of.filter(isOf).map(({ id }) => id));
  const byGitHubsName = policy.filter(({ kind, id }) => kind === group.kind && renamed.has(id));
  const meant = byGitHubsName.length > 0 ? byGitHubsName : policy.filter(isOf);
  const [entity] = meant;
  if (entity === undefined) return "not_known";
  if (meant.some(({ id }) => id !== entity.id)) return "untold";
  if (!memberships.of.some(({ kind, id }) => kind === entity.kind && id === entity.id)) return "unasked";
  switch (standingIn(entity, memberships)) {
    case "active":
      return "member";
    case "none":
    case "pending":
      return "not_member";
    case "sso_required":
    case "not_installed":
    case "unknown":
      return "untold";
  }
}
