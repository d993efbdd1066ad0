/** What crosses the tunnel when claudecodeui's page is opened: its files once, however many browsers there are. */
import { setTimeout as delay } from "node:timers/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser } from "../browser.ts";
import { PATIENCE_MS } from "./at-the-page.ts";
import { type Stack, startStack } from "./stack.ts";
import { Traffic } from "./traffic.ts";

/** Of its five files, as they are: they are much smaller on their way. */
const PLAIN_BYTES = 4_370_000;

let stack: Stack;
let browser: Browser;
let origin: string;
const traffic = new Traffic();

beforeAll(async () => {
  [stack, browser] = await Promise.all([startStack(), launchBrowser()]);
  origin = await stack.connect();
});

afterAll(async () => {
  await browser?.close();
  await stack?.stop();
});

/** A browser of its own, signed in at the hub. */
async function newBrowser(): Promise<Page> {
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await traffic.open(context);
  await page.goto(await stack.hub.signInLink());
  return page;
}

/** Opens the page, sees that it works, and returns what crossed the tunnel for that. */
async function opened(page: Page): Promise<{ bytes: number; files: string[] }> {
  const [bytes, requests] = [stack.relay.bytes().up, stack.tap.requests().length];
  await page.goto(`${origin}/`);
  await page.getByRole("button", { name: "Create new project" }).waitFor();
  // Its script has drawn it, by its sheet.
  const rules = () =>
    [...document.styleSheets]
      .filter(({ href }) => href?.startsWith(location.origin))
      .map(({ cssRules }) => cssRules.length);
  expect(Math.max(...(await page.evaluate(rules)))).toBeGreaterThan(100);
  await traffic.keep(page);
  const files = stack.tap
    .requests()
    .slice(requests)
    .filter((line) => line.startsWith("GET /assets/"));
  return { bytes: stack.relay.bytes().up - bytes, files };
}

test("a second browser has its files from the hub, and so has one after the connector was started anew", async () => {
  const first = await opened(await newBrowser());
  expect(first.files.length).toBeGreaterThanOrEqual(5);
  expect(first.bytes).toBeLessThan(PLAIN_BYTES / 3);
  // They are stored once their last byte has gone out.
  await delay(500);
  const second = await opened(await newBrowser());
  expect(second.files).toEqual([]);
  expect(second.bytes).toBeLessThan(first.bytes / 20);
  await stack.disconnect();
  await stack.connect();
  const third = await opened(await newBrowser());
  expect(third.files).toEqual([]);
  expect(third.bytes).toBeLessThan(first.bytes / 20);
  console.log(`bytes from the instance: ${first.bytes}, ${second.bytes}, ${third.bytes}`);
});

test("nothing failed", () => {
  expect(traffic.failures).toEqual([]);
});
