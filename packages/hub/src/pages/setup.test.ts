/** Setting a hub up, from the printed link to the first administrator. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TestBrowser } from "../../test/browser.ts";
import { FakeGitHub } from "../../test/fake-github.ts";
import { forgetEverybody, HUB } from "../../test/hub.ts";
import { loadGitHubApp } from "../auth/github-app.ts";
import { createSetupCode } from "../auth/setup-code.ts";
import { saveAllowedEntity } from "../db/allowed-entities.ts";
import { routes } from "../routes.ts";

const HOUR_MS = 60 * 60_000;
const SETTINGS = {
  GITHUB_SIGN_IN: "enabled",
  GITHUB_URL: "http://github.localhost",
  GITHUB_CLIENT_ID: "",
  GITHUB_CLIENT_SECRET: "",
  ADMINS: "",
  HUB_ORIGIN: HUB,
};

let github: FakeGitHub;
let ann: { id: number; login: string };
let browser: TestBrowser;

beforeEach(async () => {
  Object.assign(env, SETTINGS);
  vi.useFakeTimers({ toFake: ["Date"] });
  browser = new TestBrowser();
  github = new FakeGitHub({ origin: SETTINGS.GITHUB_URL, hub: HUB });
  ann = github.addUser("ann");
  github.addOrganization("acme");
  vi.stubGlobal("fetch", (input: RequestInfo, init?: RequestInit) => github.fetch(new Request(input, init)));
  await forgetEverybody();
});

afterEach(() => {
  expect(github.unknown).toEqual([]);
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** Trades a printed code for the setup cookie. */
async function begin(): Promise<void> {
  const answer = await browser.send(routes.setup, { code: await createSetupCode(env.DB) });
  expect([answer.status, answer.headers.get("location")]).toEqual([303, routes.setup]);
}

/** The form that goes to GitHub. */
async function form(query: Record<string, string> = {}) {
  const page = await browser.open(
    `${routes.setup}?${new URLSearchParams({ step: "confirm", ...query }).toString()}`,
  );
  const text = await page.text();
  const [, action = ""] = /<form method="post" action="([^"]+)"/.exec(text) ?? [];
  const [, manifest = ""] = /name="manifest" value="([^"]+)"/.exec(text) ?? [];
  return { page, text, action: unescape(action), manifest: unescape(manifest) };
}

function unescape(html: string): string {
  return html.replaceAll("&quot;", '"').replaceAll("&amp;", "&").replaceAll("&#39;", "'");
}

/** Sends it as a browser does, and agrees: where GitHub sends the browser. */
async function makeAtGitHub({ action, manifest }: { action: string; manifest: string }): Promise<string> {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const post = (fields: Record<string, string>) => {
    const body = new URLSearchParams({ manifest, ...fields }).toString();
    return github.fetch(new Request(action, { method: "POST", headers, body }));
  };
  const asked = await post({});
  expect([asked.status, await asked.text()]).toEqual([200, expect.stringContaining("Create GitHub App")]);
  return (await post({ user: "ann", decision: "create" })).headers.get("location") ?? "";
}

async function signIn(login = "ann"): Promise<Response> {
  const start = await browser.open(routes.gitHubSignIn);
  return browser.open(await github.authorize(start.headers.get("location") ?? "", login));
}

async function actions(): Promise<unknown[]> {
  const { results } = await env.DB.prepare("SELECT action, subject, reason FROM audit_log ORDER BY id").all();
  return results;
}

it("goes from the printed link to a signed-in administrator, and closes for everybody", async () => {
  const code = await createSetupCode(env.DB);
  const first = await browser.open(`${routes.setup}?code=${code}`);
  expect(await first.text()).toContain("Set up signing in with GitHub");
  expect(browser.cookies.size).toBe(0);
  await browser.follow(await browser.send(routes.setup, { code }));

  const sent = await form();
  const back = await makeAtGitHub(sent);
  const stored = await browser.open(back);
  expect(stored.headers.get("location")).toBe(routes.setup);
  const [app] = github.apps.slice(1);
  expect(await loadGitHubApp(env)).toMatchObject({
    clientId: app?.clientId,
    clientSecret: app?.clientSecret,
  });

  const next = await (await browser.follow(stored)).text();
  expect(next).toContain(`href="${app?.htmlUrl}/installations/new"`);
  expect(next).toContain(`href="${routes.gitHubSignIn}"`);

  const signedIn = await signIn();
  expect(signedIn.headers.get("location")).toBe(routes.access);
  expect((await browser.follow(signedIn)).status).toBe(200);
  expect(browser.cookie("setup")).toBeUndefined();
  expect(await actions()).toEqual([
    { action: "app_configured", subject: `${app?.slug} (${app?.id})`, reason: "setup" },
    { action: "policy_added", subject: `user ann (${ann.id})`, reason: "setup" },
    { action: "sign_in", subject: `user ann (${ann.id})`, reason: "github" },
  ]);

  const another = await createSetupCode(env.DB);
  for (const who of [browser, new TestBrowser()]) {
    browser = who;
    expect((await browser.open(routes.setup)).status).toBe(404);
    expect((await browser.open(`${routes.setup}?code=${another}`)).status).toBe(404);
    expect((await browser.send(routes.setup, { code: another })).status).toBe(404);
    expect((await browser.open(back)).status).toBe(404);
  }
  // And nobody else became one on the way.
  github.addUser("eve");
  browser = new TestBrowser();
  expect((await browser.follow(await signIn("eve"))).status).toBe(403);
});

describe("the link", () => {
  it("opens in one browser, once, for a day", async () => {
    const code = await createSetupCode(env.DB);
    await browser.send(routes.setup, { code });
    expect(browser.cookie("setup")).toBeDefined();
    browser = new TestBrowser();
    const again = await browser.send(routes.setup, { code });
    expect(again.status).toBe(401);
    expect(await again.text()).toContain("setup link");
    const late = await createSetupCode(env.DB);
    vi.setSystemTime(Date.now() + 24 * HOUR_MS);
    expect((await browser.send(routes.setup, { code: late })).status).toBe(401);
    expect(browser.cookie("setup")).toBeUndefined();
  });

  it("is needed", async () => {
    expect((await browser.open(routes.setup)).status).toBe(401);
    expect((await browser.open(`${routes.setupCreated}?code=x&state=${"y".repeat(43)}`)).status).toBe(401);
    for (const code of ["", "wrong", "x".repeat(43), "x".repeat(200)]) {
      expect((await browser.send(routes.setup, { code })).status).toBe(401);
    }
    // A code of another kind is none of this.
    const { createLocalCode } = await import("../auth/local.ts");
    expect((await browser.send(routes.setup, { code: await createLocalCode(env.DB) })).status).toBe(401);
  });

  it("is not guessed", async () => {
    for (let count = 0; count < 20; count++) await browser.send(routes.setup, { code: `guess-${count}` });
    const refused = await browser.send(routes.setup, { code: "guess" });
    expect([refused.status, Number(refused.headers.get("retry-after")) > 500]).toEqual([429, true]);
    // Who has a good one is not kept out by who has not.
    await begin();
  });

  it("gives an hour, and a cookie that nobody can make", async () => {
    await begin();
    expect((await browser.open(routes.setup)).status).toBe(200);
    const cookie = browser.cookie("setup") ?? "";
    browser.cookies.set("__Host-orchestrator-setup", `${cookie.slice(0, 20)}x${cookie.slice(21)}`);
    expect((await browser.open(routes.setup)).status).toBe(401);
    browser.cookies.set("__Host-orchestrator-setup", cookie);
    vi.setSystemTime(Date.now() + HOUR_MS);
    expect((await browser.open(routes.setup)).status).toBe(401);
  });
});

describe("the manifest", () => {
  it("asks for members and nothing else, and lets the browser go to GitHub from this page alone", async () => {
    await begin();
    const { page, action, manifest } = await form();
    expect(JSON.parse(manifest)).toEqual({
      name: expect.stringMatching(/^Orchestrator hub\.localhost \w{4}$/) as string,
      url: HUB,
      redirect_url: `${HUB}${routes.setupCreated}`,
      callback_urls: [`${HUB}${routes.gitHubCallback}`],
      setup_url: `${HUB}${routes.signIn}`,
      public: false,
      default_permissions: { members: "read" },
    });
    expect(action).toMatch(/^http:\/\/github\.localhost\/settings\/apps\/new\?state=[\w-]{43}$/);
    expect(page.headers.get("content-security-policy")).toContain(
      "form-action 'self' http://github.localhost;",
    );
    const before = await browser.open(routes.setup);
    expect(before.headers.get("content-security-policy")).toContain("form-action 'self';");
  });

  it("belongs to an organisation and is for everybody where that is asked for", async () => {
    await begin();
    const sent = await form({ organization: " acme ", public: "yes" });
    expect(sent.action).toMatch(/^http:\/\/github\.localhost\/organizations\/acme\/settings\/apps\/new\?/);
    expect(JSON.parse(sent.manifest)).toMatchObject({ public: true });
    await browser.open(await makeAtGitHub(sent));
    expect(github.apps[1]).toMatchObject({ owner: "acme", public: true });
  });

  it("asks for webhooks where GitHub can reach the hub, with a name that GitHub takes", async () => {
    const { createManifest } = await import("../auth/github-manifest.ts");
    const HUB_ORIGIN = `https://orchestrator.a-rather-long-name-of-a-company.example.com`;
    const manifest = createManifest({ HUB_ORIGIN }, { isPublic: false });
    expect(manifest).toMatchObject({
      hook_attributes: { url: `${HUB_ORIGIN}/webhooks/github`, active: true },
      default_events: ["organization", "team", "membership"],
    });
    expect(manifest.name.length).toBeLessThanOrEqual(34);
    await begin();
    const sent = await form();
    await makeAtGitHub({ ...sent, manifest: JSON.stringify(manifest) });
  });

  it.each(["a/b", "../x", "a b", "x".repeat(101), "<b>", "-acme", "acme?x"])(
    "takes %s for no organisation",
    async (organization) => {
      await begin();
      const { text, action } = await form({ organization });
      expect(text).toContain("That is no organisation&#39;s name");
      expect(action).toBe("");
    },
  );
});

describe("coming back from GitHub", () => {
  const problemOf = async (address: string) => {
    const answer = await browser.open(address);
    expect(await loadGitHubApp(env)).toBeNull();
    return answer.headers.get("location");
  };

  it("with another state or in another browser makes nothing", async () => {
    await begin();
    const back = new URL(await makeAtGitHub(await form()));
    const other = new URL(back);
    other.searchParams.set("state", "x".repeat(43));
    expect(await problemOf(other.href)).toBe("/setup?problem=expired");
    const thief = new TestBrowser();
    const owner = browser;
    browser = thief;
    await begin();
    expect(await problemOf(back.href)).toBe("/setup?problem=expired");
    expect(github.requests.some(({ path }) => path.includes("/conversions"))).toBe(false);
    browser = owner;
    expect(await (await browser.open("/setup?problem=expired")).text()).toContain("Begin again");
  });

  it("too late makes nothing", async () => {
    await begin();
    const back = await makeAtGitHub(await form());
    github.advance(HOUR_MS);
    expect(await problemOf(back)).toBe("/setup?problem=refused");
    expect(await (await browser.open("/setup?problem=refused")).text()).toContain("Delete the App at GitHub");
  });

  it.each(["down", "500"] as const)("while GitHub is %s makes nothing", async (outage) => {
    vi.spyOn(console, "warn").mockReturnValue();
    await begin();
    const back = await makeAtGitHub(await form());
    github.outage = outage;
    expect(await problemOf(back)).toBe("/setup?problem=away");
  });

  it.each([
    ["something else", Response.json({ id: 1 }, { status: 201 })],
    [
      "a secret that is none",
      Response.json(
        { id: 1, slug: "x", html_url: "http://x", client_id: "x", client_secret: 5 },
        { status: 201 },
      ),
    ],
    [
      "an address that is none",
      Response.json({ id: 1, slug: "x", html_url: "x", client_id: "x", client_secret: "y" }, { status: 201 }),
    ],
    ["no code at all", new Response("", { status: 422 })],
  ])("with %s makes nothing", async (_, response) => {
    vi.spyOn(console, "warn").mockReturnValue();
    await begin();
    const back = await makeAtGitHub(await form());
    vi.stubGlobal("fetch", () => Promise.resolve(response));
    expect(await problemOf(back)).toMatch(/problem=(away|refused)$/);
  });

  it("is for a person, not for a picture in a page", async () => {
    await begin();
    const back = await makeAtGitHub(await form());
    expect(
      (await browser.open(back, { "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" })).status,
    ).toBe(400);
    expect((await browser.open(back)).headers.get("location")).toBe(routes.setup);
  });
});

describe("the first administrator", () => {
  /** As the settings name an App, setup is only about this. */
  beforeEach(() => {
    Object.assign(env, {
      GITHUB_CLIENT_ID: github.app.clientId,
      GITHUB_CLIENT_SECRET: github.app.clientSecret,
    });
  });

  it("is who signs in by the browser with the setup cookie, where the settings name the App, too", async () => {
    await begin();
    const page = await (await browser.open(routes.setup)).text();
    expect(page).toContain("You become the first administrator");
    expect(page).not.toContain("installations/new");
    expect((await signIn()).headers.get("location")).toBe(routes.access);
    expect((await browser.open(routes.setup)).status).toBe(404);
  });

  it("is nobody else: not without the cookie, not with one that is old, not once there is one", async () => {
    const refused = async () => {
      const page = await browser.follow(await signIn());
      expect(page.status).toBe(403);
    };
    await refused();
    browser = new TestBrowser();
    await begin();
    vi.setSystemTime(Date.now() + HOUR_MS);
    await refused();
    browser = new TestBrowser();
    await begin();
    await saveAllowedEntity(env.DB, { kind: "user", id: 5, name: "bob", role: "admin" }, null);
    await refused();
    expect(await env.DB.prepare("SELECT count(*) AS n FROM allowed_entities").first("n")).toBe(1);
  });

  it("is one alone, though two come back with good links at once", async () => {
    github.addUser("bob");
    const comingBack: (() => Promise<Response>)[] = [];
    for (const login of ["ann", "bob"]) {
      browser = new TestBrowser();
      await begin();
      const own = browser;
      const start = await own.open(routes.gitHubSignIn);
      const back = await github.authorize(start.headers.get("location") ?? "", login);
      comingBack.push(() => own.open(back));
    }
    await Promise.all(comingBack.map((come) => come()));
    expect(await env.DB.prepare("SELECT count(*) AS n FROM allowed_entities").first("n")).toBe(1);
    const done = (await actions()) as { action: string }[];
    expect(done.map(({ action }) => action).toSorted()).toEqual([
      "policy_added",
      "sign_in",
      "sign_in_refused",
    ]);
  });

  it("stays out who cancels, and may try again", async () => {
    await begin();
    const start = await browser.open(routes.gitHubSignIn);
    const back = await github.authorize(start.headers.get("location") ?? "", "ann", "cancel");
    expect((await browser.follow(await browser.open(back))).status).toBe(403);
    expect((await signIn()).headers.get("location")).toBe(routes.access);
  });

  it("is needed no more where the settings name one", async () => {
    Object.assign(env, { ADMINS: `bob:5` });
    expect((await browser.open(routes.setup)).status).toBe(404);
    expect((await browser.send(routes.setup, { code: await createSetupCode(env.DB) })).status).toBe(404);
  });
});

it("is not there where GitHub is not used, and says so where the settings contradict each other", async () => {
  vi.spyOn(console, "error").mockReturnValue();
  for (const [settings, status] of [
    [{ GITHUB_SIGN_IN: "" }, 404],
    [{ GITHUB_CLIENT_ID: "x" }, 500],
  ] as const) {
    Object.assign(env, SETTINGS, settings);
    const code = await createSetupCode(env.DB);
    expect((await browser.open(`${routes.setup}?code=${code}`)).status).toBe(status);
    expect((await browser.send(routes.setup, { code })).status).toBe(status);
    expect((await browser.open(`${routes.setupCreated}?code=1&state=2`)).status).toBe(status);
  }
});
