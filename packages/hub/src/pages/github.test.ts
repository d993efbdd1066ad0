/** Signing in with GitHub, from the button to the dashboard or to the page that says why not. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TestBrowser } from "../../test/browser.ts";
import { FakeGitHub } from "../../test/fake-github.ts";
import { forgetEverybody, HUB } from "../../test/hub.ts";
import { findAdmission } from "../db/admissions.ts";
import { saveAllowedEntity } from "../db/allowed-entities.ts";
import { routes } from "../routes.ts";
import type { EntityKind, Role } from "../auth/policy.ts";

const MINUTE_MS = 60_000;
const CALLBACK = `${HUB}${routes.gitHubCallback}`;

const github = new FakeGitHub({ origin: "http://github.localhost", hub: HUB });
const ann = github.addUser("ann", "Ann A");
const acme = github.addOrganization("acme");
const core = github.addTeam("acme", "core");
const SETTINGS = {
  GITHUB_SIGN_IN: "enabled",
  GITHUB_URL: github.url,
  GITHUB_CLIENT_ID: github.app.clientId,
  GITHUB_CLIENT_SECRET: github.app.clientSecret,
};

let browser: TestBrowser;
/** Every line the hub has logged, to look for what must not be there. */
let logged: string[];

beforeEach(async () => {
  Object.assign(env, SETTINGS);
  browser = new TestBrowser();
  github.outage = "none";
  github.requests.length = 0;
  github.install("acme");
  github.requireSso("acme", false);
  github.leave("acme", "ann");
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.stubGlobal("fetch", (input: RequestInfo, init?: RequestInit) => github.fetch(new Request(input, init)));
  await forgetEverybody();
  logged = [];
  for (const level of ["log", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((...values: unknown[]) => {
      logged.push(JSON.stringify(values));
    });
  }
});

afterEach(() => {
  expect(github.unknown).toEqual([]);
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function allow(kind: EntityKind, id: number, name: string, role: Role = "member"): Promise<void> {
  return saveAllowedEntity(env.DB, { kind, id, name, role }, null);
}

/** To GitHub and back: where GitHub sends the browser. */
async function throughGitHub(login = "ann", decision = "authorize", query = ""): Promise<URL> {
  const start = await browser.open(`${routes.gitHubSignIn}${query}`);
  expect(start.status).toBe(302);
  return github.authorize(start.headers.get("location") ?? "", login, decision);
}

/** The whole way; the page that it ends with. */
async function signIn(login = "ann"): Promise<Response> {
  const back = await throughGitHub(login);
  const answer = await browser.open(back);
  expect(answer.status).toBe(302);
  expect(answer.headers.get("location")).not.toContain(back.searchParams.get("code"));
  return browser.follow(answer);
}

async function audit(): Promise<unknown[]> {
  const { results } = await env.DB.prepare(
    "SELECT action, user_id, login, subject, reason FROM audit_log ORDER BY id",
  ).all();
  return results;
}

/** What the objects of people keep of GitHub's tokens is tested there; here: whether there is anything in D1. */
async function dump(): Promise<string> {
  const tables = ["users", "admissions", "allowed_entities", "audit_log", "sessions", "one_time_codes"];
  const all = await env.DB.batch(tables.map((table) => env.DB.prepare(`SELECT * FROM ${table}`)));
  return JSON.stringify(all.map(({ results }) => results));
}

describe("who gets in", () => {
  it.each<[string, () => Promise<void>, string]>([
    ["a user", () => allow("user", ann.id, "ann"), "user ann"],
    [
      "a member of an organisation",
      () => {
        github.join("acme", "ann");
        return allow("organization", acme.id, "acme");
      },
      "organization acme",
    ],
    [
      "a member of a team",
      () => {
        github.join("acme", "ann");
        github.joinTeam("acme", "core", "ann");
        return allow("team", core.id, "acme/core");
      },
      "team acme/core",
    ],
    [
      "a member of an organisation that has another name now",
      () => {
        github.join("acme", "ann");
        return allow("organization", acme.id, "former-name");
      },
      "organization former-name",
    ],
  ])("%s", async (_, prepare, because) => {
    await prepare();
    const page = await signIn();
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("Signed in as ann");
    expect(await audit()).toEqual([
      {
        action: "sign_in",
        user_id: `github:${ann.id}`,
        login: "ann",
        subject: expect.stringContaining(because) as string,
        reason: "github",
      },
    ]);
    expect((await findAdmission(env.DB, `github:${ann.id}`))?.allowed).toBe(true);
  });

  it("brings them where they wanted to go", async () => {
    await allow("user", ann.id, "ann");
    await browser.follow(await browser.open(routes.tokens));
    const answer = await browser.open(await throughGitHub());
    expect(answer.headers.get("location")).toBe(routes.tokens);
    expect(browser.cookie("next")).toBeUndefined();
  });

  it("lets them choose the account where they ask to", async () => {
    const start = await browser.open(`${routes.gitHubSignIn}?account=other`);
    expect(start.headers.get("location")).toContain("prompt=select_account");
    const plain = await browser.open(routes.gitHubSignIn);
    expect(plain.headers.get("location")).not.toContain("prompt");
  });

  it("gets in though GitHub tells nothing else, where their own id is enough", async () => {
    await allow("user", ann.id, "ann");
    await allow("organization", acme.id, "acme");
    const back = await throughGitHub();
    vi.stubGlobal("fetch", (input: string, init?: RequestInit) => {
      if (input.includes("/memberships/")) return Promise.reject(new TypeError("down"));
      return github.fetch(new Request(input, init));
    });
    expect((await browser.follow(await browser.open(back))).status).toBe(200);
  });

  it("takes the login and the name that GitHub says now", async () => {
    await allow("user", ann.id, "ann");
    await signIn();
    github.rename("ann", "anna");
    await signIn("anna");
    github.rename("anna", "ann");
    const { results } = await env.DB.prepare("SELECT id, login, name FROM users").all();
    expect(results).toEqual([{ id: `github:${ann.id}`, login: "anna", name: "Ann A" }]);
  });
});

describe("who does not", () => {
  it.each<[string, () => Promise<void> | void, number, string[]]>([
    ["nobody is let in", () => {}, 403, ["not_admitted", "as ann", "lets nobody in yet", "account=other"]],
    [
      "a stranger",
      () => allow("organization", acme.id, "acme"),
      403,
      ["not_admitted", "as ann", "account=other", "Use another account"],
    ],
    [
      "somebody who was invited",
      () => {
        github.join("acme", "ann", "pending");
        return allow("organization", acme.id, "acme");
      },
      403,
      ["invitation_pending", "ann is invited to acme", `${github.url}/orgs/acme/invitation`, "Sign in again"],
    ],
    [
      "somebody without a single sign-on session",
      () => {
        github.join("acme", "ann");
        github.requireSso("acme", true);
        return allow("team", core.id, "acme/core");
      },
      403,
      [
        "sso_required",
        "who belongs to acme only",
        `${github.url}/orgs/acme/sso?authorization_request=`,
        "Sign in again",
      ],
    ],
    [
      "somebody of whom GitHub tells nothing without the App",
      () => {
        github.join("acme", "ann");
        github.uninstall("acme");
        return allow("organization", acme.id, "acme");
      },
      403,
      ["app_not_installed", "who belongs to acme", "Sign in again"],
    ],
  ])("%s", async (_, prepare, status, words) => {
    await prepare();
    const page = await signIn();
    expect(page.status).toBe(status);
    const text = await page.text();
    for (const word of words) expect(text).toContain(word);
    expect(browser.cookie("session")).toBeUndefined();
    expect(browser.cookie("access")).toBeUndefined();
    expect(await audit()).toMatchObject([
      { action: "sign_in_refused", user_id: `github:${ann.id}`, login: "ann" },
    ]);
    expect((await findAdmission(env.DB, `github:${ann.id}`))?.allowed).toBe(false);
    expect((await browser.open(routes.dashboard)).headers.get("location")).toContain(routes.signIn);
    // The page stays what it is when it is loaded again, and goes once somebody gets in.
    expect((await browser.open(routes.gitHubCallback)).status).toBe(status);
    await allow("user", ann.id, "ann");
    expect((await signIn()).status).toBe(200);
    expect((await browser.open(routes.gitHubCallback)).headers.get("location")).toBe(routes.signIn);
  });

  it.each(["app_not_installed", "sso_required"])("learns of %s no team of an organisation", async (code) => {
    github.join("acme", "ann");
    if (code === "sso_required") github.requireSso("acme", true);
    else github.uninstall("acme");
    await allow("team", core.id, "acme/core");
    await allow("team", 4711, "acme/plans");
    const text = await (await signIn()).text();
    expect(text).toContain(code);
    expect(text).toMatch(/who belongs to acme[ .]/);
    expect(text).not.toMatch(/core|plans/);
  });

  it("is told for ten minutes, in that browser, and by nobody's cookie but the hub's", async () => {
    await allow("organization", acme.id, "acme");
    expect((await signIn()).status).toBe(403);
    const kept = browser.cookie("refusal") ?? "";
    // Not the last character, of which only some bits count.
    const [content = "", signature = ""] = kept.split(".");
    const forged = `${content}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
    browser.cookies.set("__Host-orchestrator-refusal", forged);
    expect((await browser.open(routes.gitHubCallback)).headers.get("location")).toBe(routes.signIn);
    browser.cookies.set("__Host-orchestrator-refusal", kept);
    expect((await browser.open(routes.gitHubCallback)).status).toBe(403);
    vi.setSystemTime(Date.now() + 10 * MINUTE_MS);
    expect((await browser.open(routes.gitHubCallback)).headers.get("location")).toBe(routes.signIn);
  });

  it("leads to the page that installs the App, where that is one of GitHub's", async () => {
    await allow("organization", acme.id, "acme");
    github.uninstall("acme");
    const { storeGitHubApp } = await import("../auth/github-app.ts");
    const { id, slug, clientId, clientSecret } = github.app;
    Object.assign(env, { GITHUB_CLIENT_ID: "", GITHUB_CLIENT_SECRET: "" });
    const made = { id, slug, clientId, clientSecret, webhookSecret: null };
    await storeGitHubApp(env, { ...made, pageUrl: github.app.htmlUrl }, 1);
    expect(await (await signIn()).text()).toContain(`href="${github.app.htmlUrl}/installations/new"`);
    await env.DB.exec("DELETE FROM github_app");
    await storeGitHubApp(env, { ...made, pageUrl: "https://evil.example/apps/x" }, 1);
    expect(await (await signIn()).text()).not.toContain("evil.example");
  });

  it("leads only to a single sign-on page of GitHub's", async () => {
    await allow("organization", acme.id, "acme");
    const back = await throughGitHub();
    vi.stubGlobal("fetch", (input: string, init?: RequestInit) => {
      if (!input.includes("/memberships/orgs/")) return github.fetch(new Request(input, init));
      const headers = { "x-github-sso": "required; url=https://evil.example/sso" };
      return Promise.resolve(new Response("{}", { status: 403, headers }));
    });
    const text = await (await browser.follow(await browser.open(back))).text();
    expect(text).not.toContain("evil.example");
    expect(text).toContain(`href="${github.url}/orgs/acme/sso"`);
  });

  it("keeps nothing of what a refused person gave", async () => {
    await allow("organization", acme.id, "acme");
    await signIn();
    const { runInDurableObject } = await import("cloudflare:test");
    const rows = await runInDurableObject(env.USER_HUB.getByName(`github:${ann.id}`), (_, state) =>
      state.storage.sql.exec("SELECT * FROM github_grant").toArray(),
    );
    expect(rows).toEqual([]);
    expect(await dump()).not.toMatch(/gh[ur]_/);
  });

  it("shows hostile names as text", async () => {
    await allow("organization", 5, "acme");
    const back = await throughGitHub();
    vi.stubGlobal("fetch", (input: string, init?: RequestInit) => {
      if (!input.endsWith("/user")) return github.fetch(new Request(input, init));
      return Promise.resolve(
        Response.json({ id: ann.id, login: `<img src=x onerror=alert(1)>\u202e${"x".repeat(250)}` }),
      );
    });
    const text = await (await browser.follow(await browser.open(back))).text();
    expect(text).toContain("&lt;img src=x");
    expect(text).not.toContain("<img");
    expect(text).not.toContain("\u202e");
  });
});

describe("a way that ends elsewhere", () => {
  const pageOf = async (back: URL | string) => {
    const answer = await browser.open(back);
    const page = await browser.follow(answer);
    expect(browser.cookie("session")).toBeUndefined();
    return { status: page.status, text: await page.text() };
  };

  beforeEach(() => allow("user", ann.id, "ann"));

  it("cancelled", async () => {
    const page = await pageOf(await throughGitHub("ann", "cancel"));
    expect(page.status).toBe(403);
    expect(page.text).toContain("Sign-in cancelled");
    expect(page.text).toContain(routes.gitHubSignIn);
  });

  it("too late, whoever says so", async () => {
    const back = await throughGitHub();
    vi.setSystemTime(Date.now() + 10 * MINUTE_MS);
    expect((await pageOf(back)).text).toContain("sign_in_expired");
    // GitHub's clock.
    const second = await throughGitHub();
    github.advance(11 * MINUTE_MS);
    expect((await pageOf(second)).text).toContain("sign_in_expired");
    expect(github.requests.filter(({ path }) => path.startsWith("/login/oauth/access_token"))).toHaveLength(
      1,
    );
  });

  it("another browser with the same address, which takes nothing from the one that began", async () => {
    const back = await throughGitHub();
    const owner = browser;
    browser = new TestBrowser();
    expect((await pageOf(back)).text).toContain("sign_in_expired");
    await browser.open(routes.gitHubSignIn);
    expect((await pageOf(back)).text).toContain("sign_in_expired");
    expect(github.requests.filter(({ path }) => path.startsWith("/login/oauth/access_token"))).toEqual([]);
    browser = owner;
    expect((await browser.open(back)).headers.get("location")).toBe(routes.dashboard);
  });

  it("a second time in the same browser", async () => {
    const back = await throughGitHub();
    await browser.open(back);
    // Who is in stays in, by the sign-in there is.
    expect((await browser.open(back)).headers.get("location")).toBe(routes.dashboard);
    browser.cookies.delete("__Host-orchestrator-session");
    browser.cookies.delete("__Host-orchestrator-access");
    expect((await pageOf(back)).text).toContain("sign_in_expired");
  });

  it.each([
    ["no state", (url: URL) => url.searchParams.delete("state")],
    ["no code", (url: URL) => url.searchParams.delete("code")],
    ["another state", (url: URL) => url.searchParams.set("state", "x".repeat(43))],
    ["a state that is none", (url: URL) => url.searchParams.set("state", "'; DROP TABLE users")],
    ["a code that is none", (url: URL) => url.searchParams.set("code", "<script>")],
    ["a long code", (url: URL) => url.searchParams.set("code", "x".repeat(5000))],
    ["two states", (url: URL) => url.searchParams.append("state", "y".repeat(43))],
  ])("%s", async (_, change) => {
    const back = await throughGitHub();
    change(back);
    const page = await pageOf(back);
    expect([page.status, page.text.includes("sign_in_expired")]).toEqual([400, true]);
  });

  it("a code that belongs to another challenge", async () => {
    const other = await throughGitHub();
    const back = await throughGitHub();
    back.searchParams.set("code", other.searchParams.get("code") ?? "");
    expect((await pageOf(back)).text).toContain("sign_in_expired");
  });

  it.each(["down", "500", "rate_limited", "secondary_rate_limited"] as const)("GitHub %s", async (outage) => {
    await allow("organization", acme.id, "acme");
    const back = await throughGitHub();
    github.outage = outage;
    const page = await pageOf(back);
    expect(page.status).toBe(503);
    expect(page.text).toContain("GitHub does not answer");
    expect(page.text).toContain("Try again");
    github.outage = "none";
    expect((await signIn()).status).toBe(200);
  });

  it("GitHub away while it is asked about memberships that would decide", async () => {
    await env.DB.exec("DELETE FROM allowed_entities");
    await allow("organization", acme.id, "acme");
    const back = await throughGitHub();
    vi.stubGlobal("fetch", (input: string, init?: RequestInit) => {
      if (input.includes("/memberships/")) return Promise.resolve(new Response("", { status: 502 }));
      return github.fetch(new Request(input, init));
    });
    expect((await pageOf(back)).status).toBe(503);
    expect(logged.join()).toContain("github_unavailable");
  });

  it("lets several tabs of one browser be on their way at once", async () => {
    const [first, second] = [await throughGitHub(), await throughGitHub()];
    expect((await browser.open(first)).headers.get("location")).toBe(routes.dashboard);
    browser.cookies.delete("__Host-orchestrator-session");
    browser.cookies.delete("__Host-orchestrator-access");
    expect((await browser.open(second)).headers.get("location")).toBe(routes.dashboard);
    expect(browser.cookie("session")).toBeDefined();
  });
});

describe("what begins and ends a sign-in", () => {
  it.each<[string, Record<string, string>]>([
    ["a browser that looks ahead", { "sec-purpose": "prefetch;prerender" }],
    ["a picture in a page", { "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" }],
    ["a frame", { "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" }],
    ["a script", { "sec-fetch-mode": "cors", "sec-fetch-dest": "empty", accept: "*/*" }],
  ])("not %s", async (_, headers) => {
    expect((await browser.open(routes.gitHubSignIn, headers)).status).toBe(400);
    expect(browser.cookies.size).toBe(0);
    await allow("user", ann.id, "ann");
    const back = await throughGitHub();
    expect((await browser.open(back, headers)).status).toBe(400);
    expect((await browser.open(back)).headers.get("location")).toBe(routes.dashboard);
  });

  it("not where GitHub is not used, not set up, or the settings contradict each other", async () => {
    for (const [settings, status] of [
      [{ GITHUB_SIGN_IN: "" }, 404],
      [{ GITHUB_CLIENT_ID: "", GITHUB_CLIENT_SECRET: "" }, 404],
      [{ GITHUB_CLIENT_SECRET: "" }, 500],
    ] as const) {
      Object.assign(env, SETTINGS, settings);
      for (const path of [routes.gitHubSignIn, `${routes.gitHubCallback}?code=1&state=2`]) {
        expect((await browser.open(path)).status).toBe(status);
      }
    }
  });

  it("is limited, from one place", async () => {
    // The edge would be first, but knows no place of its own on one's own machine.
    const begin = () => browser.open(routes.gitHubSignIn, { "cf-connecting-ip": "" });
    for (let count = 0; count < 120; count++) expect((await begin()).status).toBe(302);
    const refused = await begin();
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(500);

    const page = `${routes.gitHubCallback}?code=x&state=${"x".repeat(43)}`;
    for (let count = 0; count < 10; count++) expect((await browser.open(page)).status).toBe(302);
    const last = await browser.open(page);
    expect(last.headers.get("location")).toBe(routes.gitHubCallback);
    const shown = await browser.follow(last);
    expect(shown.status).toBe(429);
    expect(Number(shown.headers.get("retry-after"))).toBeGreaterThan(500);
  });

  it("says nothing of codes, states and tokens anywhere", async () => {
    await allow("user", ann.id, "ann");
    const back = await throughGitHub();
    const [code = "", state = ""] = [back.searchParams.get("code"), back.searchParams.get("state")].map(
      String,
    );
    const answer = await browser.open(back);
    github.outage = "down";
    const failing = await throughGitHub();
    const failed = await browser.open(failing);
    const shown = [
      JSON.stringify([...answer.headers, ...failed.headers]),
      await (await browser.follow(failed)).text(),
      logged.join(),
      await dump(),
    ].join();
    for (const secret of [code, state, failing.searchParams.get("code") ?? "", github.app.clientSecret]) {
      expect(secret.length).toBeGreaterThan(10);
      expect(shown).not.toContain(secret);
    }
    expect(shown).not.toMatch(/gh[ur]_/);
    expect(answer.headers.get("location")).toBe(routes.dashboard);
    expect(failed.headers.get("location")).toBe(routes.gitHubCallback);
    expect(CALLBACK).toContain(routes.gitHubCallback);
  });
});

describe("the sign-in page", () => {
  const text = async () => (await browser.open(routes.signIn)).text();

  it("offers GitHub where it is set up, else says how to", async () => {
    expect(await text()).toContain(`href="${routes.gitHubSignIn}"`);
    Object.assign(env, { GITHUB_CLIENT_ID: "", GITHUB_CLIENT_SECRET: "" });
    expect(await text()).toContain("Open the setup link");
    Object.assign(env, { GITHUB_CLIENT_ID: "x" });
    expect(await text()).toContain("a setting of this hub cannot be read");
    Object.assign(env, { GITHUB_SIGN_IN: "", LOCAL_SIGN_IN: "" });
    expect(await text()).toContain("GITHUB_SIGN_IN");
    Object.assign(env, { LOCAL_SIGN_IN: "enabled" });
    expect(await text()).toContain("Its terminal shows a link");
    expect(await text()).not.toContain(routes.gitHubSignIn);
  });
});
