/**
 * The same sign-in against `emulate`, a GitHub double that nobody here wrote: what the hub believes about GitHub is believed
 * elsewhere, too. It covers the authorize page, codes that work once, wrong client secrets (said with status 200), the person
 * and their teams. It does not cover, so only the fake GitHub beside this file does: PKCE and cancelling, tokens that expire and
 * refresh tokens, `/user/memberships/orgs`, so no organisations, `/user/teams`, single sign-on, installations of Apps and what
 * they allow, rate limits, outages, pages of lists, webhooks' signatures as a GitHub App gets them, and App manifests.
 */
import { createEmulator, type Emulator } from "emulate";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { launchBrowser } from "../browser.ts";
import { startHub, type TestHub } from "../hub.ts";
import { freePort } from "../port.ts";
import { cookieNames } from "./stage.ts";

const CLIENT = { client_id: "Iv1.emulated", client_secret: "emulated-secret" };
const ADMIN_TOKEN = "gho_admin";

let emulator: Emulator;
let browser: Browser;
let hub: TestHub;

beforeAll(async () => {
  const [port, hubPort] = [await freePort(), await freePort()];
  emulator = await createEmulator({
    service: "github",
    port,
    baseUrl: `http://127.0.0.1:${port}`,
    seed: {
      tokens: { [ADMIN_TOKEN]: { login: "owner", scopes: ["admin:org"] } },
      github: {
        users: ["owner", "octocat", "tess", "eve"].map((login) => ({ login })),
        orgs: [{ login: "acme" }],
        oauth_apps: [
          { ...CLIENT, name: "Hub", redirect_uris: [`http://hub.localhost:${hubPort}/auth/github/callback`] },
        ],
      },
    },
  });
  const team = await api("POST", "/orgs/acme/teams", { name: "core" });
  await api("PUT", "/orgs/acme/teams/core/memberships/tess", {});
  const octocat = await api("GET", "/users/octocat");
  const settings = {
    GITHUB_SIGN_IN: "enabled",
    GITHUB_URL: emulator.url,
    GITHUB_API_URL: emulator.url,
    GITHUB_CLIENT_ID: CLIENT.client_id,
    GITHUB_CLIENT_SECRET: CLIENT.client_secret,
    ALLOWED_USERS: `octocat:${octocat.id}`,
    ALLOWED_TEAMS: `acme/core:${team.id}`,
  };
  [hub, browser] = await Promise.all([startHub({ port: hubPort, settings }), launchBrowser()]);
});

afterAll(async () => {
  await browser.close();
  await hub.stop();
  await emulator.close();
});

afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));

async function api(method: string, path: string, body?: object): Promise<{ id: number }> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, "user-agent": "test" };
  const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
  const answer = await fetch(`${emulator.url}${path}`, init);
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
  return (await answer.json()) as { id: number };
}

async function signIn(login: string) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${hub.origin}/auth/sign-in`);
  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  await page.locator(`form:has(input[name=login][value=${login}]) button`).click();
  await page.waitForURL((url) => url.origin === hub.origin && url.search === "");
  return { page, context };
}

it.each(["octocat", "tess"])("signs %s in, by their id or their team", async (login) => {
  const { page, context } = await signIn(login);
  expect(new URL(page.url()).pathname).toBe("/dashboard");
  expect(await page.getAttribute("text=Sign out", "title")).toBe(`Signed in as ${login}`);
  expect(await cookieNames(context)).toContain("__Host-orchestrator-session");
});

it("keeps a stranger out, and says as whom they came", async () => {
  const { page, context } = await signIn("eve");
  expect(await page.textContent("h1")).toBe("This hub is not open to you");
  expect(await page.textContent("main")).toContain("as eve");
  expect(await cookieNames(context)).not.toContain("__Host-orchestrator-session");
});

it("takes GitHub's code once", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const codes: string[] = [];
  page.on("request", (request) => {
    if (request.url().includes("/auth/github/callback?")) codes.push(request.url());
  });
  await page.goto(`${hub.origin}/auth/github`);
  await page.locator("form:has(input[value=octocat]) button").click();
  await page.waitForURL("**/dashboard");
  await context.clearCookies({ name: /-(session|access)$/ });
  // A state of its own, so that it is the code that is refused.
  await page.goto(`${hub.origin}/auth/github`);
  const state = new URL(page.url()).searchParams.get("state") ?? "";
  const again = new URL(codes[0] ?? "");
  again.searchParams.set("state", state);
  await page.goto(again.href);
  expect(await page.textContent("h1")).toBe("This sign-in took too long");
});
