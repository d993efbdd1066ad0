/** What happens in an open chat when something between it and Claude Code goes away and comes back. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser } from "../browser.ts";
import { cardIs, createProject, LAST_WORDS, PATIENCE_MS, say } from "./at-the-page.ts";
import { type Stack, startStack } from "./stack.ts";

let stack: Stack;
let browser: Browser;
let dashboard: Page;
let page: Page;

beforeAll(async () => {
  [stack, browser] = await Promise.all([startStack(), launchBrowser()]);
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE_MS);
  dashboard = await context.newPage();
  await dashboard.goto(await stack.hub.signInLink());
  const origin = await stack.connect();
  page = await context.newPage();
  await page.goto(`${origin}/`);
  await createProject(page, stack.real.project);
});

afterAll(async () => {
  await browser?.close();
  await stack?.stop();
});

/** Waits until the chat holds as many whole answers. */
async function answers(count: number): Promise<void> {
  await page
    .getByText(LAST_WORDS)
    .nth(count - 1)
    .waitFor();
  expect(await page.getByText(LAST_WORDS).count()).toBe(count);
}

/** Resolves once a WebSocket that the page opens after this is heard on: what is clicked before that goes nowhere. */
function chatIsBack(): Promise<void> {
  return new Promise((resolve) => {
    page.on("websocket", (socket) => socket.once("framereceived", () => resolve()));
  });
}

test("the connector goes while Claude asks: the question is still there when it is back", async () => {
  await say(page, "Do what needs permission, please.");
  await cardIs(dashboard, "needs permission");
  const back = chatIsBack();
  await stack.disconnect();
  await cardIs(dashboard, "unreachable");
  await stack.connect();
  await back;
  await cardIs(dashboard, "needs permission");
  await page.getByRole("button", { name: "Allow once" }).click();
  await answers(1);
  await cardIs(dashboard, "active");
});

test("claudecodeui is restarted: the chat goes on where it was", async () => {
  const back = chatIsBack();
  await stack.real.restart();
  await back;
  await cardIs(dashboard, "active");
  await say(page, "And once more.");
  await answers(2);
  await cardIs(dashboard, "active");
});

test("the hub is killed in the middle of an answer: the rest of it arrives", async () => {
  await say(page, "And over a new hub.");
  await cardIs(dashboard, "busy");
  await stack.hub.kill();
  await stack.hub.restart();
  await answers(3);
  await cardIs(dashboard, "active");
});
