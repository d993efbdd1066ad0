/** The fake GitHub keeps its word where the hub's tests rely on it. */
import { expect, it } from "vitest";
import { randomSecret, sha256 } from "../src/secrets.ts";
import { FakeGitHub } from "./fake-github.ts";

const ORIGIN = "http://github.test";
const CALLBACK = "http://hub.localhost:8787/auth/github/callback";
const HOUR_MS = 60 * 60_000;
const NOW = Date.UTC(2026, 10, 1);

function createGitHub(): FakeGitHub {
  const github = new FakeGitHub({ origin: ORIGIN, now: () => NOW });
  github.addUser("ann");
  return github;
}

async function begin(github: FakeGitHub, change: Record<string, string> = {}) {
  const verifier = randomSecret();
  const url = new URL(`${ORIGIN}/login/oauth/authorize`);
  const parameters = {
    client_id: github.app.clientId,
    redirect_uri: CALLBACK,
    state: "the-state",
    code_challenge: await sha256(verifier),
    code_challenge_method: "S256",
    ...change,
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { url, verifier };
}

async function token(github: FakeGitHub, form: Record<string, string>): Promise<Record<string, unknown>> {
  const { clientId, clientSecret } = github.app;
  const body = new URLSearchParams({ client_id: clientId, client_secret: clientSecret, ...form });
  const headers = { accept: "application/json" };
  const request = new Request(`${ORIGIN}/login/oauth/access_token`, { method: "POST", headers, body });
  return (await github.fetch(request)).json();
}

function get(github: FakeGitHub, path: string, accessToken = "", headers = {}): Promise<Response> {
  const all = { "user-agent": "test", authorization: `Bearer ${accessToken}`, ...headers };
  return github.fetch(new Request(`${github.apiUrl}${path}`, { headers: all }));
}

async function exchange(github: FakeGitHub, change: Record<string, string> = {}) {
  const { url, verifier } = await begin(github);
  const back = await github.authorize(url, "ann");
  const code = back.searchParams.get("code") ?? "";
  const form = { code, redirect_uri: CALLBACK, code_verifier: verifier };
  return { form, answer: await token(github, { ...form, ...change }) };
}

it("gives tokens for a code once, and takes them back when it is presented again", async () => {
  const github = createGitHub();
  const { form, answer } = await exchange(github);
  expect(answer).toMatchObject({ token_type: "bearer", expires_in: 28_800, scope: "" });
  expect((await get(github, "/user", String(answer["access_token"]))).status).toBe(200);
  expect(await token(github, form)).toMatchObject({ error: "bad_verification_code" });
  expect((await get(github, "/user", String(answer["access_token"]))).status).toBe(401);
});

it.each([
  [{ code_verifier: "x".repeat(43) }, "bad_verification_code"],
  [{ code_verifier: "" }, "bad_verification_code"],
  [{ redirect_uri: `${CALLBACK}x` }, "redirect_uri_mismatch"],
  [{ client_secret: "wrong" }, "incorrect_client_credentials"],
  [{ client_id: "other" }, "incorrect_client_credentials"],
  [{ grant_type: "password" }, "unsupported_grant_type"],
])("refuses a code with %j", async (change, error) => {
  const { answer } = await exchange(createGitHub(), change);
  expect(answer["error"]).toBe(error);
  expect(answer["access_token"]).toBeUndefined();
});

it("lets codes expire after ten minutes, access tokens after eight hours, refresh tokens after six months", async () => {
  const github = createGitHub();
  const { url, verifier } = await begin(github);
  const code = (await github.authorize(url, "ann")).searchParams.get("code") ?? "";
  github.advance(10 * 60_000);
  const late = await token(github, { code, redirect_uri: CALLBACK, code_verifier: verifier });
  expect(late).toMatchObject({ error: "bad_verification_code" });

  const grant = github.grantFor("ann");
  github.advance(8 * HOUR_MS - 1);
  expect((await get(github, "/user", grant.accessToken)).status).toBe(200);
  github.advance(1);
  expect((await get(github, "/user", grant.accessToken)).status).toBe(401);
  github.advance(184 * 24 * HOUR_MS);
  const answer = await token(github, { grant_type: "refresh_token", refresh_token: grant.refreshToken });
  expect(answer).toMatchObject({ error: "bad_refresh_token" });
});

it("takes a refresh token once; the second use ends the whole chain", async () => {
  const github = createGitHub();
  const grant = github.grantFor("ann");
  const refresh = { grant_type: "refresh_token", refresh_token: grant.refreshToken };
  const renewed = await token(github, refresh);
  expect((await get(github, "/user", grant.accessToken)).status).toBe(401);
  expect((await get(github, "/user", String(renewed["access_token"]))).status).toBe(200);
  expect(await token(github, refresh)).toMatchObject({ error: "bad_refresh_token" });
  expect((await get(github, "/user", String(renewed["access_token"]))).status).toBe(401);
});

it.each([
  { client_id: "other" },
  { redirect_uri: "http://evil.test/" },
  { code_challenge: "" },
  { code_challenge_method: "plain" },
])("shows an error page to an authorize URL with %j", async (change) => {
  const github = createGitHub();
  await expect(github.authorize((await begin(github, change)).url, "ann")).rejects.toThrow(/GitHub shows 40/);
});

it("says access_denied when cancelled", async () => {
  const github = createGitHub();
  const back = await github.authorize((await begin(github)).url, "ann", "cancel");
  expect(Object.fromEntries(back.searchParams)).toMatchObject({ error: "access_denied", state: "the-state" });
});

it("refuses clients without a name, unknown tokens, and records what it does not know", async () => {
  const github = createGitHub();
  expect((await get(github, "/user", "", { "user-agent": "" })).status).toBe(403);
  expect((await get(github, "/user", "ghu_unknown")).status).toBe(401);
  expect((await get(github, "/user/orgs", github.grantFor("ann").accessToken)).status).toBe(404);
  expect(github.unknown).toEqual(["GET /api/v3/user/orgs"]);
});

it("lists memberships in small pages that link to each other, where the App is installed", async () => {
  const github = createGitHub();
  for (const login of ["a", "b", "c", "d"]) {
    github.addOrganization(login);
    github.join(login, "ann");
    if (login !== "d") github.install(login);
  }
  const { accessToken } = github.grantFor("ann");
  const first = await get(github, "/user/memberships/orgs?state=active&per_page=100", accessToken);
  expect(await first.json()).toHaveLength(2);
  const [, next = ""] = /<([^>]+)>; rel="next"/.exec(first.headers.get("link") ?? "") ?? [];
  const second = await get(github, next.slice(github.apiUrl.length), accessToken);
  expect(await second.json()).toMatchObject([{ organization: { login: "c" } }]);
  expect(second.headers.get("link")).not.toContain("next");
});

it("tells members by any case of a name, to those it may, and says why not else", async () => {
  const github = createGitHub();
  github.addOrganization("Acme");
  github.addTeam("acme", "core");
  const { accessToken } = github.grantFor("ann");
  const membership = () => get(github, "/user/memberships/orgs/ACME", accessToken);
  const team = () => get(github, "/orgs/acme/teams/Core/memberships/Ann", accessToken);
  expect(await (await membership()).json()).toMatchObject({
    message: "Resource not accessible by integration",
  });
  github.install("acme");
  expect((await membership()).status).toBe(404);
  github.joinTeam("acme", "core", "ann");
  expect(await (await membership()).json()).toMatchObject({
    state: "pending",
    organization: { login: "Acme" },
  });
  expect(await (await team()).json()).toMatchObject({ state: "pending" });
  github.join("acme", "ann");
  expect(await (await team()).json()).toMatchObject({ state: "active" });
  github.requireSso("acme", true);
  expect((await membership()).headers.get("x-github-sso")).toMatch(
    /^required; url=http:\/\/github\.test\/orgs\/Acme\/sso/,
  );
  github.startSso("acme", "ann");
  expect((await membership()).status).toBe(403);
  const newToken = github.grantFor("ann").accessToken;
  expect((await get(github, "/user/memberships/orgs/acme", newToken)).status).toBe(200);
  github.rename("acme", "emca");
  expect((await get(github, "/user/memberships/orgs/acme", newToken)).status).toBe(404);
});
