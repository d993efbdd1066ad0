/**
 * What GitHub says of a person in everything the policy names, and in nothing else. Names lead to an answer, ids decide
 * whether it is about the right one: where a name is out of date, or somebody else's now, the person's own lists are searched
 * for the id.
 */
import type { AllowedEntity, Membership, Memberships, MembershipState } from "./policy.ts";
import {
  fetchMembership,
  fetchTeam,
  fetchTeamMembership,
  listMemberships,
  listTeams,
  type ApiAnswer,
  type GitHubApi,
  type OrganizationMembership,
  type Unauthorized,
} from "./github-api.ts";
import type { Away } from "./github-http.ts";

/**
 * `away`: GitHub told nothing at all, so what was known still stands. `ok`: it told at least of some; of the others the
 * state is `unknown`. `ssoUrl` is where the person starts a single sign-on session, as GitHub gave it.
 */
export type MembershipsAnswer = { ok: Memberships; ssoUrl?: string } | Unauthorized | Away;

/** What is known of one entity, or why nothing is. */
type Found = { state: MembershipState; name: string; ssoUrl?: string } | Unauthorized | Away;

/** Asks GitHub about a person, by their own token. `user` is who GitHub just said that they are. */
export async function fetchMemberships(
  api: GitHubApi,
  user: { id: number; login: string },
  entities: readonly AllowedEntity[],
  now: number = Date.now(),
): Promise<MembershipsAnswer> {
  const search = new Search(api, user.login);
  const asked = distinct(entities);
  const found = await Promise.all(
    asked.map(async (entity) => ({ entity, found: await search.find(entity) })),
  );
  const of: Membership[] = [];
  let away: Away | undefined;
  let ssoUrl: string | undefined;
  for (const { entity, found: one } of found) {
    if ("unauthorized" in one) return one;
    if ("away" in one) away = longest(away, one);
    else ssoUrl ??= one.ssoUrl;
    const { kind, id } = entity;
    const known = "away" in one ? { name: entity.name, state: "unknown" as const } : one;
    of.push({ kind, id, name: known.name, state: known.state });
  }
  if (away !== undefined && of.every(({ state }) => state === "unknown")) return away;
  const ok = { userId: user.id, login: user.login, of, checkedAt: now };
  return { ok, ...(ssoUrl === undefined ? {} : { ssoUrl }) };
}

type Askable = AllowedEntity & { kind: Membership["kind"] };

/** Each organisation and team once, though settings and database may both name it. People are known by their id. */
function distinct(entities: readonly AllowedEntity[]): Askable[] {
  const byId = new Map<string, Askable>();
  for (const entity of entities) {
    const { kind, id } = entity;
    if (kind !== "user" && !byId.has(`${kind}:${id}`)) byId.set(`${kind}:${id}`, { ...entity, kind });
  }
  return [...byId.values()];
}

function longest(a: Away | undefined, b: Away): Away {
  return (a?.retryAfterSeconds ?? -1) >= (b.retryAfterSeconds ?? 0) && a !== undefined ? a : b;
}

/** One person's answers; their lists are asked for once at most. */
class Search {
  readonly #api: GitHubApi;
  readonly #login: string;
  #memberships: ReturnType<typeof listMemberships> | undefined;
  #teams: ReturnType<typeof listTeams> | undefined;

  constructor(api: GitHubApi, login: string) {
    this.#api = api;
    this.#login = login;
  }

  find(entity: Askable): Promise<Found> {
    return entity.kind === "organization" ? this.#findOrganization(entity) : this.#findTeam(entity);
  }

  async #findOrganization(entity: Askable): Promise<Found> {
    const answer = await fetchMembership(this.#api, entity.name);
    if ("ok" in answer && answer.ok.organization.id === entity.id) {
      return { state: stateOf(answer.ok), name: answer.ok.organization.login };
    }
    if ("away" in answer || "unauthorized" in answer) return answer;
    // The name may be somebody else's now, whatever GitHub says about it.
    this.#memberships ??= listMemberships(this.#api);
    const listed = await this.#memberships;
    if (!("ok" in listed)) return "untold" in listed ? untold(entity, answer) : listed;
    const here = listed.ok.items.find(({ organization }) => organization.id === entity.id);
    if (here !== undefined) return { state: stateOf(here), name: here.organization.login };
    if (listed.ok.hiddenBySso.includes(entity.id))
      return { ...untold(entity, answer), state: "sso_required" };
    return untold(entity, answer);
  }

  async #findTeam(entity: Askable): Promise<Found> {
    const [organization = "", slug = ""] = entity.name.split("/");
    const answer = await fetchTeam(this.#api, organization, slug);
    if ("ok" in answer && answer.ok.id === entity.id) return this.#inTeam({ organization, slug }, entity);
    if ("away" in answer || "unauthorized" in answer) return answer;
    this.#teams ??= listTeams(this.#api);
    const listed = await this.#teams;
    if (!("ok" in listed)) return "untold" in listed ? untold(entity, answer) : listed;
    const here = listed.ok.items.find(({ id }) => id === entity.id);
    if (here === undefined) return untold(entity, answer);
    return this.#inTeam({ organization: here.organization.login, slug: here.slug }, entity);
  }

  async #inTeam(team: { organization: string; slug: string }, entity: Askable): Promise<Found> {
    const answer = await fetchTeamMembership(this.#api, team, this.#login);
    if ("ok" in answer) return { state: answer.ok.state, name: `${team.organization}/${team.slug}` };
    return "untold" in answer ? untold(entity, answer) : answer;
  }
}

/** GitHub tells of those who only manage an organisation's bills as of its members, which they are not. */
function stateOf({ state, role }: OrganizationMembership): MembershipState {
  return role === "member" || role === "admin" ? state : "none";
}

/** What follows from GitHub's not telling. An answer about another one of that name tells nothing: not a member, then. */
function untold<T>(
  entity: Askable,
  answer: ApiAnswer<T>,
): { state: MembershipState; name: string; ssoUrl?: string } {
  const { name } = entity;
  if (!("untold" in answer) || answer.untold === "missing") return { state: "none", name };
  if (answer.untold === "not_installed") return { state: "not_installed", name };
  return { state: "sso_required", name, ...(answer.url === undefined ? {} : { ssoUrl: answer.url }) };
}
