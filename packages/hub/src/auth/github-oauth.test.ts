import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeGitHub } from "../../test/fake-github.ts";
import type { Outage } from "../../test/fake-github/outage.ts";
import type { GitHubApp } from "./github-app.ts";
import { authorizationUrl, exchangeCode, refreshGrant, type GrantAnswer } from "./github-oauth.ts";

const ORIGIN = "http://github.localhost";
const CALLBACK = "http://hub.localhost:8787/auth/github/callback";
const VERIFIER = "v".repeat(43);
const NOW = Date.UTC(2026, 10, 1);
const HOUR_MS = 60 * 60_000;

let github: FakeGitHub;
let app: GitHubApp;

beforeEach(() => {
  github = new FakeGitHub({ origin: ORIGIN, now: () => NOW, slowMs: 20 });
  github.addUser("ann");
  const { clientId, clientSecret } = github.app;
  app = { url: ORIGIN, apiUrl: github.apiUrl, clientId, clientSecret, webhookSecret: null, pageUrl: null };
  vi.stubGlobal("fetch", (input: RequestInfo, init?: RequestInit) => github.fetch(new Request(input, init)));
});
afterEach(() => {
  expect(github.unknown).toEqual([]);
  vi.unstubAllGlobals();
});

async function codeOf(login: string): Promise<URLSearchParams> {
  const request = { redirectUri: CALLBACK, state: "the-state", verifier: VERIFIER, chooseAccount: false };
  return (await github.authorize(await authorizationUrl(app, request), login)).searchParams;
}

const exchange = async (change: object = {}, of: GitHubApp = app): Promise<GrantAnswer> => {
  const callback = { query: await codeOf("ann"), redirectUri: CALLBACK, verifier: VERIFIER, ...change };
  return exchangeCode(of, callback, NOW);
};

it("sends the browser with a state, a challenge and nothing secret; lets it choose another account", async () => {
  const request = { redirectUri: CALLBACK, state: "the-state", verifier: VERIFIER, chooseAccount: false };
  const url = await authorizationUrl(app, request);
  expect(Object.fromEntries(new URL(url).searchParams)).toEqual({
    client_id: app.clientId,
    redirect_uri: CALLBACK,
    state: "the-state",
    code_challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
    code_challenge_method: "S256",
  });
  expect(url).not.toContain(VERIFIER);
  expect(url).not.toContain(app.clientSecret);
  const choosing = await authorizationUrl(app, { ...request, chooseAccount: true });
  expect(new URL(choosing).searchParams.get("prompt")).toBe("select_account");
});

it("exchanges a code for a grant with its times", async () => {
  expect(await exchange()).toEqual({
    ok: {
      accessToken: expect.stringMatching(/^ghu_/) as string,
      accessExpiresAt: NOW + 8 * HOUR_MS,
      refreshToken: expect.stringMatching(/^ghr_/) as string,
      refreshExpiresAt: NOW + 15_897_600_000,
    },
  });
});

it("takes no code with another verifier, another redirect, a second time, or too late", async () => {
  expect(await exchange({ verifier: "x".repeat(43) })).toEqual({ refused: "bad_verification_code" });
  const query = await codeOf("ann");
  expect(await exchange({ query })).toHaveProperty("ok");
  expect(await exchange({ query })).toEqual({ refused: "bad_verification_code" });
  const late = await codeOf("ann");
  github.advance(10 * 60_000);
  expect(await exchange({ query: late })).toEqual({ refused: "bad_verification_code" });
});

it("takes an answer that names GitHub as its issuer, or nobody, and nobody else's", async () => {
  const query = await codeOf("ann");
  expect(query.get("iss")).toBe(`${ORIGIN}/login/oauth`);
  expect(await exchange({ query })).toHaveProperty("ok");
  const silent = await codeOf("ann");
  silent.delete("iss");
  expect(await exchange({ query: silent })).toHaveProperty("ok");
  const foreign = await codeOf("ann");
  foreign.set("iss", "https://evil.test/login/oauth");
  expect(await exchange({ query: foreign })).toEqual({ away: "answer not understood" });
});

it("says what a callback with an error says", async () => {
  const query = new URLSearchParams({ error: "access_denied", state: "the-state" });
  expect(await exchange({ query })).toEqual({ refused: "access_denied" });
});

it("takes an App that GitHub does not know for GitHub being away, and says so in the log", async () => {
  const log = vi.spyOn(console, "error").mockReturnValue();
  expect(await exchange({}, { ...app, clientSecret: "wrong" })).toEqual({
    away: "incorrect_client_credentials",
  });
  expect(log.mock.calls).toEqual([
    ['{"event":"github_app_refused","level":"error","reason":"incorrect_client_credentials"}'],
  ]);
  log.mockRestore();
});

it("renews a grant once with each refresh token", async () => {
  const first = await exchange();
  if (!("ok" in first)) throw new Error("no grant");
  const second = await refreshGrant(app, first.ok.refreshToken, NOW + 1000);
  expect(second).toMatchObject({ ok: { accessExpiresAt: NOW + 1000 + 8 * HOUR_MS } });
  expect(await refreshGrant(app, first.ok.refreshToken, NOW)).toEqual({ refused: "bad_refresh_token" });
});

it("keeps a grant without a refresh token, of an App whose tokens do not expire, for what it is", async () => {
  vi.stubGlobal("fetch", () =>
    Promise.resolve(Response.json({ access_token: "ghu_x", token_type: "bearer", scope: "" })),
  );
  expect(await refreshGrant(app, "ghr_x", NOW)).toEqual({
    ok: {
      accessToken: "ghu_x",
      accessExpiresAt: Number.MAX_SAFE_INTEGER,
      refreshToken: "",
      refreshExpiresAt: 0,
    },
  });
});

describe("GitHub away", () => {
  it.each<[Outage, string]>([
    ["down", "TypeError"],
    ["500", "status 502"],
  ])("%s", async (outage, away) => {
    const query = await codeOf("ann");
    github.outage = outage;
    expect(await exchangeCode(app, { query, redirectUri: CALLBACK, verifier: VERIFIER }, NOW)).toEqual({
      away,
    });
    expect(await refreshGrant(app, "ghr_x", NOW)).toEqual({ away });
    // Nothing was used up.
    github.outage = "none";
    expect(await exchange({ query })).toHaveProperty("ok");
  });

  it.each([
    ["no JSON", new Response("<html>")],
    ["no token", Response.json({ token_type: "bearer" })],
    ["a token that is no text", Response.json({ access_token: 7, token_type: "bearer" })],
    ["another kind of token", Response.json({ access_token: "x", token_type: "mac" })],
    [
      "a strange life of the refresh token",
      Response.json({
        access_token: "x",
        token_type: "bearer",
        refresh_token: "y",
        refresh_token_expires_in: "soon",
      }),
    ],
    ["an error that is no text", Response.json({ error: 1 })],
    ["nothing", new Response("")],
  ])("answers with %s", async (_, response) => {
    vi.stubGlobal("fetch", () => Promise.resolve(response));
    expect(await refreshGrant(app, "ghr_x", NOW)).toEqual({ away: "answer not understood" });
  });

  it("answers with more than anybody reads, or redirects", async () => {
    vi.stubGlobal("fetch", () => Promise.resolve(new Response("x".repeat(1024 * 1024 + 1))));
    expect(await refreshGrant(app, "ghr_x", NOW)).toEqual({ away: "answer too large" });
    const headers = { location: "http://evil.test/login/oauth/access_token" };
    const asked: string[] = [];
    vi.stubGlobal("fetch", (url: string) => {
      asked.push(url);
      return Promise.resolve(new Response(null, { status: 307, headers }));
    });
    expect(await refreshGrant(app, "ghr_x", NOW)).toEqual({ away: "redirected elsewhere" });
    expect(asked).toEqual([`${ORIGIN}/login/oauth/access_token`]);
  });
});
