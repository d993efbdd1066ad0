/** From a card to an instance's own page, and what a person meets there while the instance is away. */
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { startStage, type Puppet, type Stage } from "./pages/stage.ts";
import type { Watch } from "./pages/watch.ts";
import { startUpstream, type Upstream } from "./tunnel/upstream.ts";

let stage: Stage;
let upstream: Upstream;

beforeAll(async () => {
  [stage, upstream] = await Promise.all([startStage(), startUpstream()]);
});
afterEach(async () => {
  await stage.clear();
  upstream.seen.length = 0;
});
afterAll(async () => {
  await stage.stop();
  await upstream.stop();
});

it("opens an instance from its card, on its own origin; the code is nowhere afterwards", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const { page, watch, context } = await stage.dashboard();
  watch.reset();
  await page.click(`${puppet.card} .card-open`);
  await page.waitForURL(`${puppet.origin}/`);
  const code = codeIn(watch);
  expect(await page.evaluate(() => [document.referrer, document.cookie, String(window.opener)])).toEqual([
    "",
    "",
    "null",
  ]);
  expect(await historyOf(page)).not.toContain(code);
  expect(await page.evaluate(() => JSON.stringify(performance.getEntries()))).not.toContain(code);
  expect(JSON.stringify(upstream.seen)).not.toContain(code);
  expect(
    stage.hub
      .logs()
      .map(({ message }) => message)
      .join("\n"),
  ).not.toContain(code);
  const viewer = (await context.cookies(puppet.origin)).find(({ name }) => name.endsWith("-viewer"));
  expect(viewer).toMatchObject({
    domain: new URL(puppet.origin).hostname,
    httpOnly: true,
    secure: true,
    sameSite: "Lax",
  });
});

it("keeps the path and query of a deep link, through the sign-in too", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const link = `${puppet.origin}/page/a%20b/c?title=deep&x=%2F%3F%26&y=a+b#part`;
  const { page } = await stage.dashboard();
  await page.goto(link);
  expect(page.url()).toBe(link);
  expect(await page.title()).toBe("deep");
  expect(upstream.seen.map(({ url }) => url)).toContain("/page/a%20b/c?title=deep&x=%2F%3F%26&y=a+b");

  const stranger = await (await stage.profile()).newPage();
  await stranger.goto(link);
  expect(new URL(stranger.url()).pathname).toBe("/auth/sign-in");
  await stranger.goto(await stage.hub.signInLink());
  // A fragment never leaves the browser, so it does not survive the detour.
  expect(stranger.url()).toBe(link.replace("#part", ""));
});

it("takes a code only from the browser that asked for it", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const { context } = await stage.dashboard();
  const { page, enter } = await stoppedBeforeEntering(context, puppet);
  for (const other of [await stage.profile(), (await stage.dashboard()).context]) {
    const theirs = await other.newPage();
    const answer = await theirs.goto(enter);
    expect(answer?.status()).toBe(403);
    expect(await theirs.textContent("h1")).toBe("This way in no longer works");
    expect(await other.cookies(puppet.origin)).toEqual([]);
  }
  // Nobody without the nonce can use it up, either.
  await page.goto(enter);
  expect(page.url()).toBe(`${puppet.origin}/page`);
  expect(await page.textContent("h1")).toBe("a page");
});

it("takes a code once, and only at its own instance, even where the nonce was stolen", async () => {
  const [one, two] = [
    await stage.instance({ target: upstream.target }),
    await stage.instance({ target: upstream.target }),
  ];
  const { context } = await stage.dashboard();
  const elsewhere = await stoppedBeforeEntering(context, one);
  const thief = await thiefWithNonce(context, one, two);
  await thief.goto(elsewhere.enter.replace(one.origin, two.origin));
  expect(new URL(thief.url()).pathname).toBe("/auth/sign-in");

  const used = await stoppedBeforeEntering(context, one);
  await used.page.goto(used.enter);
  expect(used.page.url()).toBe(`${one.origin}/page`);
  const late = await thiefWithNonce(context, one, one);
  await late.goto(used.enter);
  expect(new URL(late.url()).pathname).toBe("/auth/sign-in");
});

it("lets several tabs in that are opened at once", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const { context } = await stage.dashboard();
  const tabs = await Promise.all([1, 2, 3].map(() => context.newPage()));
  await Promise.all(tabs.map((tab, index) => tab.goto(`${puppet.origin}/page?title=tab${index}`)));
  expect(await Promise.all(tabs.map((tab) => tab.title()))).toEqual(["tab0", "tab1", "tab2"]);
  for (const [index, tab] of tabs.entries())
    expect(tab.url()).toBe(`${puppet.origin}/page?title=tab${index}`);
});

it("waits with a page of its own for an instance that is away, and opens it without a click", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const { page, watch } = await stage.dashboard();
  const link = `${puppet.origin}/page?title=back`;
  await page.goto(link);
  await puppet.stop();
  const answer = await page.reload();
  expect(answer?.status()).toBe(503);
  expect(answer?.headers()["retry-after"]).toBe("5");
  expect(await page.textContent("h1")).toBe("This instance is unreachable");
  expect(await page.textContent("#waiting")).toBe("Waiting for it.");
  expect(watch.complaints.filter((text) => !/503|favicon/.test(text))).toEqual([]);

  const returned = await stage.instance({ clientId: puppet.clientId, target: upstream.target });
  const since = Date.now();
  expect(returned.origin).toBe(puppet.origin);
  await page.waitForFunction(() => document.title === "back");
  const waitedMs = Date.now() - since;
  console.log(`open again ${waitedMs} ms after the instance returned`);
  expect(waitedMs).toBeLessThan(4000);
  expect(page.url()).toBe(link);
  // The waiting page leaves no trace: back leads to where one was before.
  await page.goBack();
  expect(new URL(page.url()).pathname).toBe("/dashboard");
});

it("waits for a hub that is away as well", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const { page } = await stage.dashboard();
  await page.goto(`${puppet.origin}/page?title=back`);
  await puppet.stop();
  await page.reload();
  await stage.hub.kill();
  await page.waitForSelector("text=The hub does not answer either. Still trying.");
  await stage.hub.restart();
  await page.waitForSelector("text=Waiting for it.");
  await stage.instance({ clientId: puppet.clientId, target: upstream.target });
  await page.waitForFunction(() => document.title === "back");
});

it("says that the web app is away when only that is", async () => {
  const puppet = await stage.instance();
  const { page } = await stage.dashboard();
  const answer = await page.goto(`${puppet.origin}/`);
  expect(answer?.status()).toBe(502);
  expect(await page.textContent("h1")).toBe("The web app refuses connections");
});

it("opens nobody else's instance, nor one that never was", async () => {
  const { page } = await stage.dashboard();
  const answer = await page.goto(`${stage.hub.origin.replace("hub.", "other-aaaaaaaaaa.hub.")}/secret?x=1`);
  expect(answer?.status()).toBe(403);
  expect(await page.textContent("main")).toContain("You have no such instance.");
});

/** Goes to an instance and stops right before the code is used; returns the address that would use it. */
async function stoppedBeforeEntering(
  context: BrowserContext,
  puppet: Puppet,
): Promise<{ page: Page; enter: string }> {
  const page = await context.newPage();
  let enter = "";
  await page.goto(`${stage.hub.origin}/tokens`);
  // The nonce is set by the instance's origin, the code given by the hub; a redirect cannot be stopped, so follow it by hand.
  const devtools = await context.newCDPSession(page);
  await devtools.send("Fetch.enable", { patterns: [{ urlPattern: "*/.orchestrator/enter*" }] });
  const stopped = new Promise<void>((resolve) => {
    devtools.on("Fetch.requestPaused", ({ requestId, request }) => {
      enter = request.url;
      devtools
        .send("Fetch.failRequest", { requestId, errorReason: "Aborted" })
        .then(() => resolve(), resolve);
    });
  });
  await page.goto(`${puppet.origin}/page`).catch(() => undefined);
  await stopped;
  await devtools.send("Fetch.disable");
  return { page, enter };
}

/** Someone who is not signed in but holds, at the origin of `at`, the nonce that this browser keeps for `of`. */
async function thiefWithNonce(context: BrowserContext, of: Puppet, at: Puppet): Promise<Page> {
  const nonce = (await context.cookies(of.origin)).find(({ name }) => name.endsWith("-nonce"));
  if (nonce === undefined) throw new Error("no nonce");
  const thief = await stage.profile();
  await thief.addCookies([{ ...nonce, domain: new URL(at.origin).hostname }]);
  return thief.newPage();
}

function codeIn(watch: Watch): string {
  const entered = watch.requests.find((request) => request.includes("/.orchestrator/enter"));
  const code = new URL(entered?.split(" ")[1] ?? "").searchParams.get("code");
  if (code === null) throw new Error("no code was used");
  return code;
}

/** Every address in this tab's history. */
async function historyOf(page: Page): Promise<string> {
  const devtools = await page.context().newCDPSession(page);
  const { entries } = await devtools.send("Page.getNavigationHistory");
  return entries.map(({ url }) => url).join("\n");
}
