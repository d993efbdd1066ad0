/** Letting somebody in by name: the hub asks GitHub for the id, as the administrator who lets them in. */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { FakeGitHub } from "../../test/fake-github.ts";
import { ask, cookiePair, HUB, type Person } from "../../test/hub.ts";
import { signIn } from "../auth/session.ts";
import { listAllowedEntities, saveAllowedEntity } from "../db/allowed-entities.ts";
import { upsertUser } from "../db/users.ts";
import { routes } from "../routes.ts";

const github = new FakeGitHub({ origin: "http://github.localhost" });
const acme = github.addOrganization("acme");
const core = github.addTeam("acme", "core");
const octocat = github.addUser("octocat");
const root = github.addUser("root");
github.install("acme");
github.join("acme", "root");

let admin: Person;

beforeAll(async () => {
  Object.assign(env, github.settings);
  const userId = `github:${root.id}`;
  await upsertUser(env.DB, { id: userId, login: "root", name: "Root" });
  await saveAllowedEntity(env.DB, { kind: "user", id: root.id, name: "root", role: "admin" }, null);
  const memberships = { userId: root.id, login: "root", of: [], checkedAt: Date.now() };
  await env.USER_HUB.getByName(userId).signedIn(github.grantFor("root"), memberships);
  const cookies = await signIn(new Request(HUB), env, userId);
  admin = { userId, cookie: cookies.map(cookiePair).join("; ") };
});

beforeEach(() => {
  github.outage = "none";
  github.requireSso("acme", false);
  vi.stubGlobal("fetch", (input: RequestInfo, init?: RequestInit) => github.fetch(new Request(input, init)));
});

afterEach(async () => {
  expect(github.unknown).toEqual([]);
  vi.unstubAllGlobals();
  await env.DB.prepare("DELETE FROM allowed_entities WHERE name <> 'root'").run();
});

async function letIn(
  kind: string,
  name: string,
): Promise<[status: number, said: string, entities: string[]]> {
  const body = new URLSearchParams({ kind, name, role: "member" });
  const response = await ask(routes.addAccess, { method: "POST", person: admin, body });
  const [, said = ""] = /role="alert"[^>]*>(.*?)<\/div>/s.exec(await response.text()) ?? [];
  const rows = await listAllowedEntities(env.DB);
  const others = rows.filter(({ name: known }) => known !== "root");
  return [response.status, said, others.map((row) => `${row.kind} ${row.name}:${row.github_id}`)];
}

it.each([
  ["organization", "ACME", `organization acme:${acme.id}`],
  ["user", "Octocat", `user octocat:${octocat.id}`],
  ["team", "acme/core", `team acme/core:${core.id}`],
  ["organization", `acme:${acme.id}`, `organization acme:${acme.id}`],
])("lets in %s %s by the id that GitHub has for it", async (kind, name, expected) => {
  expect(await letIn(kind, name)).toEqual([303, "", [expected]]);
});

it.each([
  ["organization", "nobody"],
  ["organization", "octocat"],
  ["user", "acme"],
  ["team", "acme/nobody"],
])("says that GitHub knows no %s %s", async (kind, name) => {
  const [status, said, entities] = await letIn(kind, name);
  expect([status, entities]).toEqual([404, []]);
  expect(said).toContain(`GitHub knows nobody called ${name}`);
});

it("does not take an id that is somebody else's", async () => {
  const [status, said, entities] = await letIn("organization", "acme:1");
  expect([status, entities]).toEqual([400, []]);
  expect(said).toContain(`At GitHub acme has another id: ${acme.id}.`);
});

it("says what to do where GitHub does not tell", async () => {
  github.requireSso("acme", true);
  const [status, said, entities] = await letIn("team", "acme/core");
  expect([status, entities]).toEqual([403, []]);
  expect(said).toContain("Write it with its numeric id");
});

it("says so while GitHub is away, and takes an id that is written by hand", async () => {
  github.outage = "500";
  const [status, said] = await letIn("organization", "acme");
  expect(status).toBe(503);
  expect(said).toContain("could not ask GitHub for the id of acme");
  expect(await letIn("organization", "acme:9919")).toEqual([303, "", ["organization acme:9919"]]);
  expect(await letIn("user", "583231")).toEqual([303, "", ["user 583231:583231", "organization acme:9919"]]);
});
