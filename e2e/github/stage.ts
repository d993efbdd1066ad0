/** What tests of signing in with GitHub begin with: a hub, the fake GitHub it asks, and browsers. */
import { once } from "node:events";
import * as http from "node:http";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import type { HubSettings } from "../../packages/hub/local/settings.ts";
import { launchBrowser } from "../browser.ts";
import { startHub, type TestHub } from "../hub.ts";
import { freePort } from "../port.ts";
import { Watch } from "../pages/watch.ts";
import type { FakeGitHub } from "../../packages/hub/test/fake-github.ts";
import { startGitHub } from "./server.ts";

/** How long a page may take for anything, on a machine that is busy. */
const PATIENCE_MS = 15_000;

export interface GitHubStage {
  hub: TestHub;
  github: FakeGitHub;
  browser: Browser;
  /** A browser of its own with an empty tab, nobody signed in anywhere. */
  visitor(options?: BrowserContextOptions): Promise<Visitor>;
  stop(): Promise<void>;
}

export interface Visitor {
  page: Page;
  context: BrowserContext;
  watch: Watch;
}

/** `settings` are asked for once GitHub is there and has its people. */
export async function startGitHubStage(
  settings: (github: FakeGitHub, defaults: HubSettings) => HubSettings,
): Promise<GitHubStage> {
  const port = await freePort();
  const server = await startGitHub(`http://hub.localhost:${port}`);
  const [hub, browser] = await Promise.all([
    startHub({ port, settings: settings(server.github, server.settings) }),
    launchBrowser(),
  ]);
  return {
    hub,
    github: server.github,
    browser,
    visitor: async (options = {}) => {
      const context = await browser.newContext(options);
      context.setDefaultTimeout(PATIENCE_MS);
      const page = await context.newPage();
      return { page, context, watch: await Watch.start(page) };
    },
    stop: async () => {
      await browser.close();
      await hub.stop();
      await server.stop();
    },
  };
}

/** Agrees at GitHub's page as this user, or does not. */
export async function decideAtGitHub(
  page: Page,
  login: string,
  decision: "Authorize" | "Cancel" = "Authorize",
) {
  await page.waitForURL("**/login/oauth/authorize?*");
  await page.selectOption("select[name=user]", login);
  await page.getByRole("button", { name: decision }).click();
}

/** From the sign-in page through GitHub; ends wherever the hub then leads. */
export async function signInWithGitHub({ page }: Visitor, hub: TestHub, login: string): Promise<void> {
  await page.goto(`${hub.origin}/auth/sign-in`);
  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  await decideAtGitHub(page, login);
  await page.waitForURL((url) => url.origin === hub.origin && url.search === "");
}

/** A new token for instances of whoever is signed in there, at a page of the hub's. */
export function tokenOf({ page }: Visitor): Promise<string> {
  return page.evaluate(async () => {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ name: "laptop" });
    const answer = await fetch("/api/tokens", { method: "POST", headers, body });
    return ((await answer.json()) as { token: string }).token;
  });
}

/** Sends the hub what GitHub would; resolves with the status. */
export async function deliver(
  { hub, github }: GitHubStage,
  event: string,
  payload: unknown,
): Promise<number | undefined> {
  const delivery = await github.webhook(event, payload);
  const { pathname, host } = new URL(delivery.url);
  const request = http.request({
    host: "127.0.0.1",
    port: hub.port,
    method: "POST",
    path: pathname,
    headers: { ...Object.fromEntries(delivery.headers), host },
    agent: false,
  });
  request.end(Buffer.from(await delivery.arrayBuffer()));
  const [answer] = (await once(request, "response")) as [http.IncomingMessage];
  answer.resume();
  return answer.statusCode;
}

/** What GitHub sends of somebody who leaves an organisation, as the event `organization`. */
export function leaving(
  { id, login }: { id: number; login: string },
  organization: { id: number; login: string },
) {
  const membership = { state: "inactive", role: "unaffiliated", user: { id, login } };
  return { action: "member_removed", membership, organization };
}

/** Every address in this tab's history. */
export async function historyOf(page: Page): Promise<string> {
  const devtools = await page.context().newCDPSession(page);
  const { entries } = await devtools.send("Page.getNavigationHistory");
  return entries.map(({ url }) => url).join("\n");
}

export async function cookieNames(context: BrowserContext): Promise<string[]> {
  return (await context.cookies())
    .map(({ name }) => name)
    .filter((name) => name.startsWith("__Host-orchestrator-"));
}
