/** Signing in at a local hub and out again, as a person at a browser meets it. */
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { openDashboard, startStage, type Stage } from "./pages/stage.ts";
import { Watch } from "./pages/watch.ts";
import { startUpstream, type Upstream } from "./tunnel/upstream.ts";
import { Viewer } from "./tunnel/viewer.ts";
import { signOut } from "./pages/account.ts";

let stage: Stage;
let upstream: Upstream;

beforeAll(async () => {
  [stage, upstream] = await Promise.all([startStage(), startUpstream()]);
});
afterEach(() => stage.clear());
afterAll(async () => {
  await stage.stop();
  await upstream.stop();
});

it("signs in with the printed link, once; a second browser is told what to do", async () => {
  const link = await stage.hub.signInLink();
  const { page, watch } = await watched();
  await page.goto(link);
  expect(new URL(page.url()).pathname).toBe("/dashboard");
  expect(await historyOf(page)).not.toContain(new URL(link).searchParams.get("code"));

  const late = await watched();
  const answer = await late.page.goto(link);
  expect(answer?.status()).toBe(401);
  expect(await late.page.textContent("h1")).toBe("This link no longer works");
  expect(await late.page.textContent("main")).toContain("Press Enter in the hub's terminal for a new link");
  expect(await cookieNames(late.context)).toEqual([]);
  await late.page.goto(`${stage.hub.origin}/dashboard`);
  expect(new URL(late.page.url()).pathname).toBe("/auth/sign-in");

  // Who is in already does not care that the link is used.
  await page.goto(link);
  expect(new URL(page.url()).pathname).toBe("/dashboard");
  expect(watch.complaints).toEqual([]);
});

it("keeps the sign-in from scripts, from other hosts and from http that is not this machine's", async () => {
  const { page, context } = await stage.dashboard();
  // The page's own word to the hub, for days in the activity; it says nothing of who is signed in.
  const timeZone = "__Host-orchestrator-time-zone";
  await expect
    .poll(() => page.evaluate(() => document.cookie))
    .toMatch(/^__Host-orchestrator-time-zone=[^;]+$/);
  const cookies = await context.cookies();
  const names = ["__Host-orchestrator-access", "__Host-orchestrator-session", timeZone];
  expect(cookies.map(({ name }) => name).toSorted()).toEqual(names);
  for (const cookie of cookies) {
    expect(cookie).toMatchObject({
      domain: "hub.localhost",
      path: "/",
      httpOnly: cookie.name !== timeZone,
      secure: true,
      sameSite: "Lax",
    });
  }
});

it("asks who has no link to sign in, and brings them where they wanted to go", async () => {
  const { page, watch } = await watched();
  await page.goto(`${stage.hub.origin}/tokens`);
  expect(new URL(page.url()).pathname).toBe("/auth/sign-in");
  expect(await page.textContent("main")).toContain("Its terminal shows a link that signs you in");
  expect(await page.locator("nav").count()).toBe(0);
  await page.goto(await stage.hub.signInLink());
  expect(new URL(page.url()).pathname).toBe("/tokens");
  expect(watch.complaints).toEqual([]);

  const elsewhere = await watched();
  await elsewhere.page.goto(
    `${stage.hub.origin}/auth/sign-in?next=${encodeURIComponent("//evil.example/x")}`,
  );
  await elsewhere.page.goto(await stage.hub.signInLink());
  expect(elsewhere.page.url()).toBe(`${stage.hub.origin}/dashboard`);
});

it("does not take a link whose browser only looks ahead", async () => {
  const link = await stage.hub.signInLink();
  const ahead = await new Viewer().fetch(link, { headers: { "sec-purpose": "prefetch" } });
  expect(ahead.status).toBe(400);
  const { page } = await watched();
  await page.goto(link);
  expect(new URL(page.url()).pathname).toBe("/dashboard");
});

it("serves nothing for any other host", async () => {
  const { page, context } = await watched();
  const link = new URL(await stage.hub.signInLink());
  for (const host of ["127.0.0.1", "localhost", "evil.localhost", "xhub.localhost", "hub.localhost."]) {
    link.hostname = host;
    const answer = await page.goto(link.href);
    expect([host, answer?.status()]).toEqual([host, 421]);
    expect(await page.textContent("body")).not.toContain("Orchestrator");
    expect(await context.cookies()).toEqual([]);
  }
  // The code was not used up.
  link.hostname = "hub.localhost";
  await page.goto(link.href);
  expect(new URL(page.url()).pathname).toBe("/dashboard");
});

it("has no sign-in on an instance's host", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const link = new URL(await stage.hub.signInLink());
  const { page, context } = await watched();
  await page.goto(`${puppet.origin}${link.pathname}${link.search}`);
  expect(new URL(page.url()).pathname).toBe("/auth/sign-in");
  expect(await cookieNames(context)).not.toContain("__Host-orchestrator-session");
});

it("signs out: the dashboards of this browser leave at once, those of another stay", async () => {
  const { page, context } = await stage.dashboard();
  const other = await stage.dashboard();
  const { page: second } = await openDashboard(context, `${stage.hub.origin}/dashboard`);
  await signOut(page);
  await page.waitForURL("**/auth/sign-in");
  await second.waitForURL("**/auth/sign-in**", { timeout: 1500 });
  expect(await cookieNames(context)).not.toContain("__Host-orchestrator-session");

  await page.goBack();
  await page.waitForURL("**/auth/sign-in**");
  await page.goto(`${stage.hub.origin}/dashboard`);
  expect(new URL(page.url()).pathname).toBe("/auth/sign-in");
  expect(await other.page.isVisible(".account")).toBe(true);
  expect(new URL(other.page.url()).pathname).toBe("/dashboard");
});

it("lets nobody back in with a cookie that was kept from before the sign-out", async () => {
  const { page, context } = await stage.dashboard();
  const thief = await stage.profile();
  await thief.addCookies(await context.cookies());
  const their = await thief.newPage();
  await their.goto(`${stage.hub.origin}/dashboard`);
  expect(new URL(their.url()).pathname).toBe("/dashboard");
  await signOut(page);
  await page.waitForURL("**/auth/sign-in");
  await their.waitForURL("**/auth/sign-in**");
  await their.goto(`${stage.hub.origin}/dashboard`);
  expect(new URL(their.url()).pathname).toBe("/auth/sign-in");
});

it("asks at an instance's page, too, after a sign-out elsewhere, and brings back to it", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const { page, context } = await stage.dashboard();
  await page.goto(`${puppet.origin}/page?title=mine`);
  expect(await page.title()).toBe("mine");
  const second = await context.newPage();
  await second.goto(`${stage.hub.origin}/dashboard`);
  await signOut(second);
  await second.waitForURL("**/auth/sign-in");
  // Its own cookie would be good for five minutes more, had the hub not told the instance's Tunnel.
  await page.goto(`${puppet.origin}/page?title=gone`);
  expect(new URL(page.url()).pathname).toBe("/auth/sign-in");
  expect(await cookieNames(context)).not.toContain("__Host-orchestrator-viewer");
  await page.goto(await stage.hub.signInLink());
  expect(page.url()).toBe(`${puppet.origin}/page?title=gone`);
});

async function watched(): Promise<{ page: Page; context: BrowserContext; watch: Watch }> {
  const context = await stage.profile();
  const page = await context.newPage();
  return { page, context, watch: await Watch.start(page) };
}

async function cookieNames(context: BrowserContext): Promise<string[]> {
  return (await context.cookies()).map(({ name }) => name);
}

/** Every address in this tab's history. */
async function historyOf(page: Page): Promise<string> {
  const devtools = await page.context().newCDPSession(page);
  const { entries } = await devtools.send("Page.getNavigationHistory");
  return entries.map(({ url }) => url).join("\n");
}
