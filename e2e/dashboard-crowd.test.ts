/** Many instances, and instances whose names mean ill or are merely long. */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { HOSTILE_NAMES } from "./pages/hostile-names.ts";
import { openDashboard, session, startStage, type Stage } from "./pages/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
});
afterEach(() => stage.clear());
afterAll(() => stage.stop());

it("shows hostile and long names as text, and keeps every card's shape", async () => {
  const windows = await Promise.all(
    [390, 1440].map((width) => stage.dashboard({ viewport: { width, height: 800 } })),
  );
  const token = await stage.hub.createToken(HOSTILE_NAMES["HTML"]);
  const puppets = await Promise.all(
    Object.values(HOSTILE_NAMES).map((name, index) =>
      stage.instance({
        token,
        clientId: `named-${index}`,
        hostname: name.slice(0, 255),
        project: `/home/dev/${name}`,
      }),
    ),
  );
  for (const [index, name] of Object.values(HOSTILE_NAMES).entries())
    puppets[index]?.set({ ...session("needs_answer", name.slice(0, 300)), project: name });
  for (const { page, context, watch } of windows) {
    for (const { card } of puppets) await page.waitForSelector(`${card}[data-state=needs_answer]`);
    await looksRight(page);
    const { page: fresh, watch: freshWatch } = await openDashboard(context, `${stage.hub.origin}/dashboard`);
    await looksRight(fresh);
    for (const { card } of puppets) {
      await fresh.click(`${card} summary`);
      await fresh.waitForSelector(`${card} .facts`);
      expect(await widthOverflow(fresh)).toBe(0);
      await fresh.keyboard.press("Escape");
    }
    for (const path of [...puppets.map(({ label }) => `/clients/${label}`), "/tokens"]) {
      await fresh.goto(`${stage.hub.origin}${path}`);
      await looksRight(fresh);
      expect(await fresh.title()).not.toBe("");
    }
    expect([...watch.complaints, ...freshWatch.complaints]).toEqual([]);
  }
});

/** Nothing became an element, nothing is wider than the window, and all cards are of one height. */
async function looksRight(page: Shown): Promise<void> {
  expect(await page.locator("main img, main script, h1 h1, hx-partial, [onmouseover]").count()).toBe(0);
  expect(await widthOverflow(page)).toBe(0);
  // Laid out, not painted: a card that moves to its place is painted a fraction of a pixel higher or lower.
  const heights = await page
    .locator(".card")
    .evaluateAll((cards) => cards.map((card) => (card instanceof HTMLElement ? card.offsetHeight : -1)));
  expect(new Set(heights).size).toBeLessThanOrEqual(1);
}

it("shows forty, in order, and keeps every one of them right", async () => {
  const { page, watch, context } = await stage.dashboard({ viewport: { width: 1440, height: 900 } });
  await forgetAll(page);
  const token = await stage.hub.createToken();
  const started = Date.now();
  const puppets = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      stage.instance({ token, hostname: `host-${index % 5}`, project: `/home/dev/project-${index}` }),
    ),
  );
  await expect.poll(() => page.locator(".card").count()).toBe(40);
  console.log(`forty instances shown ${Date.now() - started} ms after the first was started`);
  const states = ["working", "needs_permission", "done", "idle"] as const;
  for (const [index, puppet] of puppets.entries())
    puppet.set(session(states[index % 4] ?? "idle", `session ${index}`));
  for (const [index, puppet] of puppets.entries())
    await page.waitForSelector(`${puppet.card}[data-state=${states[index % 4]}]`);
  await expect.poll(() => page.textContent("#counts")).toContain("10 need you");
  expect(await page.title()).toBe("10 need you, 10 done, 20 busy · Orchestrator");
  await looksRight(page);

  // A page that is opened now says the same, in the same order.
  const { page: fresh } = await openDashboard(context, `${stage.hub.origin}/dashboard`);
  await expect.poll(() => orderOn(page)).toEqual(await orderOn(fresh));
  for (const puppet of puppets.slice(0, 20)) await puppet.stop();
  await expect.poll(() => page.locator("#lane-unreachable .card").count()).toBe(20);
  await pause(300);
  expect(await orderOn(page)).toEqual(await orderOn(fresh));
  expect(watch.complaints).toEqual([]);
});

async function orderOn(page: Shown): Promise<string[]> {
  return page
    .locator(".cards")
    .evaluateAll((lanes) =>
      lanes.map((lane) => [lane.id, ...[...lane.children].map(({ id }) => id)].join(" ")),
    );
}

type Shown = Awaited<ReturnType<Stage["dashboard"]>>["page"];

/** Pixels by which the page is wider than its window. */
function widthOverflow(page: Shown): Promise<number> {
  return page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth));
}

/** Empties the dashboard of what earlier tests left. */
async function forgetAll(page: Shown): Promise<void> {
  await page.evaluate(async () => {
    for (const card of document.querySelectorAll<HTMLElement>(".card"))
      await fetch(`/clients/${card.id.replace("card-", "")}/forget`, { method: "POST" });
  });
  await expect.poll(() => page.locator(".card").count()).toBe(0);
}
