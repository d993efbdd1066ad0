/** The dashboard as a person sees it: the built hub, a real browser, instances that come, work and go. */
import { once } from "node:events";
import { createPlainAdapter, OrchestratorClient, type Adapter } from "@ai-orchestrator/connector";
import type { ClaudeSession, SessionState } from "@ai-orchestrator/protocol";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { launchBrowser } from "./browser.ts";
import { startHub, type TestHub } from "./hub.ts";
import { startUpstream, type Upstream } from "./tunnel/upstream.ts";

let browser: Browser;
let hub: TestHub;
let upstream: Upstream;
let page: Page;
/** What the page's console said that it should not say, and what its policy refused. */
let complaints: string[];
let clients: OrchestratorClient[];

beforeAll(async () => {
  [browser, hub, upstream] = await Promise.all([launchBrowser(), startHub(), startUpstream()]);
});

afterAll(async () => {
  await Promise.all([browser.close(), hub.stop(), upstream.stop()]);
});

beforeEach(async () => {
  clients = [];
  complaints = [];
  const context = await browser.newContext();
  page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(await hub.signInLink());
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.stop()));
  await page.context().close();
});

it("shows an instance the moment it connects, what it does, and that it went, without a reload", async () => {
  await page.getByRole("heading", { name: "Connect your first instance" }).waitFor();
  await page.evaluate(() => Reflect.set(window, "sameDocument", true));

  const { client, say } = await connect("orchard");
  const card = page.locator(".card", { hasText: "orchard" });
  await card.waitFor();
  await expect
    .poll(() => page.getByRole("heading", { name: "Connect your first instance" }).isVisible())
    .toBe(false);

  say("working");
  await card.getByText("working", { exact: true }).first().waitFor();
  say("needs_permission");
  await card.getByText("needs permission", { exact: true }).first().waitFor();
  await page.getByRole("heading", { name: "Needs you" }).waitFor();
  await expect.poll(() => page.title()).toMatch(/1/);
  say("done");
  await card.getByText("done", { exact: true }).first().waitFor();

  await client.stop();
  await page.getByRole("heading", { name: /unreachable/i }).waitFor();
  expect(await page.evaluate(() => Reflect.get(window, "sameDocument") === true)).toBe(true);
  expect(complaints).toEqual([]);
});

it("opens an instance on an origin of its own, signed in there", async () => {
  await connect("opened");
  await page.locator(".card", { hasText: "opened" }).getByRole("link", { name: "Open opened" }).click();
  await page.waitForURL(/^http:\/\/opened-[a-z2-7]+\.hub\.localhost:\d+\/$/);
  expect(await page.evaluate(() => document.cookie)).toBe("");
  expect(await page.evaluate(() => document.readyState)).toBe("complete");
});

/** Connects an instance whose project ends in `name`; `say` changes what its one session does. */
async function connect(
  name: string,
): Promise<{ client: OrchestratorClient; say: (state: SessionState) => void }> {
  const listeners = new Set<() => void>();
  let sessions: ClaudeSession[] = [];
  const adapter: Adapter = {
    ...createPlainAdapter(),
    sessions: () => sessions,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const client = new OrchestratorClient({
    url: hub.origin,
    token: await hub.createToken(name),
    clientId: name,
    target: upstream.target,
    metadata: { hostname: "test-host", project: `/home/dev/${name}`, platform: "linux" },
    adapter,
  });
  clients.push(client);
  const connected = once(client, "connected");
  client.start();
  await connected;
  const say = (state: SessionState) => {
    sessions = [{ id: "one", title: "The task", project: `/home/dev/${name}`, state, since: Date.now() }];
    for (const listener of listeners) listener();
  };
  return { client, say };
}
