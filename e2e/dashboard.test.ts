/** The dashboard stays true by itself: nothing is reloaded, nothing is asked for again, nothing is stale without saying so. */
import { setTimeout as pause } from "node:timers/promises";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import {
  openDashboard,
  session,
  startStage,
  type Dashboard,
  type Puppet,
  type Stage,
} from "./pages/stage.ts";
import { startUpstream, type Upstream } from "./tunnel/upstream.ts";

let stage: Stage;
let upstream: Upstream;

beforeAll(async () => {
  [stage, upstream] = await Promise.all([startStage(), startUpstream()]);
});
afterEach(() => stage.clear());
afterAll(async () => {
  await stage.stop();
  await upstream.stop();
});

it("is the manual while it is empty, and becomes the first card when the command runs", async () => {
  const { page, context, watch } = await stage.dashboard();
  expect(await page.textContent(".welcome h2")).toBe("Connect your first instance");
  expect(await page.locator(".card").count()).toBe(0);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.click("text=Copy it with a new token");
  const command = await page.textContent("#new-token-command");
  const [, token, url] = /^ORCHESTRATOR_TOKEN=(orc_\S+) .* connect --url (\S+)$/.exec(command ?? "") ?? [];
  expect(url).toBe(stage.hub.origin);
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(command);

  const first = await stage.instance({ token: token ?? "", project: "/home/dev/first" });
  await page.waitForSelector(first.card);
  expect(await page.textContent(`${first.card} .card-title bdi`)).toBe("first");
  expect(await page.isVisible(".welcome")).toBe(false);
  expect(watch.navigations).toEqual([`${stage.hub.origin}/dashboard`]);
  expect(watch.complaints).toEqual([]);
});

it("connects however late its scripts arrive", async () => {
  const context = await stage.profile();
  for (const [file, lateMs] of [["hx-ws.min.js", 200] as const, ["app.js", 500] as const]) {
    await context.route(`**/${file}`, async (route) => {
      await pause(lateMs);
      await route.continue();
    });
  }
  const page = await context.newPage();
  await page.goto(await stage.hub.signInLink());
  const puppet = await stage.instance();
  await page.waitForSelector(puppet.card);
  await stage.hub.kill();
  await page.waitForSelector("#not-connected:visible");
  await stage.hub.restart();
  await page.waitForSelector("#not-connected", { state: "hidden" });
});

it("shows an instance come, change and go in two windows at once, without asking for anything", async () => {
  const windows = [await stage.dashboard(), await stage.dashboard()];
  await pause(200);
  for (const { watch } of windows) {
    expect(watch.sockets).toHaveLength(1);
    expect(watch.navigations).toHaveLength(1);
    watch.reset();
  }
  const puppet = await stage.instance({ target: upstream.target });
  await shows(windows, puppet, { state: "idle", status: "idle", lane: "quiet" });

  const viewer = await stage.profile();
  const leave = await lookThrough(viewer, puppet);
  await shows(windows, puppet, { state: "idle", status: "active", lane: "quiet" });
  puppet.set(session("working"));
  await shows(windows, puppet, { state: "working", status: "busy", lane: "working" });
  for (const { page } of windows) expect(await page.title()).toBe("1 busy · Orchestrator");
  puppet.set(session("needs_permission"));
  await shows(windows, puppet, { state: "needs_permission", status: "busy", lane: "needs-you" });
  for (const { page } of windows) {
    expect(await page.title()).toBe("1 needs you, 1 busy · Orchestrator");
    expect(await page.textContent("#heading-needs-you")).toBe("Needs you 1");
    expect(await page.textContent(`${puppet.card} .line-state`)).toBe("needs permission");
  }
  puppet.set(session("working"));
  await shows(windows, puppet, { state: "working", status: "busy", lane: "working" });
  puppet.set(session("done"));
  await shows(windows, puppet, { state: "done", status: "active", lane: "done" });
  await leave();
  await shows(windows, puppet, { state: "done", status: "idle", lane: "done" });
  await puppet.stop();
  await shows(windows, puppet, { state: "unreachable", status: "unreachable", lane: "unreachable" });
  for (const { page } of windows)
    expect(await page.textContent(`${puppet.card} .line-text`)).toBe("its connector was stopped");

  for (const { watch } of windows) {
    expect(watch.requests).toEqual([]);
    expect(watch.sockets).toEqual([]);
    expect(watch.navigations).toEqual([]);
    expect(watch.complaints).toEqual([]);
  }
});

it("sends an instance's word to the screen in well under a second", async () => {
  const { page } = await stage.dashboard();
  const puppet = await stage.instance();
  await page.waitForSelector(puppet.card);
  const times: number[] = [];
  for (let turn = 0; turn < 10; turn++) {
    const state = turn % 2 === 0 ? "working" : "idle";
    const arrived = page.evaluate(
      ([selector, wanted]) =>
        new Promise<number>((resolve) => {
          const observer = new MutationObserver(() => {
            if (document.querySelector<HTMLElement>(selector)?.dataset["state"] !== wanted) return;
            observer.disconnect();
            resolve(Date.now());
          });
          observer.observe(document.body, { subtree: true, childList: true, attributes: true });
        }),
      [puppet.card, state] as const,
    );
    await pause(100);
    const said = Date.now();
    puppet.set(session(state));
    times.push((await arrived) - said);
  }
  const median = times.toSorted((a, b) => a - b)[5] ?? Infinity;
  console.log(`instance to screen: median ${median} ms of ${times.join(", ")}`);
  expect(median).toBeLessThan(250);
});

it("ends right after a burst of two hundred changes", async () => {
  const { page, watch } = await stage.dashboard();
  const puppets = await Promise.all(Array.from({ length: 5 }, () => stage.instance()));
  for (const puppet of puppets) await page.waitForSelector(puppet.card);
  const states = ["working", "needs_answer", "idle", "failed", "done"] as const;
  for (let turn = 0; turn < 40; turn++) {
    for (const [index, puppet] of puppets.entries())
      puppet.set(session(states[(turn + index) % states.length] ?? "idle", `turn ${turn}`));
    await pause(turn % 4 === 0 ? 25 : 5);
  }
  for (const [index, puppet] of puppets.entries()) {
    const state = states[(39 + index) % states.length] ?? "idle";
    await page.waitForSelector(`${puppet.card}[data-state=${state}]:has-text("turn 39")`);
  }
  await isInOrder(page);
  expect(await page.locator(".card").count()).toBe(new Set(await cardIds(page)).size);
  expect(watch.complaints).toEqual([]);
});

it("says when the hub is away, and shows the truth when it is back, without a reload", async () => {
  const { page, watch } = await stage.dashboard();
  const stays = await stage.instance();
  const leaves = await stage.instance();
  for (const puppet of [stays, leaves]) await page.waitForSelector(puppet.card);
  await page.evaluate(() => (document.body.dataset["mark"] = "the same document"));
  watch.reset();

  await stage.hub.kill();
  await page.waitForSelector("#not-connected:visible");
  expect(await page.textContent("#not-connected")).toMatch(/^Not connected to the hub since \d/);
  expect(await needsColour(page)).toBe(await softColour(page));
  expect(await page.title()).toBe("Not connected · Orchestrator");
  await leaves.stop();
  stays.set(session("needs_answer", "Which port?"));

  await stage.hub.restart();
  await page.waitForSelector("#not-connected", { state: "hidden" });
  await page.waitForSelector(`${stays.card}[data-state=needs_answer]:has-text("Which port?")`);
  await page.waitForSelector(`${leaves.card}[data-state=unreachable]`);
  expect(await needsColour(page)).not.toBe(await softColour(page));
  expect(await page.title()).toBe("1 needs you, 1 busy · Orchestrator");
  stays.set(session("working"));
  await page.waitForSelector(`${stays.card}[data-state=working]`);
  expect(await page.getAttribute("body", "data-mark")).toBe("the same document");
  expect(watch.navigations).toEqual([]);
  // The browser and htmx note each attempt that finds nobody; nothing else went wrong.
  expect(watch.complaints.filter((text) => !/net::ERR_|htmx:ws:error/.test(text))).toEqual([]);
});

it("is alive again when someone comes back to it from an instance", async () => {
  const puppet = await stage.instance({ target: upstream.target });
  const { page } = await stage.dashboard();
  await page.click(`${puppet.card} .card-open`);
  await page.waitForURL(`${puppet.origin}/**`);
  puppet.set(session("working"));
  await page.goBack();
  await page.waitForSelector(`${puppet.card}[data-state=working]`);
  puppet.set(session("needs_answer"));
  await page.waitForSelector(`${puppet.card}[data-state=needs_answer]`);
  expect(await page.isVisible("#not-connected")).toBe(false);
});

it("shows the card that goes to another place on its way, and no other; what it passes can be clicked", async () => {
  const [puppet, other] = [await stage.instance(), await stage.instance()];
  const { page } = await stage.dashboard();
  for (const { card } of [puppet, other]) await page.waitForSelector(card);
  await page.evaluate(() => {
    const moves: { id: string; isClickable: boolean }[] = [];
    const times: number[] = [];
    Object.assign(window, { moves, times });
    const animate = Reflect.get(Element.prototype, "animate");
    Element.prototype.animate = function (...how) {
      const link = document.querySelector(".nav a");
      const { x, y } = link?.getBoundingClientRect() ?? { x: 0, y: 0 };
      times.push(performance.now());
      moves.push({ id: this.id, isClickable: document.elementFromPoint(x + 2, y + 10) === link });
      return animate.apply(this, how);
    };
  });
  puppet.set(session("needs_answer"));
  await page.waitForSelector(`#lane-needs-you ${puppet.card}`);
  const moves = () => page.evaluate(() => (window as unknown as { moves: unknown[] }).moves);
  await expect.poll(moves).toEqual([{ id: puppet.card.slice(1), isClickable: true }]);

  // In a storm cards take their places at once: drawing each move would hold up the next.
  await pause(400);
  for (const state of ["working", "done", "failed", "working", "idle"] as const) {
    puppet.set(session(state));
    await page.waitForSelector(`${puppet.card}[data-state=${state}]`);
  }
  const times = await page.evaluate(() => (window as unknown as { times: number[] }).times);
  for (const [index, at] of times.entries()) expect(at - (times[index - 1] ?? 0)).toBeGreaterThan(100);
  const before = times.length;
  await pause(400);
  puppet.set(session("needs_answer"));
  await page.waitForSelector(`#lane-needs-you ${puppet.card}`);
  await expect.poll(async () => (await moves()).length).toBe(before + 1);
  const shown = (await moves()).length;

  await page.emulateMedia({ reducedMotion: "reduce" });
  puppet.set(session("working"));
  await page.waitForSelector(`#lane-working ${puppet.card}`);
  await pause(100);
  expect(await moves()).toHaveLength(shown);
});

it("is told the truth when it is opened while things change", async () => {
  const puppet = await stage.instance();
  const { context } = await stage.dashboard();
  for (let turn = 0; turn < 3; turn++) {
    const opening = openDashboard(context, `${stage.hub.origin}/dashboard`);
    for (let step = 0; step < 20; step++) {
      puppet.set(session(step % 2 === 0 ? "idle" : "working", `step ${turn}.${step}`));
      await pause(10);
    }
    const { page } = await opening;
    await page.waitForSelector(`${puppet.card}[data-state=working]:has-text("step ${turn}.19")`);
    await page.close();
  }
});

/** Looks at an instance through a browser whose page keeps a WebSocket; returns what ends that. */
async function lookThrough(
  context: Awaited<ReturnType<Stage["profile"]>>,
  puppet: Puppet,
): Promise<() => Promise<void>> {
  const page = await context.newPage();
  await page.goto(await stage.hub.signInLink());
  await page.goto(`${puppet.origin}/page`);
  await page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://${location.host}/ws`);
        socket.addEventListener("open", resolve);
        socket.addEventListener("error", reject);
      }),
  );
  return () => context.close();
}

/** Waits until every window shows this of the instance. */
async function shows(
  windows: Dashboard[],
  puppet: Puppet,
  wanted: { state: string; status: string; lane: string },
): Promise<void> {
  const { state, status, lane } = wanted;
  const selector = `#lane-${lane} > ${puppet.card}[data-state=${state}][data-status=${status}]`;
  for (const { page } of windows) {
    await page.waitForSelector(selector);
    expect(await page.locator(puppet.card).count()).toBe(1);
  }
}

async function isInOrder(page: Page): Promise<void> {
  const lanes = await page
    .locator(".cards")
    .evaluateAll((all) =>
      all.map((lane) => [...lane.children].map((card) => (card as HTMLElement).dataset["order"] ?? "")),
    );
  for (const keys of lanes) expect(keys).toEqual(keys.toSorted((a, b) => (a < b ? -1 : 1)));
}

function cardIds(page: Page): Promise<string[]> {
  return page.locator(".card").evaluateAll((cards) => cards.map(({ id }) => id));
}

/** The colour in which the board says what needs the person. */
function needsColour(page: Page): Promise<string> {
  return page.locator("#board").evaluate((board) => getComputedStyle(board).getPropertyValue("--needs"));
}

function softColour(page: Page): Promise<string> {
  return page.locator("body").evaluate((body) => getComputedStyle(body).getPropertyValue("--text-soft"));
}
