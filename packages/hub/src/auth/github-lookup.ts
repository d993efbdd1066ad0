import type { GitHubLookup } from "../contracts.ts";
import { fetchAccount, fetchTeam, type ApiAnswer, type GitHubApi, type Unauthorized } from "./github-api.ts";
import { isEntityName } from "./policy-settings.ts";
import type { EntityKind } from "./policy.ts";

/** GitHub's own words for what a login may stand for. */
const ACCOUNT_TYPES = { organization: "Organization", user: "User" } as const;

/** What id GitHub has for a name, and how it spells that: a login, or `<organisation>/<slug>` for a team. */
export async function lookUpEntity(
  api: GitHubApi,
  kind: EntityKind,
  name: string,
): Promise<GitHubLookup | Unauthorized> {
  const answer = kind === "team" ? await lookUpTeam(api, name) : await lookUpAccount(api, kind, name);
  if ("ok" in answer) {
    const { id, name: spelled } = answer.ok;
    return { found: true, id, name: isEntityName(kind, spelled) ? spelled : name };
  }
  if ("unauthorized" in answer) return answer;
  if (!("untold" in answer)) return { found: false, why: "away" };
  return { found: false, why: answer.untold === "missing" ? "nobody" : answer.untold };
}

type Found = ApiAnswer<{ id: number; name: string }>;

async function lookUpAccount(api: GitHubApi, kind: "organization" | "user", login: string): Promise<Found> {
  const answer = await fetchAccount(api, login);
  if (!("ok" in answer)) return answer;
  const { id, login: name, type } = answer.ok;
  return type === ACCOUNT_TYPES[kind] ? { ok: { id, name } } : { untold: "missing" };
}

async function lookUpTeam(api: GitHubApi, path: string): Promise<Found> {
  const [organization = "", slug = ""] = path.split("/");
  const answer = await fetchTeam(api, organization, slug);
  return "ok" in answer ? { ok: { id: answer.ok.id, name: `${organization}/${answer.ok.slug}` } } : answer;
}
