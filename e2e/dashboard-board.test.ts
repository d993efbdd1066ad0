/** The board: what it is grouped by, what it keeps from the eye, what it says aloud, and how long it believes a proof of life. */
import { setTimeout as pause } from "node:timers/promises";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { session, startStage, type Stage } from "./pages/stage.ts";

/** What is said waits for what else there is to say. */
const SOON = { timeout: 10_000 };

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
});
afterEach(async () => {
  await forgetAll();
  await stage.clear();
});
afterAll(() => stage.stop());

it("moves no card from or to where a hand is reaching, but not for long", async () => {
  const [one, other] = [await stage.instance(), await stage.instance()];
  const { page } = await stage.dashboard();
  for (const { card } of [one, other]) await page.waitForSelector(card);
  await page.evaluate(() => {
    const clicked: string[] = [];
    Object.assign(window, { clicked });
    addEventListener("click", (event) => {
      event.preventDefault();
      clicked.push((event.target as Element).closest(".card")?.id ?? "");
    });
  });
  const open = await page.locator(`${one.card} .card-open`).boundingBox();
  const [x, y] = [(open?.x ?? 0) + 10, (open?.y ?? 0) + 10];
  await page.mouse.move(x, y);
  other.set(session("needs_answer"));
  await page.waitForSelector(`#lane-quiet ${other.card}[data-state=needs_answer]`);
  await page.mouse.down();
  await page.mouse.up();
  expect(await page.evaluate(() => (window as unknown as { clicked: string[] }).clicked)).toEqual([
    one.card.slice(1),
  ]);
  await page.waitForSelector(`#lane-needs-you ${other.card}`);

  // Who never rests sees it all the same.
  other.set(session("working"));
  const isMoved = () => page.isVisible(`#lane-working ${other.card}`);
  const deadline = Date.now() + 10_000;
  for (let step = 0; !(await isMoved()) && Date.now() < deadline; step++) {
    await page.mouse.move(x + (step % 5), y);
    await pause(50);
  }
  expect(await isMoved()).toBe(true);
});

it("groups by machine and project, remembers it, and makes and drops groups as instances come and go", async () => {
  const one = await stage.instance({ hostname: "atlas", project: "/home/dev/shop" });
  const two = await stage.instance({ hostname: "laptop", project: "/home/dev/shop" });
  const { page, watch } = await stage.dashboard();
  expect(await groupsOn(page)).toEqual(["quiet"]);
  await page.click("text=Project");
  await page.waitForURL("**/dashboard?group=project");
  expect(await groupsOn(page)).toEqual(["shop"]);
  await page.click("text=Machine");
  await page.waitForURL("**/dashboard?group=machine");
  await page.goto(`${stage.hub.origin}/dashboard`);
  expect(await groupsOn(page)).toEqual(["atlas", "laptop"]);
  expect(await page.getAttribute(".choice [aria-current]", "href")).toBe("/dashboard?group=machine");
  await connected(page);
  watch.reset();

  const three = await stage.instance({ hostname: "build-box", project: "/srv/agents" });
  await page.waitForSelector(`[data-group="build-box"] ${three.card}`);
  expect(await groupsOn(page)).toEqual(["atlas", "build-box", "laptop"]);
  expect(await page.textContent('[data-group="build-box"] h2')).toBe("build-box 1");
  // A group in which something needs the person comes first.
  two.set(session("needs_answer"));
  await expect.poll(() => groupsOn(page)).toEqual(["laptop", "atlas", "build-box"]);
  two.set(session("idle"));
  await expect.poll(() => groupsOn(page)).toEqual(["atlas", "build-box", "laptop"]);
  await three.stop();
  await page.waitForSelector(`[data-group="build-box"] ${three.card}[data-state=unreachable]`);
  await post(page, three.label, "forget");
  await expect.poll(() => groupsOn(page)).toEqual(["atlas", "laptop"]);

  // The whole truth after a crash is drawn in the same grouping.
  await page.focus(`${one.card} .card-open`);
  await stage.hub.kill();
  await page.waitForSelector("#not-connected:visible");
  await stage.hub.restart();
  await page.waitForSelector("#not-connected", { state: "hidden" });
  one.set(session("working"));
  await page.waitForSelector(`[data-group=atlas] ${one.card}[data-state=working]`);
  expect(await groupsOn(page)).toEqual(["atlas", "laptop"]);
  expect(await page.evaluate(() => document.activeElement?.closest(".card")?.id)).toBe(`card-${one.label}`);
  expect(watch.navigations).toEqual([]);
});

it("filters and searches, remembers both, and never keeps silent about what needs the person", async () => {
  const shop = await stage.instance({ project: "/home/dev/shop" });
  const blog = await stage.instance({ project: "/home/dev/blog" });
  const api = await stage.instance({ project: "/home/dev/api" });
  blog.set(session("working", "Write about cats"));
  const { page } = await stage.dashboard();
  await page.waitForSelector(`${blog.card}[data-state=working]`);
  expect(await page.locator("#filter-note").isVisible()).toBe(false);

  await page.click("#count-busy");
  expect(await shownCards(page)).toEqual([blog.card]);
  expect(await page.textContent("#filter-note span")).toBe("Showing 1 of 3.");
  await page.reload();
  await connected(page);
  expect(await shownCards(page)).toEqual([blog.card]);
  expect(await page.getAttribute("#count-busy", "aria-pressed")).toBe("true");

  // What is not shown stays so when it changes, what becomes busy comes, and what needs the person is told of.
  shop.set(session("working"));
  await expect.poll(() => shownCards(page)).toEqual([blog.card, shop.card]);
  await page.click("#count-busy");
  await page.fill("#search", "CATS write");
  expect(await shownCards(page)).toEqual([blog.card]);
  api.set(session("needs_permission"));
  await expect
    .poll(() => page.textContent("#filter-note span"))
    .toBe("Showing 1 of 3. 1 more needs you outside this filter.");
  await page.fill("#search", "dogs");
  expect(await shownCards(page)).toEqual([]);
  expect(await page.textContent("#filter-note span")).toBe(
    "Nothing matches. 1 needs you outside this filter.",
  );
  expect(await page.locator(".lane:visible").count()).toBe(0);
  await page.click("#show-all");
  expect((await shownCards(page)).toSorted()).toEqual([shop, blog, api].map(({ card }) => card).toSorted());
  expect(await page.locator("#filter-note").isVisible()).toBe(false);
});

it("shows no tools where there is one card", async () => {
  await stage.instance();
  const { page } = await stage.dashboard();
  expect(await page.locator(".tools").isVisible()).toBe(false);
  await stage.instance();
  await page.waitForSelector(".tools:visible");
});

it("takes what is done for seen when the person says so", async () => {
  const puppet = await stage.instance();
  const { page, watch } = await stage.dashboard();
  puppet.set(session("done", "Fix it", 60_000));
  await page.click(`#lane-done > ${puppet.card} >> text=Seen`);
  await page.waitForSelector(`#lane-quiet > ${puppet.card}[data-state=idle]`);
  expect(await page.locator(`${puppet.card} >> text=Seen`).count()).toBe(0);
  puppet.set(session("done", "Fix it"));
  await page.waitForSelector(`#lane-done > ${puppet.card}`);
  expect(await page.title()).toBe("1 done · Orchestrator");
  expect(watch.complaints).toEqual([]);
});

it("says aloud what needs someone, in one sentence, and nothing at load", async () => {
  const [first, ...others] = await Promise.all(
    Array.from({ length: 5 }, (_, index) =>
      stage.instance({ project: `/home/dev/p${index}`, hostname: "box" }),
    ),
  );
  if (first === undefined) throw new Error("no instance");
  others[0]?.set(session("failed"));
  const { page } = await stage.dashboard();
  await page.waitForSelector("[data-state=failed]");
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(window, { said });
    const region = document.getElementById("announcements");
    new MutationObserver(() => {
      if (region?.textContent) said.push(region.textContent);
    }).observe(region as Node, { childList: true });
  });
  const said = () => page.evaluate(() => (window as unknown as { said: string[] }).said);
  first.set(session("working"));
  await page.waitForSelector(`${first.card}[data-state=working]`);
  first.set(session("needs_permission"));
  await expect.poll(said, SOON).toEqual(["p0 on box needs permission"]);
  first.set(session("working"));
  await page.waitForSelector(`${first.card}[data-state=working]`);
  for (const puppet of others) puppet.set(session("done"));
  first.set(session("needs_answer"));
  await expect.poll(said, SOON).toEqual(["p0 on box needs permission", "1 needs an answer, 4 finished"]);
  await stage.hub.kill();
  await expect.poll(async () => (await said()).at(-1), SOON).toBe("Not connected to the hub");
  await stage.hub.restart();
  await expect.poll(async () => (await said()).at(-1), SOON).toContain("Connected again");
});

it("believes no proof beyond 90 s, asks for newer ones while somebody looks, and asks nothing while nobody does", async () => {
  const puppet = await stage.instance();
  const context = await stage.profile();
  const page = await context.newPage();
  await page.clock.install();
  const looks: string[] = [];
  page.on("websocket", (socket) => {
    socket.on("framesent", ({ payload }) => {
      if (payload === "look") looks.push(String(payload));
    });
  });
  await page.goto(await stage.hub.signInLink());
  await connected(page);
  const unproven = () => page.getAttribute(puppet.card, "data-page-unproven");
  const proof = () => page.innerText(`${puppet.card} .card-proof`);
  expect(await unproven()).toBeNull();
  expect(await proof()).toMatch(/^alive/);

  // The page's clock runs ahead of the hub's, so that what the hub answers is always old.
  await setHidden(page, true);
  await letPass(page, 70);
  expect(looks).toEqual([]);
  expect(await unproven()).toBeNull();
  await letPass(page, 25);
  expect(await unproven()).toBe("silent");
  expect(await proof()).toBe("no sign of life for 1 min");
  expect(await colourOf(page, `${puppet.card} .glyph use`)).toBe(await colourOf(page, ".since"));
  expect(looks).toEqual([]);
  await setHidden(page, false);
  await expect.poll(() => looks.length).toBe(1);
  expect(await unproven()).toBe("asking");
  await letPass(page, 14);
  expect(looks).toHaveLength(1);
  expect(await unproven()).toBe("silent");
  await letPass(page, 3);
  expect(looks).toHaveLength(2);
});

it("notices within seconds that its connection has died, and is back as soon as there is a network", async () => {
  const puppet = await stage.instance();
  const { page, context, watch } = await stage.dashboard();
  watch.reset();
  // A cable that is cut: nothing is answered, and nothing is closed either.
  await page.evaluate(() => {
    const send = Object.getOwnPropertyDescriptor(WebSocket.prototype, "send")?.value as WebSocket["send"];
    Object.assign(window, { undo: () => Object.assign(WebSocket.prototype, { send }) });
    WebSocket.prototype.send = () => undefined;
  });
  await context.setOffline(true);
  await page.evaluate(() => document.dispatchEvent(new Event("resume")));
  const since = Date.now();
  await page.waitForSelector("#not-connected:visible");
  expect(Date.now() - since).toBeLessThan(8000);
  puppet.set(session("needs_permission"));
  await page.evaluate(() => (window as unknown as { undo: () => void }).undo());
  await context.setOffline(false);
  await page.waitForSelector(`${puppet.card}[data-state=needs_permission]`);
  await page.waitForSelector("#not-connected", { state: "hidden" });
  expect(watch.navigations).toEqual([]);
});

/** Waits for the hub's first word on a page that was loaded. */
async function connected(page: Page): Promise<void> {
  await page.waitForSelector("#counts:not([data-now])", { state: "attached" });
}

function groupsOn(page: Page): Promise<(string | null)[]> {
  return page
    .locator(".lane:visible")
    .evaluateAll((sections) => sections.map((section) => section.getAttribute("data-group")));
}

function shownCards(page: Page): Promise<string[]> {
  return page.locator(".card:visible").evaluateAll((cards) => cards.map(({ id }) => `#${id}`));
}

async function post(page: Page, label: string, action: string): Promise<void> {
  const url = `/clients/${label}/${action}`;
  await page.evaluate((to) => fetch(to, { method: "POST" }), url);
}

/** In steps, because what the hub answers comes in real time. */
async function letPass(page: Page, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await page.clock.runFor(1000);
    await pause(30);
  }
}

async function setHidden(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
}

function colourOf(page: Page, selector: string): Promise<string> {
  return page
    .locator(selector)
    .first()
    .evaluate((element) => getComputedStyle(element).color);
}

/** Leaves the next test an empty board. */
async function forgetAll(): Promise<void> {
  await stage.clear();
  const { page } = await stage.dashboard();
  const labels = await page
    .locator(".card")
    .evaluateAll((cards) => cards.map(({ id }) => id.replace("card-", "")));
  for (const label of labels) {
    await page.waitForSelector(`#card-${label}[data-state=unreachable]`);
    await post(page, label, "forget");
  }
  await expect.poll(() => page.locator(".card").count()).toBe(0);
}
