/** Asks GitHub something by the tokens that a person gave, renewing these on the way. */
import type { GitHubGrant } from "../contracts.ts";
import { fetchUser, type GitHubApi, type Unauthorized } from "./github-api.ts";
import type { GitHubApp } from "./github-app.ts";
import type { Away } from "./github-http.ts";
import { fetchMemberships } from "./github-memberships.ts";
import { refreshGrant } from "./github-oauth.ts";
import type { AllowedEntity, Memberships } from "./policy.ts";

/** GitHub does not take the tokens any more, so the person must sign in again; in GitHub's word for it. */
export interface Worthless {
  worthless: string;
}

export interface GrantKeeper {
  grant: GitHubGrant;
  /** Must have kept the new tokens when it resolves: the former refresh token is worth nothing from then on. */
  keep: (grant: GitHubGrant) => Promise<void>;
}

/** Access tokens are renewed this long before they expire. */
const EARLY_MS = 60_000;

/** Asks something with an access token that works: renews it where it is old, and once where GitHub does not take it. */
export async function withAccess<T extends object>(
  app: GitHubApp,
  keeper: GrantKeeper,
  now: () => number,
  ask: (api: GitHubApi) => Promise<T | Unauthorized>,
): Promise<T | Worthless | Away> {
  let { grant } = keeper;
  const isOld = grant.accessExpiresAt <= now() + EARLY_MS;
  for (const mustRenew of isOld ? [true] : [false, true]) {
    if (mustRenew) {
      const renewed = await renew(app, keeper, now);
      if (!("ok" in renewed)) return renewed;
      grant = renewed.ok;
    }
    const answer = await ask({ apiUrl: app.apiUrl, accessToken: grant.accessToken });
    if (!("unauthorized" in answer)) return answer;
  }
  // It has just given this one.
  return { away: "new access token refused" };
}

/** What GitHub says of the person with this numeric id in everything the policy names. */
export async function askAboutPerson(
  api: GitHubApi,
  { gitHubId, policy }: { gitHubId: number; policy: readonly AllowedEntity[] },
  now: number,
): Promise<{ ok: Memberships } | Unauthorized | Worthless | Away> {
  const user = await fetchUser(api);
  if ("untold" in user) return { away: `no answer about the person: ${user.untold}` };
  if (!("ok" in user)) return user;
  if (user.ok.id !== gitHubId) return { worthless: "tokens of somebody else" };
  return fetchMemberships(api, user.ok, policy, now);
}

async function renew(
  app: GitHubApp,
  { grant, keep }: GrantKeeper,
  now: () => number,
): Promise<{ ok: GitHubGrant } | Worthless | Away> {
  if (grant.refreshToken === "" || grant.refreshExpiresAt <= now()) return { worthless: "expired" };
  const answer = await refreshGrant(app, grant.refreshToken, now());
  if ("refused" in answer) return { worthless: answer.refused };
  if ("ok" in answer) await keep(answer.ok);
  return answer;
}
