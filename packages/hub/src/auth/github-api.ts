/** The few questions the hub asks GitHub about a person, and GitHub's answers told apart. */
import * as v from "valibot";
import { askGitHub, parseJson, retryAfter, type Away, type GitHubAnswer } from "./github-http.ts";

/** GitHub's API, as somebody. */
export interface GitHubApi {
  apiUrl: string;
  accessToken: string;
  timeoutMs?: number;
}

/** Why GitHub does not tell, though it answers. */
export type Untold =
  /** There is no such thing, or the person may not know of it. */
  | { untold: "missing" }
  /** `url` is where the person starts the session, as GitHub gave it: do not trust it unseen. */
  | { untold: "sso_required"; url: string | undefined }
  | { untold: "not_installed" };

/** The access token is worth nothing: it expired, or the person withdrew it. */
export interface Unauthorized {
  unauthorized: true;
}

export type ApiAnswer<T> = { ok: T } | Untold | Unauthorized | Away;

/** A list of which pages may be missing those that single sign-on hides, by the ids of their organisations. */
export interface Listed<T> {
  items: T[];
  hiddenBySso: number[];
}

const id = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const login = v.pipe(v.string(), v.minLength(1), v.maxLength(300));
const state = v.picklist(["active", "pending"]);
const account = v.object({ id, login });
const Profile = v.object({ id, login, type: v.string() });

const User = v.object({ id, login, name: v.nullish(v.pipe(v.string(), v.maxLength(1000))) });
const OrganizationMembership = v.object({ state, role: v.string(), organization: account });
const Team = v.object({ id, slug: login });
const TeamMembership = v.object({ state });
const OwnTeam = v.object({ id, slug: login, organization: account });

export type GitHubUser = v.InferOutput<typeof User>;
export type OrganizationMembership = v.InferOutput<typeof OrganizationMembership>;

/** GitHub gives no more on a page. */
const PER_PAGE = 100;
const MAX_PAGES = 20;
const NOT_INSTALLED = "resource not accessible by integration";

/** Whose token this is. */
export function fetchUser(api: GitHubApi): Promise<ApiAnswer<GitHubUser>> {
  return ask(api, "/user", User);
}

/** Anybody's public account: a person's, `type` "User", or an organisation's, "Organization". */
export function fetchAccount(
  api: GitHubApi,
  accountLogin: string,
): Promise<ApiAnswer<v.InferOutput<typeof Profile>>> {
  return ask(api, `/users/${encodeURIComponent(accountLogin)}`, Profile);
}

/** The person's membership in an organisation, by its login. */
export function fetchMembership(
  api: GitHubApi,
  organization: string,
): Promise<ApiAnswer<OrganizationMembership>> {
  return ask(api, `/user/memberships/orgs/${encodeURIComponent(organization)}`, OrganizationMembership);
}

/** Every organisation the person is an active member of, as far as GitHub shows them to this App. */
export function listMemberships(api: GitHubApi): Promise<ApiAnswer<Listed<OrganizationMembership>>> {
  return list(api, `/user/memberships/orgs?state=active&per_page=${PER_PAGE}`, OrganizationMembership);
}

/** A team, by its organisation's login and its slug. */
export function fetchTeam(
  api: GitHubApi,
  organization: string,
  slug: string,
): Promise<ApiAnswer<{ id: number; slug: string }>> {
  return ask(api, teamPath(organization, slug), Team);
}

export function fetchTeamMembership(
  api: GitHubApi,
  team: { organization: string; slug: string },
  user: string,
): Promise<ApiAnswer<{ state: "active" | "pending" }>> {
  const path = `${teamPath(team.organization, team.slug)}/memberships/${encodeURIComponent(user)}`;
  return ask(api, path, TeamMembership);
}

/** Every team the person is in, as far as GitHub shows them to this App. */
export function listTeams(api: GitHubApi): Promise<ApiAnswer<Listed<v.InferOutput<typeof OwnTeam>>>> {
  return list(api, `/user/teams?per_page=${PER_PAGE}`, OwnTeam);
}

function teamPath(organization: string, slug: string): string {
  return `/orgs/${encodeURIComponent(organization)}/teams/${encodeURIComponent(slug)}`;
}

async function ask<T>(
  api: GitHubApi,
  path: string,
  schema: v.GenericSchema<unknown, T>,
): Promise<ApiAnswer<T>> {
  const answer = await askApi(api, `${api.apiUrl}${path}`);
  return "ok" in answer ? parsed(answer.ok, schema) : answer;
}

async function list<T>(
  api: GitHubApi,
  path: string,
  schema: v.GenericSchema<unknown, T>,
): Promise<ApiAnswer<Listed<T>>> {
  const listed: Listed<T> = { items: [], hiddenBySso: [] };
  let url: string | undefined = `${api.apiUrl}${path}`;
  for (let page = 0; url !== undefined; page++) {
    if (page === MAX_PAGES) return { away: "too many pages" };
    // A page elsewhere would get the person's token.
    if (!url.startsWith(`${api.apiUrl}/`)) return { away: "next page elsewhere" };
    const answer: ApiAnswer<GitHubAnswer> = await askApi(api, url);
    if (!("ok" in answer)) return answer;
    const items: ApiAnswer<T[]> = parsed(answer.ok, v.array(schema));
    if (!("ok" in items)) return items;
    listed.items.push(...items.ok);
    listed.hiddenBySso.push(...hiddenBySso(answer.ok.headers));
    url = nextPage(answer.ok.headers.get("link") ?? "");
  }
  return { ok: listed };
}

async function askApi({ accessToken, timeoutMs }: GitHubApi, url: string): Promise<ApiAnswer<GitHubAnswer>> {
  const answer = await askGitHub(url, {
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${accessToken}`,
      "x-github-api-version": "2022-11-28",
    },
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  return "away" in answer ? answer : judge(answer);
}

function judge(answer: GitHubAnswer): ApiAnswer<GitHubAnswer> {
  switch (answer.status) {
    case 200:
      return { ok: answer };
    case 401:
      return { unauthorized: true };
    case 403:
    case 429:
      return judgeRefusal(answer);
    case 404:
      return { untold: "missing" };
    default:
      return { away: `status ${answer.status}` };
  }
}

/** GitHub says 403 to very different things. What is none of those known may be anything, so nothing follows from it. */
function judgeRefusal({ status, headers, text }: GitHubAnswer): ApiAnswer<GitHubAnswer> {
  const message = messageOf(text).toLowerCase();
  const isLimited = headers.get("x-ratelimit-remaining") === "0" || headers.has("retry-after");
  if (status === 429 || isLimited || message.includes("rate limit")) {
    return { away: "rate limited", ...rateLimitEnd(headers) };
  }
  const sso = headers.get("x-github-sso");
  if (sso !== null) return { untold: "sso_required", url: /(?:^|;)\s*url=([^;\s]+)/.exec(sso)?.[1] };
  if (message.includes(NOT_INSTALLED)) return { untold: "not_installed" };
  return { away: "refused" };
}

function rateLimitEnd(headers: Headers): Pick<Away, "retryAfterSeconds"> {
  const said = retryAfter(headers);
  if (said.retryAfterSeconds !== undefined) return said;
  const seconds = Math.ceil(Number(headers.get("x-ratelimit-reset") ?? Number.NaN) - Date.now() / 1000);
  return Number.isFinite(seconds) && seconds > 0 ? { retryAfterSeconds: seconds } : {};
}

function messageOf(text: string): string {
  const body = v.safeParse(v.object({ message: v.string() }), parseJson(text));
  return body.success ? body.output.message : "";
}

function parsed<T>({ text }: GitHubAnswer, schema: v.GenericSchema<unknown, T>): ApiAnswer<T> {
  const body = v.safeParse(schema, parseJson(text));
  return body.success ? { ok: body.output } : { away: "answer not understood" };
}

function nextPage(link: string): string | undefined {
  return /<([^>]+)>;\s*rel="next"/.exec(link)?.[1];
}

/** `partial-results; organizations=1,2`: what the list leaves out until the person has signed in there. */
function hiddenBySso(headers: Headers): number[] {
  const [, ids = ""] = /organizations=([\d,]+)/.exec(headers.get("x-github-sso") ?? "") ?? [];
  return ids
    .split(",")
    .filter((text) => text !== "")
    .map(Number);
}
