/** A thousand instances of one person, and their dashboard in Chromium. */
import { setTimeout as pause } from "node:timers/promises";
import type { CDPSession, Page } from "playwright-core";
import { launchBrowser } from "../../e2e/browser.ts";
import { startHub, type TestHub } from "../../e2e/hub.ts";
import { routes } from "../../packages/hub/src/routes.ts";
import { kilobytes, median, printTable, type Row } from "../report.ts";
import { allRegistered, peakPerSecond, startFleet, stopFleet, storm, type Fleet } from "./fleet.ts";
import { notePage, timeTyping, whenShown, type PageNotes } from "./in-page.ts";

const LOADS = 5;
const STORMS = 3;
/** An object is out of memory 10 s after its last work. */
const HIBERNATED_MS = 14_000;

export async function benchOnePerson(count: number): Promise<void> {
  const hub = await startHub();
  const browser = await launchBrowser();
  let fleet: Fleet | undefined;
  try {
    const emptyBytes = hub.memory();
    const token = await hub.createToken("scale");
    const [begun, cpu] = [performance.now(), hub.cpuMs()];
    fleet = startFleet(
      hub,
      Array.from({ length: count }, () => token),
    );
    await allRegistered(fleet);
    const connecting = { ms: performance.now() - begun, cpuMs: hub.cpuMs() - cpu };
    const memory = await memoryRows(hub, { count, emptyBytes });
    printTable(`${count} instances of one person connect`, [
      ["all registered after", `${(connecting.ms / 1000).toFixed(1)} s`],
      ["instances a second", (count / (connecting.ms / 1000)).toFixed(0)],
      ["workerd, CPU for each", `${(connecting.cpuMs / count).toFixed(1)} ms`],
      ...memory,
    ]);
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    await page.addInitScript(notePage);
    await page.goto(await hub.signInLink());
    await benchLoads(page, hub, count);
    await benchFinding(page, count);
    await benchStorms(page, hub, fleet);
    await context.close();
    await benchRestart(hub, fleet);
  } finally {
    if (fleet !== undefined) await stopFleet(fleet);
    await browser.close();
    await hub.stop();
  }
}

async function memoryRows(
  hub: TestHub,
  { count, emptyBytes }: { count: number; emptyBytes: number },
): Promise<Row[]> {
  const each = () => kilobytes((hub.memory() - emptyBytes) / count);
  const awake = each();
  await pause(HIBERNATED_MS);
  return [
    ["workerd without instances", `${(emptyBytes / 1e6).toFixed(0)} MB`],
    ["for each, awake", awake],
    ["for each, hibernated", each()],
  ];
}

/** What a page's socket brings. */
class Pushes {
  frames = 0;
  bytes = 0;

  constructor(devtools: CDPSession) {
    devtools.on("Network.webSocketFrameReceived", ({ response }) => {
      this.frames++;
      this.bytes += Buffer.byteLength(response.payloadData);
    });
  }

  reset(): void {
    this.frames = 0;
    this.bytes = 0;
  }
}

const notesOf = (page: Page): Promise<PageNotes> =>
  page.evaluate(() => (window as unknown as { notes: PageNotes }).notes);

async function benchLoads(page: Page, hub: TestHub, count: number): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  const pushes = new Pushes(devtools);
  const all: { paint: number; usable: number; blocked: number }[] = [];
  let html = { sent: 0, plain: 0 };
  for (let load = 0; load < LOADS; load++) {
    pushes.reset();
    await page.goto(hub.origin + routes.dashboard, { waitUntil: "load" });
    await page.waitForFunction(() => (window as unknown as { notes: PageNotes }).notes.usableAt > 0);
    await pause(1000);
    const { longTasks, usableAt } = await notesOf(page);
    const paint = await page.evaluate(
      () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
    );
    all.push({ paint: paint ?? Number.NaN, usable: usableAt, blocked: sum(longTasks) });
    html = await page.evaluate(() => {
      const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
      return { sent: navigation?.encodedBodySize ?? 0, plain: navigation?.decodedBodySize ?? 0 };
    });
  }
  const of = (name: "paint" | "usable" | "blocked") => `${median(all.map((one) => one[name])).toFixed(0)} ms`;
  printTable(`Its dashboard, ${count} cards (median of ${LOADS})`, [
    ["first contentful paint", of("paint")],
    ["all there, connected", of("usable")],
    ["main thread blocked (tasks over 50 ms)", of("blocked")],
    ["the page, plain", kilobytes(html.plain)],
    ["the page, as sent", kilobytes(html.sent)],
    ["first push, plain", kilobytes(pushes.bytes)],
    ["elements", await page.evaluate(() => document.querySelectorAll("*").length)],
  ]);
  await devtools.detach();
}

async function benchFinding(page: Page, count: number): Promise<void> {
  const times: number[] = [];
  for (const text of ["p", "project-7", "project-77", ""])
    times.push(await page.evaluate(timeTyping, ["#search", text] as const));
  const begun = performance.now();
  await page.keyboard.press("Control+k");
  await page.waitForSelector('#palette-list [data-item^="instance:"]');
  const opened = performance.now() - begun;
  const typed: number[] = [];
  for (const text of ["p", "project-7", "dis", ""])
    typed.push(await page.evaluate(timeTyping, ["#palette-find", text] as const));
  await page.keyboard.press("Escape");
  const switcher = await page.evaluate(async (path) => {
    const text = await (await fetch(path, { headers: { "hx-request": "true" } })).text();
    return new TextEncoder().encode(text).byteLength;
  }, routes.switcher);
  printTable(`Finding among ${count}`, [
    ["a letter in the search, longest", `${Math.max(...times).toFixed(0)} ms`],
    ["the palette shows instances after", `${opened.toFixed(0)} ms`],
    ["a letter in the palette, longest", `${Math.max(...typed).toFixed(0)} ms`],
    ["what the palette fetches, plain", kilobytes(switcher)],
  ]);
}

async function benchStorms(page: Page, hub: TestHub, fleet: Fleet): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  const pushes = new Pushes(devtools);
  const rows: Row[] = [
    ["", "last on screen", "pushes", "bytes", "long tasks", "longest", "blocked", "workerd CPU"],
  ];
  for (let number = 1; number <= STORMS; number++) {
    await page.evaluate(() => {
      (window as unknown as { notes: PageNotes }).notes.longTasks.length = 0;
    });
    pushes.reset();
    const cpu = hub.cpuMs();
    const title = `storm ${number}`;
    const shown = page.evaluate(whenShown, [fleet.puppets.length, title] as const);
    const lastAt = await storm(fleet, title);
    const shownAt = await shown;
    const { longTasks } = await notesOf(page);
    rows.push([
      title,
      `${(shownAt - lastAt).toFixed(0)} ms`,
      pushes.frames,
      kilobytes(pushes.bytes),
      longTasks.length,
      `${Math.max(0, ...longTasks).toFixed(0)} ms`,
      `${sum(longTasks).toFixed(0)} ms`,
      `${hub.cpuMs() - cpu} ms`,
    ]);
    await pause(3000);
  }
  printTable(`All ${fleet.puppets.length} change within a second, before one open dashboard`, rows);
  await devtools.detach();
}

/** The hub is killed and started again; every connector comes back by itself. */
export async function benchRestart(hub: TestHub, fleet: Fleet): Promise<void> {
  const [dialed, registered] = [fleet.dials.length, fleet.registrations.length];
  const killedAt = performance.now();
  await hub.kill();
  await hub.restart();
  const upAt = performance.now();
  await allRegistered(fleet, registered);
  const dials = fleet.dials.slice(dialed);
  printTable(`The hub is killed, and ${fleet.puppets.length} come back`, [
    ["up again after", `${((upAt - killedAt) / 1000).toFixed(1)} s`],
    [
      "all back, after that",
      `${((Math.max(...fleet.registrations.slice(registered)) - upAt) / 1000).toFixed(1)} s`,
    ],
    ["dials, in all", dials.length],
    ["most dials in a second", peakPerSecond(dials)],
    ["most registrations in a second", peakPerSecond(fleet.registrations.slice(registered))],
  ]);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
