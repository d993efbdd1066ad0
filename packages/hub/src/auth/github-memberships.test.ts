import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { FakeGitHub } from "../../test/fake-github.ts";
import type { GitHubApi } from "./github-api.ts";
import { fetchMemberships } from "./github-memberships.ts";
import type { AllowedEntity, Memberships } from "./policy.ts";

const NOW = 1_000_000;

let github: FakeGitHub;
let ann: { id: number; login: string };
let acme: AllowedEntity;
let core: AllowedEntity;

beforeEach(() => {
  github = new FakeGitHub({ origin: "http://github.localhost" });
  ann = github.addUser("ann");
  acme = entity("organization", github.addOrganization("acme").id, "acme");
  core = entity("team", github.addTeam("acme", "core").id, "acme/core");
  github.install("acme");
  vi.stubGlobal("fetch", (input: RequestInfo, init?: RequestInit) => github.fetch(new Request(input, init)));
});
afterEach(() => {
  expect(github.unknown).toEqual([]);
  vi.unstubAllGlobals();
});

function entity(kind: AllowedEntity["kind"], id: number, name: string): AllowedEntity {
  return { kind, id, name, role: "member", source: "settings" };
}

function ask(...entities: AllowedEntity[]) {
  const api: GitHubApi = {
    apiUrl: github.apiUrl,
    accessToken: github.grantFor("ann").accessToken,
    timeoutMs: 100,
  };
  github.requests.length = 0;
  return fetchMemberships(api, ann, entities, NOW);
}

/** What was asked of the API, without queries. */
function asked(): string[] {
  return github.requests.map(({ path }) => path.replace("/api/v3", "").replace(/\?.*/, "")).toSorted();
}

async function states(...entities: AllowedEntity[]): Promise<string[]> {
  const answer = await ask(...entities);
  if (!("ok" in answer)) throw new Error("no answer");
  return answer.ok.of.map(({ name, state }) => `${name} ${state}`);
}

it("asks nothing about people, and nothing where the policy is empty", async () => {
  const answer = await ask(entity("user", ann.id, "ann"), entity("user", 5, "bob"));
  expect(answer).toEqual({
    ok: { userId: ann.id, login: "ann", of: [], checkedAt: NOW } satisfies Memberships,
  });
  expect(asked()).toEqual([]);
});

it("asks once about what settings and database both name, and about nothing else", async () => {
  github.join("acme", "ann");
  github.joinTeam("acme", "core", "ann");
  github.addOrganization("private-life");
  github.install("private-life");
  github.join("private-life", "ann");
  const answer = await ask(acme, core, { ...acme, name: "ACME", role: "admin", source: "database" });
  expect(answer).toEqual({
    ok: {
      userId: ann.id,
      login: "ann",
      checkedAt: NOW,
      of: [
        { kind: "organization", id: acme.id, name: "acme", state: "active" },
        { kind: "team", id: core.id, name: "acme/core", state: "active" },
      ],
    },
  });
  expect(asked()).toEqual([
    "/orgs/acme/teams/core",
    "/orgs/acme/teams/core/memberships/ann",
    "/user/memberships/orgs/acme",
  ]);
});

it("tells who was invited from who is not there", async () => {
  expect(await states(acme, core)).toEqual(["acme none", "acme/core none"]);
  github.join("acme", "ann");
  expect(await states(acme, core)).toEqual(["acme active", "acme/core none"]);
  github.leave("acme", "ann");
  github.joinTeam("acme", "core", "ann");
  expect(await states(acme, core)).toEqual(["acme pending", "acme/core pending"]);
});

it("takes nobody for a member who only manages an organisation's bills", async () => {
  github.manageBills("acme", "ann");
  expect(await states(acme)).toEqual(["acme none"]);
  github.rename("acme", "emca");
  expect(await states(acme)).toEqual(["emca none"]);
});

it("finds what was renamed by its id, under its new name", async () => {
  // So many that the right one is not on the first page.
  for (const login of ["a", "b", "c", "d"]) {
    github.addOrganization(login);
    github.install(login);
    github.join(login, "ann");
  }
  github.join("acme", "ann");
  github.joinTeam("acme", "core", "ann");
  github.rename("acme", "emca");
  expect(await states(acme, core)).toEqual(["emca active", "emca/core active"]);
  github.renameTeam("emca", "core", "kernel");
  expect(await states(acme, core)).toEqual(["emca active", "emca/kernel active"]);
});

it("lets nobody in by a name that somebody else has taken", async () => {
  github.rename("acme", "emca");
  github.addOrganization("acme");
  github.addTeam("acme", "core");
  github.install("acme");
  github.join("acme", "ann");
  github.joinTeam("acme", "core", "ann");
  expect(await states(acme, core)).toEqual(["acme none", "acme/core none"]);
  // And the right one is found behind it, even where the new owner tells nothing.
  github.join("emca", "ann");
  github.joinTeam("emca", "core", "ann");
  expect(await states(acme, core)).toEqual(["emca active", "emca/core active"]);
  github.uninstall("acme");
  expect(await states(acme, core)).toEqual(["emca active", "emca/core active"]);
});

it("says where GitHub tells nothing before somebody acts, and where to", async () => {
  github.join("acme", "ann");
  github.joinTeam("acme", "core", "ann");
  github.uninstall("acme");
  expect(await states(acme, core)).toEqual(["acme not_installed", "acme/core not_installed"]);
  github.install("acme");
  github.requireSso("acme", true);
  expect(await ask(acme, core)).toMatchObject({
    ok: { of: [{ state: "sso_required" }, { state: "sso_required" }] },
    ssoUrl: expect.stringContaining("http://github.localhost/orgs/acme/sso") as string,
  });
  github.rename("acme", "emca");
  expect(await states(acme)).toEqual(["acme sso_required"]);
});

it("asks for a person's list once, however many names are out of date", async () => {
  github.rename("acme", "emca");
  await ask(acme, entity("organization", 5, "gone"), core, entity("team", 6, "gone/team"));
  expect(asked().filter((path) => path === "/user/memberships/orgs")).toHaveLength(1);
  expect(asked().filter((path) => path === "/user/teams")).toHaveLength(1);
});

it("is away where GitHub tells nothing, and keeps what it told of the rest", async () => {
  github.join("acme", "ann");
  for (const outage of ["down", "500", "slow", "rate_limited"] as const) {
    github.outage = outage;
    expect(await ask(acme, core)).toHaveProperty("away");
  }
  expect(await ask(entity("user", 5, "bob"))).toHaveProperty("ok");
  github.outage = "secondary_rate_limited";
  expect(await ask(acme)).toEqual({ away: "rate limited", retryAfterSeconds: 60 });

  github.outage = "none";
  vi.stubGlobal("fetch", (input: string, init?: RequestInit) => {
    if (input.includes("/teams/")) return Promise.reject(new TypeError("down"));
    return github.fetch(new Request(input, init));
  });
  expect(await states(acme, core)).toEqual(["acme active", "acme/core unknown"]);
});

it("says that the token is worth nothing", async () => {
  const api = { apiUrl: github.apiUrl, accessToken: github.grantFor("ann").accessToken };
  github.revokeAuthorization("ann");
  expect(await fetchMemberships(api, ann, [acme], NOW)).toEqual({ unauthorized: true });
});
