/** Who came back from GitHub, and whether they get in. */
import { auditSubject } from "../audit.ts";
import { recordAudit } from "../db/audit.ts";
import { upsertUser } from "../db/users.ts";
import type { Env } from "../env.ts";
import type { Admission, GitHubGrant } from "../contracts.ts";
import { fetchUser, type GitHubUser } from "./github-api.ts";
import type { GitHubApp } from "./github-app.ts";
import { finishFlow } from "./github-flow.ts";
import type { Away } from "./github-http.ts";
import { fetchMemberships } from "./github-memberships.ts";
import { loadPolicy } from "./policy-store.ts";
import { decide, type AllowedEntity, type Decision, type Memberships } from "./policy.ts";
import type { Refused } from "./refusal.ts";
import { placeOf } from "./request-place.ts";
import { appointFirstAdministrator } from "./setup.ts";
import { log } from "../log.ts";

export type Outcome = { admitted: { userId: string; isFirstAdministrator: boolean } } | { refused: Refused };

/** Takes a callback's query: the person is known, judged and remembered when it resolves, but not signed in. */
export async function identify(
  request: Request,
  env: Env,
  app: GitHubApp,
  now: number = Date.now(),
): Promise<Outcome> {
  const flow = await finishFlow(request, env, app, now);
  if ("stale" in flow) return { refused: { code: "sign_in_expired" } };
  if ("refused" in flow) {
    return { refused: { code: flow.refused === "access_denied" ? "sign_in_cancelled" : "sign_in_expired" } };
  }
  if ("away" in flow) return unavailable(flow);
  const user = await fetchUser({ apiUrl: app.apiUrl, accessToken: flow.ok.accessToken });
  if (!("ok" in user)) return unavailable("away" in user ? user : { away: "no answer about the person" });
  return admit(request, env, { app, grant: flow.ok, user: user.ok }, now);
}

interface Arrival {
  app: GitHubApp;
  grant: GitHubGrant;
  user: GitHubUser;
}

async function admit(request: Request, env: Env, arrival: Arrival, now: number): Promise<Outcome> {
  const { app, grant, user } = arrival;
  const userId = `github:${user.id}`;
  // Before GitHub is asked where they belong: from then on webhooks about them count.
  await upsertUser(env.DB, { id: userId, login: user.login, name: user.name || user.login }, now);
  const isFirstAdministrator = await appointFirstAdministrator(request, env, user, now);
  const { entities } = await loadPolicy(env);
  const api = { apiUrl: app.apiUrl, accessToken: grant.accessToken };
  const asked = await fetchMemberships(api, user, entities, now);
  const nothing: Memberships = { userId: user.id, login: user.login, of: [], checkedAt: now };
  const memberships = "ok" in asked ? asked.ok : nothing;
  const decision = decide(memberships, entities);
  if (!decision.allowed && decision.refusal === "unknown")
    return unavailable("away" in asked ? asked : undefined);
  const hub = env.USER_HUB.getByName(userId);
  const admission = await hub.signedIn(grant, memberships);
  const from = placeOf(request);
  const person = { userId, login: user.login, from };
  if (admission.admitted) {
    const subject = decision.allowed ? nameOf(decision.because) : null;
    await recordAudit(env.DB, { action: "sign_in", ...person, subject, reason: "github" }, now);
    return { admitted: { userId, isFirstAdministrator } };
  }
  const subject = decision.allowed ? null : decision.about.map(nameOf).join(", ") || null;
  await recordAudit(env.DB, { action: "sign_in_refused", ...person, subject, reason: admission.reason }, now);
  const ssoUrl = "ok" in asked ? (asked.ssoUrl ?? null) : null;
  return { refused: toRefused(admission.reason, decision, { login: user.login, ssoUrl }) };
}

type Reason = Extract<Admission, { admitted: false }>["reason"];

function toRefused(
  reason: Reason,
  decision: Decision,
  { login, ssoUrl }: { login: string; ssoUrl: string | null },
): Refused {
  const about = decision.allowed ? [] : decision.about.map(({ name }) => name);
  // GitHub may not tell who asks that there is such a team; single sign-on and the App are the organisation's anyway.
  const organizations = [...new Set(about.map((name) => name.split("/")[0] ?? name))];
  switch (reason) {
    case "empty_policy":
      return { code: "not_admitted", login, isPolicyEmpty: true };
    case "not_a_member":
    case "never_signed_in":
      return { code: "not_admitted", login, isPolicyEmpty: false };
    case "invitation_pending":
      return { code: reason, login, about };
    case "app_not_installed":
      return { code: reason, login, about: organizations };
    case "sso_required":
      return { code: reason, login, about: organizations, ssoUrl };
    case "unknown":
    case "unverified":
      return { code: "github_unavailable" };
  }
}

function unavailable(away: Away | undefined): Outcome {
  log("github_unavailable", { reason: away?.away ?? "told nothing" });
  return { refused: { code: "github_unavailable" } };
}

function nameOf({ kind, id, name }: AllowedEntity): string {
  return auditSubject(`${kind} ${name}`, id);
}
