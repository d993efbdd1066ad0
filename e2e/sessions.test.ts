/** The page of one's sign-ins in real browsers: seen, ended one by one and all at once, and refreshed while in use. */
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { answerQuestion } from "./pages/questions.ts";
import { openDashboard, startStage, type Stage } from "./pages/stage.ts";
import { startUpstream, type Upstream } from "./tunnel/upstream.ts";

const IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1";
/** What takes effect at once is seen by then, on a busy machine too. */
const AT_ONCE = { timeout: 1500 };
const SIGN_IN = "**/auth/sign-in**";

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

it("lists one's browsers; ending one closes its dashboard and the instances it has open at once", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const [desk, phone] = [await stage.dashboard(), await stage.dashboard({ userAgent: IPHONE })];
  const opened = await phone.context.newPage();
  await opened.goto(`${puppet.origin}/page?title=mine`);
  expect(await opened.title()).toBe("mine");

  const sessions = await sessionsPage(desk.context);
  const line = sessions.locator("li", { hasText: "Safari on iPhone" });
  expect(await line.count()).toBe(1);
  expect(await line.textContent()).toContain("This machine");
  expect(await sessions.locator("li", { hasText: "this browser" }).textContent()).toContain(
    "Chrome on Linux",
  );

  await line.getByRole("button", { name: "End" }).click();
  expect(await answerQuestion(sessions, true)).toBe(
    "End the sign-in of Safari on iPhone? What it has open is closed.",
  );
  await phone.page.waitForURL(SIGN_IN, AT_ONCE);
  await sessions.waitForURL("**/sessions");
  expect(await line.count()).toBe(0);

  await opened.goto(`${puppet.origin}/page?title=still`);
  expect(new URL(opened.url()).pathname).toBe("/auth/sign-in");
  expect(new URL(desk.page.url()).pathname).toBe("/dashboard");
});

it("asks before it ends anything", async () => {
  const desk = await stage.dashboard();
  const sessions = await sessionsPage(desk.context);
  for (const button of await sessions.locator("main").getByRole("button", { name: "End" }).all()) {
    await button.click();
    await answerQuestion(sessions, false);
  }
  expect(new URL(sessions.url()).pathname).toBe("/sessions");
  expect(await sessions.isVisible("text=this browser")).toBe(true);
});

it("ends all of them, this one too", async () => {
  const [desk, other] = [await stage.dashboard(), await stage.dashboard()];
  const sessions = await sessionsPage(desk.context);
  await sessions.click("text=End all");
  await answerQuestion(sessions, true);
  await sessions.waitForURL(SIGN_IN);
  await desk.page.waitForURL(SIGN_IN, AT_ONCE);
  await other.page.waitForURL(SIGN_IN, AT_ONCE);
  for (const name of ["session", "access"]) expect(await cookieOf(desk.context, name)).toBeUndefined();
});

it("stays signed in when its access cookie is gone, in many tabs at once, with another secret each time", async () => {
  const desk = await stage.dashboard();
  const secrets = new Set<string | undefined>();
  for (let turn = 0; turn < 3; turn++) {
    secrets.add(await cookieOf(desk.context, "session"));
    // As browsers do once it is five minutes old.
    await desk.context.clearCookies({ name: "__Host-orchestrator-access" });
    const paths = ["dashboard", "tokens", "sessions", "clients", "dashboard", "tokens"];
    const tabs = await Promise.all(paths.map(() => desk.context.newPage()));
    await Promise.all(tabs.map((tab, index) => tab.goto(`${stage.hub.origin}/${paths[index]}`)));
    for (const tab of tabs) expect(await tab.isVisible(".account")).toBe(true);
    expect(await cookieOf(desk.context, "access")).toBeDefined();
    await Promise.all(tabs.map((tab) => tab.close()));
  }
  secrets.add(await cookieOf(desk.context, "session"));
  expect(secrets.size).toBe(4);
  expect(new URL(desk.page.url()).pathname).toBe("/dashboard");
});

it("ends a sign-in whose cookies were copied as soon as both use them, for the thief and for the owner", async () => {
  const desk = await stage.dashboard();
  const thief = await stage.profile();
  await thief.addCookies(await desk.context.cookies());
  const { page: stolen } = await openDashboard(thief, `${stage.hub.origin}/dashboard`);
  for (const context of [desk.context, desk.context, thief]) {
    await context.clearCookies({ name: "__Host-orchestrator-access" });
    const tab = await context.newPage();
    await tab.goto(`${stage.hub.origin}/tokens`);
    const isThief = context === thief;
    expect(new URL(tab.url()).pathname).toBe(isThief ? "/auth/sign-in" : "/tokens");
  }
  await stolen.waitForURL(SIGN_IN, AT_ONCE);
  await desk.page.waitForURL(SIGN_IN, AT_ONCE);
});

async function sessionsPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${stage.hub.origin}/dashboard`);
  await page.click(".account");
  await page.click("nav >> text=Sign-ins");
  await page.waitForURL("**/sessions");
  return page;
}

async function cookieOf(context: BrowserContext, name: string): Promise<string | undefined> {
  const cookies = await context.cookies(stage.hub.origin);
  return cookies.find((cookie) => cookie.name === `__Host-orchestrator-${name}`)?.value;
}
