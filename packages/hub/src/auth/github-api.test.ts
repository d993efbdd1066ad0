import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeGitHub } from "../../test/fake-github.ts";
import type { Outage } from "../../test/fake-github/outage.ts";
import {
  fetchMembership,
  fetchTeam,
  fetchTeamMembership,
  fetchUser,
  listMemberships,
  listTeams,
  type GitHubApi,
} from "./github-api.ts";

let github: FakeGitHub;
let api: GitHubApi;

beforeEach(() => {
  github = new FakeGitHub({ origin: "http://github.localhost" });
  github.addUser("ann", "Ann <b>A</b>");
  github.addOrganization("acme");
  github.addTeam("acme", "core");
  github.install("acme");
  github.join("acme", "ann");
  api = { apiUrl: github.apiUrl, accessToken: github.grantFor("ann").accessToken };
  vi.stubGlobal("fetch", (input: RequestInfo, init?: RequestInit) => github.fetch(new Request(input, init)));
});
afterEach(() => {
  expect(github.unknown).toEqual([]);
  vi.unstubAllGlobals();
});

/** From now on GitHub answers so. */
function answer(...responses: Response[]): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", (url: string) => {
    asked.push(url);
    return Promise.resolve(responses.shift() ?? new Response(null, { status: 500 }));
  });
  return asked;
}

it("says whose token it is", async () => {
  expect(await fetchUser(api)).toEqual({
    ok: { id: expect.any(Number) as number, login: "ann", name: "Ann <b>A</b>" },
  });
  expect(await fetchUser({ ...api, accessToken: "ghu_other" })).toEqual({ unauthorized: true });
  github.advance(9 * 60 * 60_000);
  expect(await fetchUser(api)).toEqual({ unauthorized: true });
});

it("tells memberships in organisations and teams", async () => {
  expect(await fetchMembership(api, "ACME")).toMatchObject({
    ok: { state: "active", organization: { login: "acme" } },
  });
  expect(await fetchTeam(api, "acme", "core")).toMatchObject({ ok: { slug: "core" } });
  const team = { organization: "acme", slug: "core" };
  expect(await fetchTeamMembership(api, team, "ann")).toEqual({ untold: "missing" });
  github.joinTeam("acme", "core", "ann");
  expect(await fetchTeamMembership(api, team, "ann")).toEqual({ ok: { state: "active" } });
  github.join("acme", "ann", "pending");
  expect(await fetchTeamMembership(api, team, "ann")).toEqual({ ok: { state: "pending" } });
  expect(await fetchMembership(api, "nobody")).toEqual({ untold: "missing" });
});

it("puts names into paths so that they stay one part of them", async () => {
  const asked = answer(...Array.from({ length: 2 }, () => new Response("{}", { status: 404 })));
  await fetchMembership(api, "a/../../x?y#z");
  await fetchTeamMembership(api, { organization: "a/b", slug: "..%2f" }, "é");
  expect(asked.map((url) => url.slice(api.apiUrl.length))).toEqual([
    "/user/memberships/orgs/a%2F..%2F..%2Fx%3Fy%23z",
    "/orgs/a%2Fb/teams/..%252f/memberships/%C3%A9",
  ]);
});

it("tells a missing installation from a missing single sign-on session, with where to start one", async () => {
  github.uninstall("acme");
  expect(await fetchMembership(api, "acme")).toEqual({ untold: "not_installed" });
  github.install("acme");
  github.requireSso("acme", true);
  const url = expect.stringMatching(/^http:\/\/github\.localhost\/orgs\/acme\/sso\?/) as string;
  expect(await fetchMembership(api, "acme")).toEqual({ untold: "sso_required", url });
  answer(new Response("{}", { status: 403, headers: { "x-github-sso": "required" } }));
  expect(await fetchMembership(api, "acme")).toEqual({ untold: "sso_required", url: undefined });
});

describe("lists", () => {
  it("follows the pages to their end", async () => {
    for (let count = 0; count < 6; count++) {
      github.addOrganization(`org-${count}`);
      github.install(`org-${count}`);
      github.join(`org-${count}`, "ann", count === 0 ? "pending" : "active");
      github.addTeam(`org-${count}`, "all");
      github.joinTeam(`org-${count}`, "all", "ann");
    }
    const memberships = await listMemberships(api);
    if (!("ok" in memberships)) throw new Error("not listed");
    const logins = memberships.ok.items.map(({ organization }) => organization.login);
    expect(logins).toEqual(["acme", "org-1", "org-2", "org-3", "org-4", "org-5"]);
    const teams = await listTeams(api);
    if (!("ok" in teams)) throw new Error("not listed");
    expect(teams.ok.items).toHaveLength(5);
    expect(github.requests.filter(({ path }) => path.includes("/user/teams"))).toHaveLength(3);
  });

  it("says which organisations single sign-on hides", async () => {
    const hidden = github.addOrganization("hidden");
    github.install("hidden");
    github.join("hidden", "ann");
    github.requireSso("hidden", true);
    expect(await listMemberships(api)).toMatchObject({
      ok: { items: [{ organization: { login: "acme" } }], hiddenBySso: [hidden.id] },
    });
  });

  it.each([
    "http://evil.test/api/v3/user/teams?page=2",
    "http://github.localhost/api/v3evil",
    "http://github.localhost/other",
  ])("does not take the token to %s", async (next) => {
    const asked = answer(Response.json([], { headers: { link: `<${next}>; rel="next"` } }));
    expect(await listTeams(api)).toEqual({ away: "next page elsewhere" });
    expect(asked).toHaveLength(1);
  });

  it("ends after twenty pages", async () => {
    const page = () =>
      Response.json([], { headers: { link: `<${api.apiUrl}/user/teams?page=2>; rel="next"` } });
    const asked = answer(...Array.from({ length: 30 }, page));
    expect(await listTeams(api)).toEqual({ away: "too many pages" });
    expect(asked).toHaveLength(20);
  });
});

describe("away", () => {
  it.each<[Outage, object]>([
    ["down", { away: "TypeError" }],
    ["500", { away: "status 502" }],
    ["slow", { away: "TimeoutError" }],
    ["rate_limited", { away: "rate limited", retryAfterSeconds: expect.any(Number) as number }],
    ["secondary_rate_limited", { away: "rate limited", retryAfterSeconds: 60 }],
  ])("%s", async (outage, away) => {
    github.outage = outage;
    expect(await fetchUser({ ...api, timeoutMs: 50 })).toEqual(away);
  });

  it.each([
    ["not JSON", () => new Response("<html>"), "answer not understood"],
    ["another shape", () => Response.json({ id: "1", login: "ann" }), "answer not understood"],
    ["an id that is none", () => Response.json({ id: -1, login: "ann" }), "answer not understood"],
    ["too much", () => new Response("x".repeat(2 * 1024 * 1024)), "answer too large"],
    [
      "a refusal nobody knows",
      () => Response.json({ message: "IP not allowed" }, { status: 403 }),
      "refused",
    ],
    ["a status nobody knows", () => new Response(null, { status: 418 }), "status 418"],
    ["429", () => new Response("", { status: 429 }), "rate limited"],
  ])("%s", async (_, response, away) => {
    answer(response());
    expect(await fetchUser(api)).toEqual({ away });
  });

  it("names no URL and no token where the network's error does", async () => {
    vi.stubGlobal("fetch", (url: string) =>
      Promise.reject(new Error(`cannot reach ${url} with ${api.accessToken}`)),
    );
    expect(await fetchUser(api)).toEqual({ away: "Error" });
  });
});

it("follows GitHub's redirects within GitHub, and nowhere else", async () => {
  const to = (location: string) => new Response(null, { status: 301, headers: { location } });
  const asked = answer(to("/api/v3/user/1001"), Response.json({ id: 1, login: "ann" }));
  expect(await fetchUser(api)).toMatchObject({ ok: { login: "ann" } });
  expect(asked[1]).toBe("http://github.localhost/api/v3/user/1001");
  for (const location of [
    "http://evil.test/",
    "https://github.localhost/user",
    "//evil.test/",
    "http://[broken",
  ]) {
    expect(answer(to(location))).toEqual([]);
    expect(await fetchUser(api)).toEqual({ away: "redirected elsewhere" });
  }
  answer(to("/1"), to("/2"), to("/3"));
  expect(await fetchUser(api)).toEqual({ away: "redirected too often" });
});
