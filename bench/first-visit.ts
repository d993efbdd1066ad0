/**
 * What crosses the tunnel when a person opens the real claudecodeui: bytes at the connector's socket in both directions, requests that
 * reach the application, and the page's load event. The first time, again, in another browser, and after the connector was started anew.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Browser, BrowserContext } from "playwright-core";
import { launchBrowser } from "../e2e/browser.ts";
import { startStack, type Stack } from "../e2e/claudecodeui/stack.ts";
import { kilobytes, printTable, type Row } from "./report.ts";

/** Other people's servers, which claudecodeui's page asks for fonts and news. */
const ELSEWHERE = ["https://*"];
/** Nothing crosses the tunnel for as long, and the page has what it needs. */
const QUIET_MS = 1000;
const PATIENCE_MS = 60_000;
/** What a laptop may have. */
const UPLINK_BITS = 10_000_000;

interface Visit {
  up: number;
  down: number;
  requests: number;
  loadMs: number;
}

export async function benchFirstVisit(): Promise<void> {
  const [stack, browser] = await Promise.all([startStack(), launchBrowser()]);
  try {
    const origin = await stack.connect();
    const [first, second] = [await signedIn(stack, browser), await signedIn(stack, browser)];
    const rows = [row("first load", await visit(stack, first, origin))];
    rows.push(row("second load, same browser", await visit(stack, first, origin)));
    rows.push(row("second browser", await visit(stack, second, origin)));
    await stack.disconnect();
    await stack.connect();
    rows.push(row("the connector started anew: first browser", await visit(stack, first, origin)));
    rows.push(row("… and a third browser", await visit(stack, await signedIn(stack, browser), origin)));
    printTable(
      "Opening claudecodeui: what crosses the tunnel",
      [["", "up", "down", "requests", "load event", `up at ${UPLINK_BITS / 1e6} Mbit/s`], ...rows],
      "Up is from the instance to the hub. Requests are those that reach claudecodeui.",
    );
  } finally {
    await browser.close();
    await stack.stop();
  }
}

function row(name: string, { up, down, requests, loadMs }: Visit): Row {
  const seconds = (up * 8) / UPLINK_BITS;
  return [
    name,
    kilobytes(up),
    kilobytes(down),
    requests,
    `${loadMs.toFixed(0)} ms`,
    `${seconds.toFixed(2)} s`,
  ];
}

/** A browser with nothing in its cache, signed in at the hub. */
async function signedIn(stack: Stack, browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  await page.goto(await stack.hub.signInLink());
  // A dashboard that is open has the hub ask the connector for signs of life.
  await page.close();
  return context;
}

/** Opens the instance in a new tab, waits until it is at rest, and closes it. */
async function visit(stack: Stack, context: BrowserContext, origin: string): Promise<Visit> {
  await quiet(stack);
  const [bytes, requests] = [stack.relay.bytes(), stack.tap.requests().length];
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  // Not by `route`, with which a browser keeps nothing.
  await session.send("Network.setBlockedURLs", { urls: ELSEWHERE });
  await page.goto(`${origin}/`, { waitUntil: "load" });
  await page.getByRole("button", { name: "Create new project" }).waitFor();
  await quiet(stack);
  const loadMs = await page.evaluate(
    () => performance.getEntriesByType("navigation")[0]?.duration ?? Number.NaN,
  );
  const now = stack.relay.bytes();
  const visited = {
    up: now.up - bytes.up,
    down: now.down - bytes.down,
    requests: stack.tap.requests().length - requests,
    loadMs,
  };
  await page.close();
  return visited;
}

async function quiet({ relay }: Stack): Promise<void> {
  let before = relay.bytes();
  for (let quietMs = 0; quietMs < QUIET_MS; quietMs += 100) {
    await delay(100);
    const now = relay.bytes();
    // A frame or two of a WebSocket is no page.
    if (now.up - before.up > 1000 || now.down - before.down > 1000) quietMs = 0;
    before = now;
  }
}
