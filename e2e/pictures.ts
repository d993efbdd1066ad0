/**
 * Takes the pictures of the documents, and a set to judge the look by: `npm run pictures [folder]`. The instances are made up;
 * everything between them and the screen is real.
 */
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { createPlainAdapter, OrchestratorClient, type Adapter } from "@ai-orchestrator/connector";
import type { Browser } from "playwright-core";
import type { ClaudeSession, SessionState } from "@ai-orchestrator/protocol";
import { build } from "../packages/hub/local/build.ts";
import { launchBrowser } from "./browser.ts";
import { startHub, type TestHub } from "./hub.ts";

const IMAGES = path.resolve(import.meta.dirname, "../docs/images");
const DESKTOP = { width: 1280, height: 800 };
/** What fits a page of text. */
const SMALL = { width: 660, height: 560 };
const PHONE = { width: 390, height: 844 };

/** A made-up instance: its machine, its folder, and its sessions as title, state and minutes in it. */
type Pretended = [
  host: string,
  project: string,
  sessions: [title: string, state: SessionState, minutes: number][],
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

interface Shot {
  file: string;
  viewport: { width: number; height: number };
  colorScheme: "light" | "dark";
}

await main(process.argv[2]);

async function main(folder = IMAGES): Promise<void> {
  build(console.log);
  await mkdir(folder, { recursive: true });
  const browser = await launchBrowser();
  try {
    if (folder !== IMAGES) return await takeAll(browser, folder);
    const shot: Shot = { file: path.join(IMAGES, "dashboard.png"), viewport: SMALL, colorScheme: "light" };
    await take(browser, SOME, [shot]);
  } finally {
    await browser.close();
  }
}

/** None, one, some and forty instances, on a desktop and a phone, light and dark. */
async function takeAll(browser: Browser, folder: string): Promise<void> {
  const forty = Array.from({ length: 40 }, (_, index): Pretended => {
    const [host, project, sessions] = SOME[index % SOME.length] ?? ["host", "/project", []];
    return [`${host}-${Math.floor(index / SOME.length) + 1}`, `${project}-${index + 1}`, sessions];
  });
  for (const [name, instances] of Object.entries({ empty: [], one: SOME.slice(1, 2), some: SOME, forty })) {
    const shots = Object.entries({ desktop: DESKTOP, phone: PHONE }).flatMap(([device, viewport]) =>
      (["light", "dark"] as const).map((colorScheme): Shot => {
        return { file: path.join(folder, `${name}-${device}-${colorScheme}.png`), viewport, colorScheme };
      }),
    );
    await take(browser, instances, shots);
  }
}

async function take(browser: Browser, instances: Pretended[], shots: Shot[]): Promise<void> {
  const hub = await startHub();
  const clients: OrchestratorClient[] = [];
  try {
    for (const [index, instance] of instances.entries()) clients.push(await pretend(hub, instance, index));
    for (const { file, ...look } of shots) {
      const context = await browser.newContext({ ...look, deviceScaleFactor: 2, reducedMotion: "reduce" });
      const page = await context.newPage();
      await page.goto(await hub.signInLink());
      if (instances.length > 0)
        await page
          .locator(".card")
          .nth(instances.length - 1)
          .waitFor();
      await page.screenshot({ path: file });
      await context.close();
    }
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
    await hub.stop();
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
    clientId: `${host}-${index}`,
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
