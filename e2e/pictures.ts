/**
 * Takes the pictures of the documents, and a set to judge the look by: `npm run pictures [folder [part of a name]]`. The instances are made up;
 * everything between them and the screen is real.
 */
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { createPlainAdapter, OrchestratorClient, type Adapter } from "@ai-orchestrator/connector";
import type { Browser, Page } from "playwright-core";
import type { ClaudeSession, SessionState } from "@ai-orchestrator/protocol";
import { build } from "../packages/hub/local/build.ts";
import { launchBrowser } from "./browser.ts";
import { startHub, type TestHub } from "./hub.ts";
import { HOSTILE_NAMES } from "./pages/hostile-names.ts";

const IMAGES = path.resolve(import.meta.dirname, "../docs/images");
/** What fits a page of text. */
const SMALL = { width: 660, height: 560 };
const DEVICES = {
  phone: { width: 390, height: 844 },
  tablet: { width: 768, height: 1024 },
  desktop: { width: 1440, height: 900 },
  wide: { width: 2560, height: 1440 },
};

/** A made-up instance: its machine, its folder, and its sessions as title, state and minutes in it; and what becomes of it. */
type Pretended = [
  host: string,
  project: string,
  sessions: [title: string, state: SessionState, minutes: number][],
  end?: "stopped" | "sent away",
];

const SOME: Pretended[] = [
  ["atlas", "/home/maria/work/billing-service", [["Retry failed invoices", "needs_permission", 2]]],
  [
    "atlas",
    "/home/maria/work/web-shop",
    [
      ["Upgrade the payment form", "working", 6],
      ["Fix flaky cart test", "done", 18],
    ],
  ],
  ["build-box", "/srv/agents/nightly-triage", [["Sort the new issues", "working", 41]]],
  ["laptop", "/Users/maria/code/orchard", [["Which database for the queue?", "needs_answer", 9]]],
  ["laptop", "/Users/maria/code/recipes", []],
  ["build-box", "/srv/agents/docs", [["Describe the export", "done", 73]]],
];

/** Every state a card can be in. */
const STATES: Pretended[] = [
  ...SOME,
  ["build-box", "/srv/agents/release", [["Publish 4.2.0", "failed", 4]]],
  ["atlas", "/home/maria/work/idle-hands", [["Read the logs", "idle", 190]]],
  [
    "atlas",
    "/home/maria/work/clients/northwind/services/billing/apps/storefront",
    [
      ["May I run the migration?", "needs_permission", 1],
      ["Add a column for the tax number", "working", 12],
      ["Rename invoices to bills", "done", 33],
      ["Look for slow queries", "failed", 34],
    ],
  ],
  ["laptop", "/Users/maria/code/old-laptop", [["Upgrade Node", "working", 3]], "stopped"],
  ["laptop", "/Users/maria/code/quiet-please", [], "sent away"],
];

const HOSTILE = Object.values(HOSTILE_NAMES).map((name): Pretended => {
  return [name.slice(0, 255), `/home/dev/${name}`, [[name.slice(0, 300), "needs_answer", 5]]];
});

const FORTY = Array.from({ length: 40 }, (_, index): Pretended => {
  const [host, project, sessions, end] = STATES[(index * 5) % STATES.length] ?? ["host", "/project", []];
  const name = `${project}-${index + 1}`;
  // Most are at work or idle; what needs someone is rare.
  if (index >= STATES.length && index % 3 !== 0)
    return [host, name, index % 2 === 0 ? [["Tidy up", "working", index]] : []];
  return end === undefined ? [host, name, sessions] : [host, name, sessions, end];
});

interface Shot {
  file: string;
  viewport: { width: number; height: number };
  colorScheme: "light" | "dark";
  /** Path and query of the page. */
  url?: string;
  /** The whole page, not what fits the window. */
  fullPage?: boolean;
  prepare?: (page: Page) => Promise<void>;
}

await main(process.argv[2], process.argv[3]);

/** Takes the pictures of the documents, or into another folder those to judge by: those whose name contains `only`. */
async function main(folder = IMAGES, only = ""): Promise<void> {
  build(console.log);
  await mkdir(folder, { recursive: true });
  const browser = await launchBrowser();
  try {
    if (folder !== IMAGES) return await takeAll(browser, folder, only);
    const shot: Shot = { file: path.join(IMAGES, "dashboard.png"), viewport: SMALL, colorScheme: "light" };
    await take(browser, SOME, [shot]);
  } finally {
    await browser.close();
  }
}

/** Each set on every device, light and dark; forty in every grouping. */
async function takeAll(browser: Browser, folder: string, only: string): Promise<void> {
  const sets = { empty: [], one: SOME.slice(1, 2), states: STATES, forty: FORTY, hostile: HOSTILE };
  for (const [name, instances] of Object.entries(sets)) {
    const shots: Shot[] = [];
    for (const [device, viewport] of Object.entries(DEVICES))
      for (const colorScheme of ["light", "dark"] as const) {
        const shot = (what: string, more: Partial<Shot> = {}) => {
          const file = path.join(folder, `${name}${what}-${device}-${colorScheme}.png`);
          if (file.includes(only)) shots.push({ file, viewport, colorScheme, ...more });
        };
        shot("");
        if (name === "states") {
          shot("-away", { prepare: loseHub });
          shot("-silent", { prepare: growOld });
          shot("-details", { prepare: openDetails });
        }
        if (name !== "forty") continue;
        shot("-by-machine", { url: "/dashboard?group=machine" });
        shot("-by-project", { url: "/dashboard?group=project" });
        shot("-filtered", { url: "/dashboard?group=status", prepare: filter });
      }
    if (shots.length > 0) await take(browser, instances, shots);
  }
}

async function loseHub(page: Page): Promise<void> {
  await page.context().setOffline(true);
  await page.evaluate(() => {
    document.dispatchEvent(new Event("resume"));
  });
  await page.waitForSelector("#not-connected:visible");
}

/** Nobody answers for two minutes, as far as the page can tell. */
async function growOld(page: Page): Promise<void> {
  await page.evaluate(() => {
    WebSocket.prototype.send = () => undefined;
    for (const proof of document.querySelectorAll<HTMLElement>("[data-heard]")) {
      const at = String(Number(proof.dataset["heard"]) - 120_000);
      proof.dataset["heard"] = at;
      const time = proof.querySelector("time");
      if (time !== null) time.dataset["since"] = at;
    }
  });
  await page.waitForSelector("[data-page-unproven=silent]");
}

async function openDetails(page: Page): Promise<void> {
  await page.locator(".card summary").first().click();
  await page.waitForSelector(".card .facts");
}

async function filter(page: Page): Promise<void> {
  await page.click("[data-filter=idle]");
  await page.fill("#search", "atlas");
}

async function take(browser: Browser, instances: Pretended[], shots: Shot[]): Promise<void> {
  const hub = await startHub();
  const clients: OrchestratorClient[] = [];
  try {
    for (const [index, instance] of instances.entries()) clients.push(await pretend(hub, instance, index));
    for (const [index, [, , , end]] of instances.entries())
      if (end === "stopped") await clients[index]?.stop();
    for (const { file, url, prepare, fullPage = false, ...look } of shots) {
      const isMobile = look.viewport.width < 500;
      const device = { isMobile, hasTouch: isMobile, deviceScaleFactor: 2, reducedMotion: "reduce" } as const;
      const context = await browser.newContext({ ...look, ...device });
      const page = await context.newPage();
      await page.goto(await hub.signInLink());
      await sendAway(page, instances);
      if (url !== undefined) await page.goto(hub.origin + url);
      if (instances.length > 0)
        await page
          .locator(".card")
          .nth(instances.length - 1)
          .waitFor();
      // The hub's first word has come.
      await page.waitForSelector("#counts:not([data-now])", { state: "attached" });
      await prepare?.(page);
      await page.screenshot({ path: file, fullPage });
      await context.close();
    }
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
    await hub.stop();
  }
}

/** Sends away what is to be pictured so. */
async function sendAway(page: Page, instances: Pretended[]): Promise<void> {
  for (const [index, [, , , end]] of instances.entries()) {
    if (end !== "sent away") continue;
    const card = page.locator(`.card[data-client-id="pretended-${index}"]`);
    if ((await card.getAttribute("data-state")) === "unreachable") continue;
    const id = await card.getAttribute("id");
    const url = `/clients/${(id ?? "").replace("card-", "")}/disconnect`;
    await page.evaluate((to) => fetch(to, { method: "POST" }), url);
    await page.waitForSelector(`#${id}[data-state=unreachable]`);
  }
}

async function pretend(
  hub: TestHub,
  [host, project, sessions]: Pretended,
  index: number,
): Promise<OrchestratorClient> {
  const client = new OrchestratorClient({
    url: hub.origin,
    token: await hub.createToken(host),
    clientId: `pretended-${index}`,
    // Nothing listens there: the pictures open no instance.
    target: "http://127.0.0.1:9",
    metadata: { hostname: host, project, platform: "linux" },
    adapter: pretendedAdapter(project, sessions),
  });
  const connected = once(client, "connected");
  client.start();
  await connected;
  return client;
}

function pretendedAdapter(project: string, sessions: Pretended[2]): Adapter {
  const now = Date.now();
  const list = sessions.map(([title, state, minutes], index): ClaudeSession => {
    return { id: `session-${index}`, title, project, state, since: now - minutes * 60_000 };
  });
  return {
    ...createPlainAdapter(),
    software: { name: "claudecodeui", version: "1.37.3" },
    sessions: () => list,
  };
}
