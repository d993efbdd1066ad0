/** claudecodeui's first page in Chromium with nothing in its cache: how long until it has loaded, and the bytes that came. */
import type { Browser } from "playwright-core";
import { launchBrowser } from "../../../e2e/browser.ts";
import { atEnd } from "../cleanup.ts";
import type { RunningPath } from "../paths/path.ts";
import type { Load, Sample } from "./load.ts";

const PATIENCE_MS = 60_000;
let launched: Promise<Browser> | undefined;

export const pageLoad: Load = {
  group: "page",
  upstream: "claudecodeui",
  // It would need a client that rewrites this very page for its prefix.
  without: ["version-1"],
  measures: [
    {
      id: "page-load",
      title: "claudecodeui's first page, until its load event",
      unit: "ms",
      better: "less",
      digits: 0,
    },
    {
      id: "page-bytes",
      title: "claudecodeui's first page, bytes to the browser",
      unit: "KB",
      better: "less",
      digits: 0,
    },
  ],
  run: async (path) => {
    launched ??= launch();
    const context = await (await launched).newContext({ viewport: { width: 1440, height: 900 } });
    try {
      await context.addCookies(cookiesOf(path));
      const page = await context.newPage();
      await page.goto(`${path.origin}/`, { waitUntil: "load", timeout: PATIENCE_MS });
      return await page.evaluate(readTimes);
    } finally {
      await context.close();
    }
  },
};

async function launch(): Promise<Browser> {
  const browser = await launchBrowser();
  atEnd(() => browser.close());
  return browser;
}

/** In the page. */
function readTimes(): Sample {
  const entries = (type: string) => performance.getEntriesByType(type) as PerformanceResourceTiming[];
  const [navigation] = entries("navigation") as PerformanceNavigationTiming[];
  if (navigation === undefined) throw new Error("no navigation");
  // What came before the load event; what the program asks for afterwards is its own affair.
  const loaded = navigation.loadEventStart;
  const resources = entries("resource").filter(({ responseEnd }) => responseEnd <= loaded);
  const bytes = [navigation, ...resources].reduce((sum, { transferSize }) => sum + transferSize, 0);
  return { "page-load": loaded, "page-bytes": bytes / 1000 };
}

function cookiesOf({ headers, origin }: RunningPath) {
  const pairs = (headers["cookie"] ?? "").split("; ").filter((pair) => pair !== "");
  return pairs.map((pair) => {
    const [name = "", ...value] = pair.split("=");
    // Chromium takes loopback for as safe as https; the call that sets cookies wants to be told so.
    return { name, value: value.join("="), url: origin.replace("http:", "https:"), secure: true };
  });
}
