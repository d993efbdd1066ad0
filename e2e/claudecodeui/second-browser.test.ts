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

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
});

interface Watched {
  stack: Stack;
  traffic: Traffic;
  /** Where the instance opens. */
  address: string;
}

/** A browser of its own, signed in at the hub. */
async function newBrowser({ stack, traffic }: Watched): Promise<Page> {
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await traffic.open(context);
  await page.goto(await stack.hub.signInLink());
  return page;
}

/** Opens the page in a new browser, sees that it works, and returns what crossed the tunnel for that. */
async function opened(watched: Watched): Promise<{ bytes: number; files: string[] }> {
  const { stack, traffic, address } = watched;
  const page = await newBrowser(watched);
  const [bytes, requests] = [stack.relay.bytes().up, stack.tap.requests().length];
  await page.goto(`${address}/`);
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
  await page.context().close();
  return { bytes: stack.relay.bytes().up - bytes, files };
}

/** In path mode a person allows it first. */
async function allow(watched: Watched): Promise<void> {
  const page = await newBrowser(watched);
  await page.getByRole("link", { name: "Open project" }).click();
  await page.getByRole("button", { name: "Allow path mode" }).click();
  await page.getByRole("link", { name: "Open", exact: true }).waitFor();
  await page.context().close();
}

test.each([
  ["on an origin of its own", {}],
  ["in path mode", { INSTANCE_HOST: "none" }],
])(
  "a second browser has its files from the hub, and so has one after the connector was started anew: %s",
  async (_where, settings) => {
    const stack = await startStack({ settings });
    const watched = { stack, traffic: new Traffic(), address: await stack.connect() };
    try {
      if ("INSTANCE_HOST" in settings) await allow(watched);
      const first = await opened(watched);
      expect(first.files.length).toBeGreaterThanOrEqual(5);
      expect(first.bytes).toBeLessThan(PLAIN_BYTES / 3);
      // They are stored once their last byte has gone out.
      await delay(500);
      const second = await opened(watched);
      expect(second.files).toEqual([]);
      expect(second.bytes).toBeLessThan(first.bytes / 20);
      await stack.disconnect();
      await stack.connect();
      const third = await opened(watched);
      expect(third.files).toEqual([]);
      expect(third.bytes).toBeLessThan(first.bytes / 20);
      expect(watched.traffic.failures).toEqual([]);
      console.log(`bytes from the instance: ${first.bytes}, ${second.bytes}, ${third.bytes}`);
    } finally {
      await stack.stop();
    }
  },
  120_000,
);
