/**
 * What the first load of a dashboard takes: everything it asks for, as it is sent here and as an edge would send it (each text
 * compressed with gzip's default level, bodies only), the first contentful paint with nothing in the cache, and a partial.
 */
import { gzipSync } from "node:zlib";
import type { BrowserContext, Page } from "playwright-core";
import { routes } from "../../packages/hub/src/routes.ts";
import { openDashboard, session, startStage, type Stage } from "../../e2e/pages/stage.ts";
import { kilobytes, median, percentile, printTable, type Row } from "../report.ts";

const SHOWN = [0, 5, 40];
const PAINTS = 9;
const PARTIALS = 50;
/** What a browser loads for itself, sooner or later, and a headless one may not. */
const LINKED = "link[rel~=icon], link[rel=apple-touch-icon], link[rel=manifest]";

/** What was asked for while the page loaded; bodies in bytes. */
interface Resource {
  path: string;
  /** As it arrived, after whatever compression; headers are not in it. */
  sent: number;
  gzip: number;
  plain: number;
}

export async function benchFirstLoad(): Promise<void> {
  const stage = await startStage();
  try {
    const loads: Row[] = [["", "requests", "as sent", "gzip", "plain", "paint", "partial", "p90"]];
    let resources: Resource[] = [];
    for (const count of SHOWN) {
      const labels = await connect(stage, count);
      const signedIn = await stage.dashboard();
      resources = await firstLoad(stage, signedIn.context);
      const paintMs = await firstPaint(stage, signedIn.context);
      const partialsMs = await partials(signedIn.page, labels);
      loads.push([
        `${count} instances`,
        resources.length,
        ...(["sent", "gzip", "plain"] as const).map((size) => kilobytes(sum(resources, size))),
        `${paintMs.toFixed(0)} ms`,
        ...[0.5, 0.9].map((share) =>
          labels.length === 0 ? "" : `${percentile(partialsMs, share).toFixed(1)} ms`,
        ),
      ]);
      await stage.clear();
      await forgetAll(stage);
    }
    const targets = "Targets: below 60 KB gzip, first contentful paint below 500 ms, a partial below 100 ms.";
    printTable(
      `First load of the dashboard (paint: median of ${PAINTS}; partial: median of ${PARTIALS})`,
      loads,
      targets,
    );
    const list = resources.map(({ path, gzip, plain }): Row => [path, kilobytes(gzip), kilobytes(plain)]);
    printTable(`What it loads with ${SHOWN.at(-1)} instances`, [["", "gzip", "plain"], ...list]);
  } finally {
    await stage.stop();
  }
}

function sum(resources: readonly Resource[], size: "sent" | "gzip" | "plain"): number {
  return resources.reduce((total, resource) => total + resource[size], 0);
}

/** Connects this many, each with a session to tell of, and returns their labels. */
async function connect(stage: Stage, count: number): Promise<string[]> {
  const token = await stage.hub.createToken("bench");
  const states = ["working", "needs_permission", "done", "idle", "needs_answer"] as const;
  const puppets = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      stage.instance({
        token,
        hostname: `machine-${index % 5}`,
        project: `/home/dev/work/project-${index}`,
        sessions: [session(states[index % states.length] ?? "idle", `Task ${index}`, index * 60_000)],
      }),
    ),
  );
  return puppets.map(({ label }) => label);
}

/** A browser of its own with nothing in its cache, signed in as another is. */
async function freshBrowser(
  stage: Stage,
  signedIn: BrowserContext,
): Promise<{ context: BrowserContext; page: Page }> {
  const context = await stage.profile({ viewport: { width: 1440, height: 900 } });
  await context.addCookies(await signedIn.cookies());
  return { context, page: await context.newPage() };
}

async function firstLoad(stage: Stage, signedIn: BrowserContext): Promise<Resource[]> {
  const { context, page } = await freshBrowser(stage, signedIn);
  const responses = new Map<string, Promise<Resource>>();
  page.on("response", (response) => {
    const { pathname, search } = new URL(response.url());
    const measure = async (): Promise<Resource> => {
      const [body, { responseBodySize }] = await Promise.all([response.body(), response.request().sizes()]);
      return toResource(pathname + search, body, responseBodySize);
    };
    responses.set(response.url(), measure());
  });
  await page.goto(stage.hub.origin + routes.dashboard, { waitUntil: "load" });
  const linked = await page
    .locator(LINKED)
    .evaluateAll((links) => links.map((link) => (link as HTMLLinkElement).href));
  const resources = await Promise.all(responses.values());
  for (const url of linked.filter((one) => !responses.has(one))) {
    const body = await page.evaluate(async (address) => {
      const answer = await fetch(address);
      return [...new Uint8Array(await answer.arrayBuffer())];
    }, url);
    const bytes = Buffer.from(body);
    resources.push(toResource(new URL(url).pathname, bytes, bytes.byteLength));
  }
  await context.close();
  return resources;
}

function toResource(path: string, body: Buffer, sent: number): Resource {
  // What does not get smaller is sent as it is.
  const gzip = Math.min(body.byteLength, gzipSync(body).byteLength);
  return { path, sent, gzip, plain: body.byteLength };
}

async function firstPaint(stage: Stage, signedIn: BrowserContext): Promise<number> {
  const paints: number[] = [];
  for (let load = 0; load < PAINTS; load++) {
    const { context, page } = await freshBrowser(stage, signedIn);
    await page.goto(stage.hub.origin + routes.dashboard, { waitUntil: "load" });
    // It may come after everything has loaded.
    await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
    paints.push(
      await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0),
    );
    await context.close();
  }
  return median(paints);
}

/** Milliseconds that the page waits for the details of each instance in turn. */
async function partials(page: Page, labels: readonly string[]): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < PARTIALS && labels.length > 0; index++) {
    const path = routes.clientDetails(labels[index % labels.length] ?? "");
    times.push(
      await page.evaluate(async (address) => {
        const begun = performance.now();
        const response = await fetch(address, { headers: { "hx-request": "true" } });
        await response.text();
        if (!response.ok) throw new Error(`${address}: ${response.status}`);
        return performance.now() - begun;
      }, path),
    );
  }
  return times;
}

/** Instances that a run has left would be shown in the next. */
async function forgetAll(stage: Stage): Promise<void> {
  const { page } = await openDashboard(await stage.profile(), await stage.hub.signInLink());
  await page.evaluate(async () => {
    for (const card of document.querySelectorAll<HTMLElement>(".card"))
      await fetch(`/clients/${card.id.replace("card-", "")}/forget`, { method: "POST" });
  });
  await page.context().close();
}
