/** A person at a browser, a real claudecodeui and a real Claude Code: the main job, seen from both windows. */
import { stat } from "node:fs/promises";
import path from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchBrowser } from "../browser.ts";
import { ANSWER, cardIs, createProject, LAST_WORDS, PATIENCE_MS, say } from "./at-the-page.ts";
import { isTabIcon } from "../pages/watch.ts";
import { type Stack, startStack } from "./stack.ts";
import { Traffic } from "./traffic.ts";

const PROMPT = "Do what needs permission, please.";

let stack: Stack;
let browser: Browser;
let context: BrowserContext;
let origin: string;
let dashboard: Page;
/** Of the conversation of the first test. */
let deepLink: string;
const traffic = new Traffic();

beforeAll(async () => {
  [stack, browser] = await Promise.all([startStack(), launchBrowser()]);
  context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  context.setDefaultTimeout(PATIENCE_MS);
  dashboard = await traffic.open(context);
  await dashboard.goto(await stack.hub.signInLink());
  origin = await stack.connect();
  await cardIs(dashboard, "idle");
});

afterAll(async () => {
  await browser?.close();
  await stack?.stop();
});

/** Every step the dashboard's one card takes from now on, the one it is at first. */
async function followCard(): Promise<string[]> {
  const steps: string[] = [];
  await dashboard.exposeFunction("tellStep", (step: string) => steps.push(step));
  await dashboard.evaluate(() => {
    const { tellStep } = window as unknown as { tellStep: (step: string) => void };
    let before = "";
    const look = () => {
      const { state, status = "none" } = document.querySelector<HTMLElement>(".card")?.dataset ?? {};
      const step = state === "needs_permission" ? "needs permission" : status;
      if (step !== before) tellStep((before = step));
    };
    look();
    const everything = { subtree: true, childList: true, attributes: true };
    new MutationObserver(look).observe(document.body, everything);
  });
  return steps;
}

/** How many paragraphs of the answer the page shows, each time that changes. */
async function followAnswer(page: Page): Promise<number[]> {
  const counts: number[] = [];
  await page.exposeFunction("tellCount", (count: number) => counts.push(count));
  await page.evaluate((paragraphs) => {
    const { tellCount } = window as unknown as { tellCount: (count: number) => void };
    let before = -1;
    const look = () => {
      const shown = document.body.innerText;
      const count = paragraphs.filter((paragraph) => shown.includes(paragraph)).length;
      if (count !== before) tellCount((before = count));
    };
    look();
    const everything = { subtree: true, childList: true, characterData: true };
    new MutationObserver(look).observe(document.body, everything);
  }, ANSWER);
  return counts;
}

async function openFromDashboard(page: Page): Promise<void> {
  await page.goto(stack.hub.origin);
  await page.getByRole("link", { name: "Open project" }).click();
  await page.waitForURL(`${origin}/`);
}

test("opens from the dashboard, takes a prompt, asks, answers, while the other window follows by itself", async () => {
  const steps = await followCard();
  const requests: string[] = [];
  dashboard.on("request", (request) => isTabIcon(request.url()) || requests.push(request.url()));
  const page = await traffic.open(context);
  await openFromDashboard(page);
  await createProject(page, stack.real.project);
  expect(await page.locator("input[type=password]").count()).toBe(0);
  await cardIs(dashboard, "active");

  const counts = await followAnswer(page);
  await say(page, PROMPT);
  await cardIs(dashboard, "needs permission");
  await dashboard.getByRole("heading", { name: "Needs you" }).waitFor();
  await page.getByRole("button", { name: "Allow once" }).click();
  await page.getByText(LAST_WORDS).waitFor();
  await cardIs(dashboard, "active");
  deepLink = page.url();
  await traffic.keep(page);
  await page.close();
  await cardIs(dashboard, "idle");

  expect(steps).toEqual(["idle", "active", "busy", "needs permission", "busy", "active", "idle"]);
  expect(requests).toEqual([]);
  expect(counts).toEqual([0, 1, 2, 3]);
  await stat(path.join(stack.real.project, "made-by-claude"));
});

test("a deep link opens in a new window, and again when it is reloaded", async () => {
  expect(deepLink).toMatch(/\/session\/[\w-]+$/);
  const page = await traffic.open(context);
  await page.goto(deepLink);
  for (const visit of ["opened", "reloaded"]) {
    if (visit === "reloaded") await page.reload();
    await page.getByText(PROMPT).first().waitFor();
    await page.getByText(LAST_WORDS).waitFor();
    expect(page.url()).toBe(deepLink);
    await traffic.keep(page);
  }
  await page.close();
});

test("the hub's mark is there and in nobody's way, on a phone neither", async () => {
  const page = await traffic.open(context);
  await page.goto(deepLink);
  await page.locator("orchestrator-mark").waitFor({ state: "attached" });
  for (const viewport of [
    { width: 390, height: 844 },
    { width: 768, height: 1024 },
    { width: 1440, height: 900 },
  ]) {
    await page.setViewportSize(viewport);
    await page.getByRole("button", { name: "Send", exact: true }).waitFor();
    const covered = await page.evaluate(() => {
      const controls = [...document.querySelectorAll("button, a, input, textarea, [role=tab]")];
      const isUnderMark = (control: Element) => {
        const { left, top, width, height } = control.getBoundingClientRect();
        const middle = document.elementFromPoint(left + width / 2, top + height / 2);
        return middle?.localName === "orchestrator-mark";
      };
      return controls.filter(isUnderMark).map(({ outerHTML }) => outerHTML.slice(0, 200));
    });
    expect([viewport.width, covered]).toEqual([viewport.width, []]);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBe(0);
  }
  await traffic.keep(page);
  await page.close();
});

test("files open, and Claude Code's terminal does what is typed", async () => {
  const page = await traffic.open(context);
  let printed = "";
  page.on("websocket", (socket) => {
    if (new URL(socket.url()).pathname !== "/shell") return;
    socket.on("framereceived", ({ payload }) => (printed += payload.toString()));
  });
  const prints = (text: string) =>
    vi.waitFor(() => expect(printed).toContain(text), { timeout: PATIENCE_MS, interval: 100 });
  await page.goto(deepLink);
  await page.getByRole("tab", { name: "Files" }).click();
  await page.getByText("notes.md").click();
  await page.getByText("The second line of the notes.").waitFor();

  await page.getByRole("tab", { name: "Shell" }).click();
  await prints("❯");
  await page.getByRole("textbox", { name: "Terminal input" }).focus();
  await page.keyboard.type("!");
  await prints("! ");
  await page.keyboard.type("echo typed-$((40+2)) | tee made-by-hand");
  await page.keyboard.press("Enter");
  await prints("typed-42");
  await stat(path.join(stack.real.project, "made-by-hand"));
  await traffic.keep(page);
  await page.close();
});

test("installs as an app, and opens from the dashboard as one", async () => {
  const page = await traffic.open(context);
  await page.goto(`${origin}/`);
  const ready = async () => (await navigator.serviceWorker.ready).scope;
  expect(await page.evaluate(ready)).toBe(`${origin}/`);
  await traffic.keep(page);
  await page.reload();
  expect(await page.evaluate(() => navigator.serviceWorker.controller?.scriptURL)).toBe(`${origin}/sw.js`);
  const session = await context.newCDPSession(page);
  const manifest = await session.send("Page.getAppManifest");
  expect(manifest).toMatchObject({ url: `${origin}/manifest.json`, errors: [] });
  expect(JSON.parse(manifest.data ?? "")).toMatchObject({ name: "CloudCLI UI" });
  await traffic.keep(page);
  // Now its service worker asks the hub for its pages.
  await openFromDashboard(page);
  await page.getByRole("tab", { name: "Chat" }).waitFor();
  await traffic.keep(page);
  await page.close();
});

test("nothing failed that works without a hub", async () => {
  await traffic.text();
  // claudecodeui's own: it asks for the use of a session before there is one.
  const known = /\/api\/providers\/sessions\/[\w-]+\/token-usage: 404$/;
  expect(traffic.failures.filter((failure) => !known.test(failure))).toEqual([]);
  const isKnown = (complaint: string) =>
    /^Version check failed|^Failed to load resource.*(?:ERR_BLOCKED_BY_CLIENT|token-usage\))/.test(complaint);
  expect(traffic.complaints.filter((complaint) => !isKnown(complaint))).toEqual([]);
  // One without an answer was left by its page before there was one.
  const sockets = [...traffic.sockets.values()].filter(({ status }) => status !== undefined);
  expect(sockets.filter(({ status, error }) => status !== 101 || error !== undefined)).toEqual([]);
  expect(new Set(sockets.map(({ url }) => new URL(url).pathname))).toEqual(
    new Set(["/dashboard/socket", "/ws", "/shell", "/.orchestrator/presence"]),
  );
});

test("claudecodeui's token is nowhere in the browser", async () => {
  const page = await traffic.open(context);
  await page.goto(`${origin}/`);
  const placeholder = await page.evaluate(async () => {
    // An answer that would carry it.
    await fetch("/api/auth/refresh", { method: "POST" });
    return localStorage.getItem("auth-token");
  });
  await traffic.keep(page);
  await page.close();
  await traffic.keep(dashboard);

  const text = await traffic.text();
  expect(traffic.unread()).toEqual([]);
  const tokens = stack.tap.tokens();
  expect(tokens.length).toBeGreaterThan(0);
  for (const token of tokens) {
    const parts = token.split(".");
    expect(parts.map(({ length }) => length > 30)).toEqual([true, true, true]);
    // Its header too: no other token of claudecodeui's making is there either.
    expect([token, ...parts].filter((part) => text.includes(part))).toEqual([]);
  }
  // What stands in for it is all over the place, so it would have been seen. (Whole texts are too long to be shown.)
  const signs = ['"auth-token","', '"Authorization":"Bearer ', "/ws?token=", "/shell?token=", '"token":"'];
  expect(signs.filter((sign) => !text.includes(sign + placeholder))).toEqual([]);
});
