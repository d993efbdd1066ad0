/** More instances than anybody sees at once: the page asks after those in view, and calls none silent that it has not asked after. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startStage, type Stage } from "./pages/stage.ts";

const INSTANCES = 60;
/** Proofs are older than this at once: connectors prove that they live every 30 s. */
const PROOF_SECONDS = 4;
const PATIENCE = { timeout: 20_000 };

/** Cards of a lane that are drawn wherever they are. */
const ALWAYS_DRAWN = 40;

let stage: Stage;

beforeAll(async () => {
  stage = await startStage({ PROOF_MAX_AGE_SECONDS: String(PROOF_SECONDS) });
});
afterAll(() => stage.stop());

it(
  "asks after cards in view by name, and after others once they are scrolled to",
  { timeout: 120_000 },
  async () => {
    const token = await stage.hub.createToken();
    const all = Array.from({ length: INSTANCES }, () => stage.instance({ token, allowOtherUser: true }));
    await Promise.all(all);
    const { page, watch } = await stage.dashboard({
      viewport: { width: 390, height: 600 },
      isMobile: true,
      hasTouch: true,
    });
    const asked: string[] = [];
    watch.sockets[0]?.on("framesent", ({ payload }) => {
      const [word, ...labels] = String(payload).split(" ");
      if (word === "look") asked.push(...labels);
    });
    // Chromium tells screen readers of nothing that it has not drawn: what a person may have at all is drawn.
    expect(await headingsTold(page)).toBeGreaterThanOrEqual(ALWAYS_DRAWN);
    const ids = await page.locator(".card").evaluateAll((cards) => cards.map(({ id }) => id));
    expect(ids).toHaveLength(INSTANCES);
    const [first = "", last = ""] = [ids[0], ids.at(-1)];
    const mark = (id: string) => page.getAttribute(`#${id}`, "data-page-unproven");
    await expect.poll(() => mark(first), PATIENCE).toBe("silent");
    expect(asked).toContain(first.replace("card-", ""));
    expect(asked).not.toContain(last.replace("card-", ""));
    expect(await mark(last)).toBeNull();

    await page.locator(`#${last}`).scrollIntoViewIfNeeded();
    await expect.poll(() => mark(last), PATIENCE).toBe("asking");
    await expect.poll(() => mark(last), PATIENCE).toBe("silent");
    expect(asked).toContain(last.replace("card-", ""));
    expect(new Set(asked).size).toBeLessThan(INSTANCES);
    // What is not drawn has the size of what is, so that nothing jumps.
    const heights = await page
      .locator(".card")
      .evaluateAll((cards) => cards.map((card) => (card as HTMLElement).offsetHeight));
    expect(new Set(heights).size).toBe(1);
    expect(watch.complaints).toEqual([]);
  },
);

/** How many cards' titles are in what the browser tells screen readers. */
async function headingsTold(page: Page): Promise<number> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Accessibility.enable");
  const { nodes } = await devtools.send("Accessibility.getFullAXTree");
  await devtools.detach();
  return nodes.filter(({ role, properties = [] }) => {
    const level = properties.find(({ name }) => name === "level")?.value.value as unknown;
    return role?.value === "heading" && level === 3;
  }).length;
}
