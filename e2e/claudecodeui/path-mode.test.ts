/**
 * A real claudecodeui in path mode, at a hub that has one host name only: a newcomer's way there, everything a person does in
 * it, and whether any of that led out of its prefix, asked of the browser's own log.
 */
import { execFileSync } from "node:child_process";
import { stat, writeFile } from "node:fs/promises";
import path from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ANSWER, createProject, LAST_WORDS, PATIENCE_MS, say } from "./at-the-page.ts";
import { launchLoggedBrowser, type LoggedBrowser } from "./net-log.ts";
import { type Stack, startStack } from "./stack.ts";

const PROMPT = "Do what needs permission, please.";
const DIAGRAM = "```mermaid\ngraph TD\nFirst-->Second\n```";
/** The hub's own service worker stands at the root; browsers look for a newer one whenever a page below it is opened. */
const OF_THE_HUB = /^\/(?:service-worker\.js|offline|\.orchestrator\/assets\/.*)$/;
/** Other people's servers, which claudecodeui's page asks for fonts and news, and claudecodeui's own doing. */
const KNOWN = [
  /fonts\.googleapis\.com|api\.github\.com|^Version check failed: TypeError: Failed to fetch/,
  /sessions\/[\w-]+\/token-usage$/,
];

let stack: Stack;
let logged: LoggedBrowser;
let context: BrowserContext;
let page: Page;
/** `/clients/<label>/proxy`, and the whole address of it. */
let [prefix, address] = ["", ""];
const complaints: string[] = [];

beforeAll(async () => {
  [stack, logged] = await Promise.all([
    startStack({ settings: { INSTANCE_HOST: "none" } }),
    launchLoggedBrowser(),
  ]);
  stack.real.anthropic.answer = answer(stack.real.anthropic.answer);
  const { project } = stack.real;
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", ...args], {
      cwd: project,
    });
  git("init", "--quiet");
  git("add", ".");
  git("commit", "--quiet", "--message=First");
  await writeFile(path.join(project, "changed.md"), "Not committed.\n");
  context = await logged.browser.newContext({ viewport: { width: 1440, height: 900 } });
  context.setDefaultTimeout(PATIENCE_MS);
  page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    const text = `${message.text()} ${message.location().url}`;
    if (message.type() === "error" && !KNOWN.some((known) => known.test(text))) complaints.push(text);
  });
});

afterAll(async () => {
  await logged?.stop();
  await stack?.stop();
});

/** A diagram for who asks for one. */
function answer(otherwise: Stack["real"]["anthropic"]["answer"]): typeof otherwise {
  return (asked) =>
    asked.prompt.includes("diagram") ? { paragraphs: [DIAGRAM], pauseMs: 1 } : otherwise(asked);
}

test("a newcomer opens the instance, is asked, allows it, and is signed in at claudecodeui", async () => {
  await page.goto(await stack.hub.signInLink());
  address = await stack.connect();
  prefix = new URL(address).pathname;
  expect(address).toMatch(new RegExp(`^${stack.hub.origin}/clients/[\\w-]+/proxy$`));
  await page.getByRole("link", { name: "Open project" }).click();
  await page.getByText("Path mode is not allowed for this instance").waitFor();
  await page.getByRole("button", { name: "Allow path mode" }).click();
  await page.getByRole("link", { name: "Open", exact: true }).click();
  await page.waitForURL(`${address}/`);
  await createProject(page, stack.real.project);
  expect(await page.locator("input[type=password]").count()).toBe(0);
});

test("a prompt is answered, its permission asked for", async () => {
  await say(page, PROMPT);
  await page.getByRole("button", { name: "Allow once" }).click();
  await page.getByText(LAST_WORDS).waitFor();
  for (const paragraph of ANSWER) expect(await page.getByText(paragraph).count()).toBeGreaterThan(0);
  await stat(path.join(stack.real.project, "made-by-claude"));
});

test("its address opens in a new window, and again when it is reloaded", async () => {
  const deepLink = page.url();
  expect(deepLink).toMatch(new RegExp(`^${address}/session/[\\w-]+$`));
  const other = await context.newPage();
  await other.goto(deepLink);
  await other.getByText(LAST_WORDS).waitFor();
  await other.close();
  await page.reload();
  await page.getByText(LAST_WORDS).waitFor();
  expect(page.url()).toBe(deepLink);
});

test("what is loaded only when it is needed is loaded: a diagram", async () => {
  await say(page, "Draw a diagram.");
  await page.locator("svg[aria-roledescription^=flowchart]").first().waitFor();
  await page.getByText("Second").first().waitFor();
});

test("files open, and what changed is shown", async () => {
  await page.getByRole("tab", { name: "Files" }).click();
  await page.getByText("notes.md").click();
  await page.getByText("The second line of the notes.").waitFor();
  await page.getByRole("tab", { name: "Source Control" }).click();
  await page.getByText("changed.md").first().waitFor();
});

test("Claude Code's terminal does what is typed", async () => {
  let printed = "";
  page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => (printed += payload.toString())),
  );
  const prints = (text: string) =>
    vi.waitFor(() => expect(printed).toContain(text), { timeout: PATIENCE_MS, interval: 100 });
  await page.getByRole("tab", { name: "Shell" }).click();
  await prints("❯");
  await page.getByRole("textbox", { name: "Terminal input" }).focus();
  await page.keyboard.type("!");
  await prints("! ");
  await page.keyboard.type("echo typed-$((40+2)) | tee made-by-hand");
  await page.keyboard.press("Enter");
  await prints("typed-42");
});

test("conversations are searched, settings open and are kept", async () => {
  await page.getByRole("tab", { name: "Chat" }).click();
  await page.getByRole("button", { name: "Conversations" }).locator("visible=true").first().click();
  const found = page.waitForResponse((response) => {
    const isStream = response.headers()["content-type"]?.includes("event-stream") === true;
    return isStream && response.url().includes("/search");
  });
  await page.getByPlaceholder("Search").locator("visible=true").first().fill("permission");
  expect(new URL((await found).url()).pathname.startsWith(`${prefix}/api/`)).toBe(true);
  await page.getByRole("button", { name: "Settings", exact: true }).locator("visible=true").first().click();
  await page.getByRole("button", { name: "Appearance" }).locator("visible=true").first().click();
  const isDark = () => page.evaluate(() => document.documentElement.classList.contains("dark"));
  const before = await isDark();
  const about = page.getByText("Toggle between light and dark themes");
  await about.locator("xpath=following::*[@role='switch'][1]").click();
  await vi.waitFor(async () => expect(await isDark()).toBe(!before), { timeout: PATIENCE_MS });
  await page.reload();
  await page.getByRole("tab", { name: "Chat" }).waitFor();
  expect(await isDark()).toBe(!before);
});

test("it installs as an app of its own, whose service worker keeps to the prefix", async () => {
  const worker = await page.evaluate(async () => {
    const { scope, active } = await navigator.serviceWorker.ready;
    const all = await navigator.serviceWorker.getRegistrations();
    const controller = navigator.serviceWorker.controller?.scriptURL;
    return { scope, script: active?.scriptURL, controller, count: all.length, caches: await caches.keys() };
  });
  expect(worker).toEqual({
    scope: `${address}/`,
    script: `${address}/sw.js`,
    controller: `${address}/sw.js`,
    count: 1,
    caches: ["claude-ui-v2"],
  });
  const session = await context.newCDPSession(page);
  const { url, errors, data = "" } = await session.send("Page.getAppManifest");
  expect([url, errors]).toEqual([`${address}/manifest.json`, []]);
  const manifest = JSON.parse(data) as { start_url: string; scope: string; icons: { src: string }[] };
  const within = [manifest.start_url, `${manifest.scope}/`, ...manifest.icons.map(({ src }) => src)];
  expect(within.filter((one) => !one.startsWith(`${prefix}/`))).toEqual([]);
  const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
  const reasons = installabilityErrors.map(({ errorId }) => errorId);
  // What a test's profile is.
  expect(reasons.filter((reason) => reason !== "in-incognito")).toEqual([]);
});

test("what it stores is under its own name on the hub's origin", async () => {
  const session = await context.newCDPSession(page);
  await session.send("DOMStorage.enable");
  const storageId = { securityOrigin: stack.hub.origin, isLocalStorage: true };
  const { entries } = await session.send("DOMStorage.getDOMStorageItems", { storageId });
  const names = entries.map(([name = ""]) => name);
  expect(names).toContain(`${prefix}|auth-token`);
  // The hub's pages keep the theme and the like by names of their own.
  expect(names.filter((name) => !name.startsWith(`${prefix}|`) && !name.startsWith("orchestrator"))).toEqual(
    [],
  );
  expect(await page.evaluate(() => localStorage.getItem("auth-token"))).not.toBeNull();
});

test("not one request led out of the prefix, and nothing failed that works without a hub", async () => {
  expect(complaints).toEqual([]);
  const host = new URL(stack.hub.origin).host;
  const requests = (await logged.requests()).map((url) => new URL(url)).filter((url) => url.host === host);
  const first = requests.findIndex(({ pathname }) => pathname === `${prefix}/.orchestrator/shim.js`);
  expect(first).toBeGreaterThan(0);
  const since = requests.slice(first);
  const isBelow = (text: string) => text.startsWith(`${prefix}/`);
  const outside = since.filter(({ pathname }) => !isBelow(pathname)).map(({ pathname }) => pathname);
  console.log(
    `${since.length} requests, ${new Set(since.map(({ pathname }) => pathname)).size} addresses; the hub's own: ${[...new Set(outside)].join(" ")}`,
  );
  expect(outside.filter((pathname) => !OF_THE_HUB.test(pathname))).toEqual([]);
  // It was all there to be seen: pages, lazy scripts, calls, sockets, the terminal's too, search, the worker.
  const seen = (part: string) => since.some(({ href }) => href.includes(prefix + part));
  const parts = ["/session/", "/assets/mermaid", "/api/git/", "/ws?", "/shell?", "/sw.js", "/manifest.json"];
  expect(parts.filter((part) => !seen(part))).toEqual([]);
});
