/** What a browser has open when its sign-in ends: within a second it is closed, and what was copied is worth nothing. */
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { answerQuestion } from "./pages/questions.ts";
import { openDashboard, startStage, type Puppet, type Stage } from "./pages/stage.ts";
import { startUpstream, type Upstream } from "./tunnel/upstream.ts";
import { Viewer } from "./tunnel/viewer.ts";
import { signOut } from "./pages/account.ts";

/** "Within a second", on a machine that is busy. */
const AT_ONCE = { timeout: 1500, interval: 50 };
const HUB_COOKIES = ["__Host-orchestrator-access", "__Host-orchestrator-session"];

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

/** A page of an instance and what it has open, as the page sees it. */
interface Proxied {
  page: Page;
  /** What came over its WebSocket and its event stream, and how they ended. */
  log: () => Promise<string[]>;
  /** True while its WebSocket takes and brings messages. */
  isOpen: () => Promise<boolean>;
  say: (text: string) => Promise<void>;
}

/** A browser that is signed in, with two dashboards and a page of the instance that has a WebSocket and a stream open. */
interface SignedInBrowser {
  context: BrowserContext;
  dashboards: [Page, Page];
  proxied: Proxied;
}

async function openAll(puppet: Puppet): Promise<SignedInBrowser> {
  const { page, context } = await stage.dashboard();
  const { page: second } = await openDashboard(context, `${stage.hub.origin}/dashboard`);
  return { context, dashboards: [page, second], proxied: await openProxied(context, puppet) };
}

async function openProxied(context: BrowserContext, puppet: Puppet): Promise<Proxied> {
  const page = await context.newPage();
  await page.goto(`${puppet.origin}/page?title=open`);
  await page.evaluate(async () => {
    const log: string[] = [];
    const socket = new WebSocket(`ws://${location.host}/chat`);
    socket.addEventListener("message", ({ data }) => log.push(`message ${String(data)}`));
    socket.addEventListener("close", ({ code, reason }) => log.push(`closed ${code} ${reason}`));
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    const { body } = await fetch("/sse");
    const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
    const readOn = async () => {
      for (;;) {
        const { done, value } = (await reader?.read()) ?? { done: true };
        if (done) return "ended";
        log.push(`event ${value?.trim()}`);
      }
    };
    readOn().then(
      (end) => log.push(`stream ${end}`),
      () => log.push("stream broken"),
    );
    Object.assign(globalThis, { log, socket });
  });
  const log = () => page.evaluate(() => (globalThis as unknown as Opened).log);
  await expect.poll(log).toEqual(["event : begin"]);
  const isOpen = () => page.evaluate(() => (globalThis as unknown as Opened).socket.readyState === 1);
  const say = (text: string) =>
    page.evaluate((words) => {
      (globalThis as unknown as Opened).socket.send(words);
    }, text);
  return { page, log, isOpen, say };
}

/** What such a page keeps. */
interface Opened {
  log: string[];
  socket: WebSocket;
}

async function expectAllClosed({ dashboards, proxied }: SignedInBrowser, puppet: Puppet): Promise<void> {
  const { page, log, isOpen, say } = proxied;
  await expect.poll(isOpen, AT_ONCE).toBe(false);
  await expect.poll(log, AT_ONCE).toEqual(["event : begin", "stream broken"]);
  // The application has lost its end, too; what it still has is the other browser's.
  await expect.poll(() => upstream.sockets.size, AT_ONCE).toBe(1);
  await say("too late");
  for (const dashboard of dashboards)
    await expect.poll(() => new URL(dashboard.url()).pathname, AT_ONCE).toBe("/auth/sign-in");
  const [status, code] = await page.evaluate(async () => {
    const answer = await fetch("/status/200");
    return [answer.status, ((await answer.json()) as { error: { code: string } }).error.code];
  });
  expect([status, code]).toEqual([401, "sign_in_required"]);
  // A browser reports the end of a WebSocket when the TCP connection has ended, or after two seconds.
  await expect
    .poll(log, { timeout: 5000 })
    .toEqual(["event : begin", "stream broken", "closed 1008 signed out"]);
  await page.reload();
  expect(new URL(page.url()).pathname).toBe("/auth/sign-in");
  expect(page.url()).toContain(stage.hub.origin);
  // And back: the page that was open.
  await page.goto(await stage.hub.signInLink());
  expect(page.url()).toBe(`${puppet.origin}/page?title=open`);
}

async function expectUntouched({ dashboards, proxied }: SignedInBrowser): Promise<void> {
  const { page, log, say } = proxied;
  await say("still here");
  await expect.poll(log).toContain("message still here");
  upstream.events.emit("event", "still told");
  await expect.poll(log).toContain("event data: still told");
  expect((await log()).filter((line) => /closed|stream/.test(line))).toEqual([]);
  expect(await page.evaluate(async () => (await fetch("/status/200")).status)).toBe(200);
  for (const dashboard of dashboards) {
    expect(new URL(dashboard.url()).pathname).toBe("/dashboard");
    expect(await dashboard.isVisible("#not-connected")).toBe(false);
  }
}

/** Requests with what somebody has copied from a browser: the hub's cookies one by one, and the instance's. */
async function tryCopies(copies: Copies, puppet: Puppet): Promise<Record<string, number>> {
  const stranger = new Viewer();
  const status = async (url: string, cookie: string, more: Record<string, string> = {}) =>
    (await stranger.fetch(url, { headers: { cookie, ...more } })).status;
  const wants = { accept: "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  return {
    fetched: await status(`${puppet.origin}/status/200`, copies.viewer),
    opened: await status(`${puppet.origin}/status/200`, copies.viewer, wants),
    ready: await status(`${puppet.origin}/.orchestrator/ready`, copies.viewer),
    socket: await upgradeStatus(stranger, `${puppet.origin}/chat`, copies.viewer),
    board: await status(`${stage.hub.origin}/dashboard`, copies.access),
    card: await status(`${stage.hub.origin}/clients/${puppet.clientId}/details`, copies.access),
    tokens: await status(`${stage.hub.origin}/api/tokens`, copies.access),
    session: await status(`${stage.hub.origin}/api/tokens`, copies.session),
    live: await upgradeStatus(stranger, `${stage.hub.origin}/dashboard/socket`, copies.both),
  };
}

interface Copies {
  viewer: string;
  access: string;
  session: string;
  both: string;
}

async function copyCookies(context: BrowserContext): Promise<Copies> {
  const all = new Map((await context.cookies()).map(({ name, value }) => [name, `${name}=${value}`]));
  const [access = "", session = ""] = HUB_COOKIES.map((name) => all.get(name));
  const viewer = all.get("__Host-orchestrator-viewer") ?? "";
  expect([access, session, viewer]).not.toContain("");
  return { viewer, access, session, both: `${access}; ${session}` };
}

function upgradeStatus(stranger: Viewer, url: string, cookie: string): Promise<number> {
  const socket = stranger.webSocket(url, [], { headers: { cookie } });
  return new Promise((resolve, reject) => {
    socket.on("open", () => {
      socket.terminate();
      resolve(101);
    });
    socket.on("unexpected-response", (_request, answer) => {
      socket.terminate();
      resolve(answer.statusCode ?? 0);
    });
    socket.on("error", reject);
  });
}

it("signing out closes what this browser has open, at once, and nothing that another has", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const [mine, other] = [await openAll(puppet), await openAll(puppet)];
  await signOut(mine.dashboards[0]);
  await expectAllClosed(mine, puppet);
  await expectUntouched(other);
});

it("ending a sign-in from another browser does the same", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const [mine, other] = [await openAll(puppet), await openAll(puppet)];
  const page = await other.context.newPage();
  await page.goto(`${stage.hub.origin}/sessions`);
  const lines = page.locator("li", { hasNotText: "this browser" });
  await lines.first().getByRole("button", { name: "End" }).click();
  await answerQuestion(page, true);
  await page.waitForURL("**/sessions");
  await expectAllClosed(mine, puppet);
  await expectUntouched(other);
});

it("what was copied from a browser is refused at once after its sign-out", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const { context, dashboards } = await openAll(puppet);
  const copies = await copyCookies(context);
  expect(await tryCopies(copies, puppet)).toEqual({
    fetched: 200,
    opened: 200,
    ready: 204,
    socket: 101,
    board: 200,
    card: 200,
    // What changes things is asked of the database, which the access cookie says nothing about.
    tokens: 401,
    session: 200,
    live: 101,
  });
  await signOut(dashboards[0]);
  await dashboards[0].waitForURL("**/auth/sign-in");
  expect(await tryCopies(copies, puppet)).toEqual({
    fetched: 401,
    opened: 302,
    ready: 401,
    socket: 401,
    board: 401,
    card: 401,
    tokens: 401,
    session: 401,
    live: 401,
  });
});

it("an instance that was away when its viewer signed out refuses them when it is back", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const { context, dashboards } = await openAll(puppet);
  const copies = await copyCookies(context);
  await puppet.stop();
  await signOut(dashboards[0]);
  await dashboards[0].waitForURL("**/auth/sign-in");
  await stage.instance({ target: upstream.target, clientId: puppet.clientId });
  expect(await tryCopies(copies, puppet)).toMatchObject({ fetched: 401, opened: 302, socket: 401 });
});
