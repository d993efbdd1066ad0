import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { FakeGitHub } from "../../test/fake-github.ts";
import type { GitHubApi } from "./github-api.ts";
import { lookUpEntity } from "./github-lookup.ts";

let github: FakeGitHub;
let api: GitHubApi;
let ids: { acme: number; ann: number; core: number };

beforeEach(() => {
  github = new FakeGitHub({ origin: "http://github.localhost" });
  const { id: ann } = github.addUser("Ann");
  const { id: acme } = github.addOrganization("acme");
  const { id: core } = github.addTeam("acme", "core");
  ids = { acme, ann, core };
  github.install("acme");
  github.join("acme", "Ann");
  api = { apiUrl: github.apiUrl, accessToken: github.grantFor("Ann").accessToken, timeoutMs: 500 };
  vi.stubGlobal("fetch", (input: RequestInfo, init?: RequestInit) => github.fetch(new Request(input, init)));
});
afterEach(() => {
  expect(github.unknown).toEqual([]);
  vi.unstubAllGlobals();
});

it("finds organisations, people and teams, spelled as GitHub spells them", async () => {
  expect(await lookUpEntity(api, "organization", "ACME")).toEqual({
    found: true,
    id: ids.acme,
    name: "acme",
  });
  expect(await lookUpEntity(api, "user", "ann")).toEqual({ found: true, id: ids.ann, name: "Ann" });
  expect(await lookUpEntity(api, "team", "acme/core")).toEqual({
    found: true,
    id: ids.core,
    name: "acme/core",
  });
});

it("takes nobody for somebody of another kind", async () => {
  const nobody = { found: false, why: "nobody" };
  expect(await lookUpEntity(api, "user", "acme")).toEqual(nobody);
  expect(await lookUpEntity(api, "organization", "ann")).toEqual(nobody);
  expect(await lookUpEntity(api, "user", "nobody")).toEqual(nobody);
  expect(await lookUpEntity(api, "team", "acme/nobody")).toEqual(nobody);
});

it("says why GitHub does not tell", async () => {
  github.requireSso("acme", true);
  expect(await lookUpEntity(api, "team", "acme/core")).toEqual({ found: false, why: "sso_required" });
  github.requireSso("acme", false);
  github.uninstall("acme");
  expect(await lookUpEntity(api, "team", "acme/core")).toEqual({ found: false, why: "not_installed" });
});

it.each(["down", "500", "rate_limited", "secondary_rate_limited"] as const)(
  "is away while GitHub is: %s",
  async (outage) => {
    github.outage = outage;
    expect(await lookUpEntity(api, "user", "ann")).toEqual({ found: false, why: "away" });
  },
);

it("says that the token has expired, for whoever can renew it", async () => {
  github.advance(9 * 60 * 60_000);
  expect(await lookUpEntity(api, "user", "ann")).toEqual({ unauthorized: true });
});

it("does not take over a name that cannot be one", async () => {
  const profile = { id: 5, login: "<b>", type: "User" };
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json(profile)));
  expect(await lookUpEntity(api, "user", "ann")).toEqual({ found: true, id: 5, name: "ann" });
});
