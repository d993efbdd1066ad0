/** The command palette: it opens at once, finds what is meant, goes there or does it, and shows names as text. */
import { setTimeout as pause } from "node:timers/promises";
import type { Page, Route } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { HOSTILE_NAMES } from "./pages/hostile-names.ts";
import { session, startStage, type Stage } from "./pages/stage.ts";
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

const OPEN = "#palette[open]";
const FIELD = "#palette-find";

/** Opens it and waits for the instances. */
async function open(page: Page): Promise<void> {
  await page.keyboard.press("Control+k");
  await page.waitForSelector(OPEN);
  await page.waitForSelector("#palette-list[aria-busy=false] > li");
}

/** The words of what is found, in order, without what stands at the end of a line. */
function found(page: Page): Promise<string[]> {
  return page
    .locator("#palette-list > li .entry-text")
    .evaluateAll((all) => all.map((one) => one.textContent?.trim() ?? ""));
}

const chosen = (page: Page) => page.textContent('#palette-list [aria-selected="true"] .entry-text');

describe("the palette", () => {
  it("says that the instances are on their way while nothing else is found", async () => {
    const puppet = await stage.instance({ project: "/home/dev/orchard" });
    const { page } = await stage.dashboard();
    const held: Route[] = [];
    await page.route("**/switcher", (route) => {
      held.push(route);
    });
    await page.keyboard.press("Control+k");
    await page.keyboard.type(puppet.clientId);
    const note = page.locator("#palette [role=status]");
    expect(await note.textContent()).toBe("Asking the hub for the instances.");
    await page.fill(FIELD, "orchard");
    await held[0]?.continue();
    await expect.poll(() => found(page)).toEqual([expect.stringContaining("orchard")]);
    expect(await note.textContent()).toBe("");
  });

  it("opens within the frame of its key, has the focus, and gives it back", async () => {
    await stage.instance();
    const { page, watch } = await stage.dashboard();
    await page.keyboard.press("j");
    const before = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
    const drawn = await page.evaluate(
      () =>
        new Promise((resolve) => {
          requestAnimationFrame(() => {
            const key = new KeyboardEvent("keydown", { key: "k", ctrlKey: true, bubbles: true });
            document.activeElement?.dispatchEvent(key);
            const dialog = document.querySelector("#palette");
            const { height = 0 } = dialog?.getBoundingClientRect() ?? {};
            resolve([dialog?.matches(":modal"), document.activeElement?.id, height]);
          });
        }),
    );
    expect(drawn).toEqual([true, "palette-find", expect.any(Number)]);
    await page.waitForSelector("#palette-list [data-label]");
    // What comes later changes nothing of its size.
    expect((await page.locator("#palette").boundingBox())?.height).toBe((drawn as number[])[2]);
    await page.keyboard.press("Escape");
    expect(await page.locator(OPEN).count()).toBe(0);
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe(before);
    await page.click(".go-to");
    await page.waitForSelector(OPEN);
    await page.keyboard.press("Control+k");
    expect(await page.locator(OPEN).count()).toBe(0);
    expect(await page.evaluate(() => document.activeElement?.className)).toContain("go-to");
    expect(watch.complaints).toEqual([]);
  });

  it("is a combobox of a listbox, and says which option is meant", async () => {
    await stage.instance();
    const { page } = await stage.dashboard();
    await open(page);
    const field = page.getByRole("combobox", { name: "Go to, or do", expanded: true });
    expect(await field.getAttribute("aria-controls")).toBe("palette-list");
    await page.getByRole("listbox", { name: "What was found" }).waitFor();
    const active = () =>
      page.evaluate((selector) => {
        const id = document.querySelector(selector)?.getAttribute("aria-activedescendant") ?? "";
        const option = document.getElementById(id);
        const selected = [...document.querySelectorAll('#palette-list [aria-selected="true"]')];
        return [option?.role, selected.length, selected[0] === option];
      }, FIELD);
    const total = await page.locator("#palette-list > li").count();
    for (const key of ["ArrowDown", "ArrowUp", "PageDown", "ArrowUp", "PageUp"]) {
      await page.keyboard.press(key);
      expect(await active()).toEqual(["option", 1, true]);
    }
    // Past the first comes the last.
    await page.keyboard.press("PageUp");
    await page.keyboard.press("ArrowUp");
    const ids = await page.locator("#palette-list > li").evaluateAll((all) => all.map(({ id }) => id));
    expect(new Set(ids).size).toBe(total);
    expect(await field.getAttribute("aria-activedescendant")).toBe(ids.at(-1));
    await page.fill(FIELD, "nothing is called this");
    expect(await field.getAttribute("aria-activedescendant")).toBe(null);
    expect(await page.textContent("#palette [role=status]")).toBe("Nothing is called so.");
    await page.keyboard.press("Enter");
    await page.waitForSelector(OPEN);
  });

  it("finds by beginnings, by initials, by host, by every word; what needs somebody is first", async () => {
    const token = await stage.hub.createToken();
    const make = (project: string, hostname: string) => stage.instance({ token, project, hostname });
    const payments = await make("/home/dev/zz-payments", "tower");
    await make("/home/dev/front-end-app", "tower");
    await make("/home/dev/old-front", "attic");
    payments.set(session("needs_answer"));
    const { page } = await stage.dashboard();
    await page.waitForSelector(`${payments.card}[data-state=needs_answer]`);
    await open(page);
    expect((await found(page))[0]).toBe("zz-payments tower");
    for (const [typed, ...wanted] of [
      ["front", "front-end-app tower", "old-front attic"],
      ["fea", "front-end-app tower"],
      ["tower pay", "zz-payments tower"],
      ["PAY", "zz-payments tower"],
      ["attic", "old-front attic"],
      ["/home/dev/old", "old-front attic"],
      ["tok", "Tokens"],
      ["audit", "Audit log"],
      ["shortcuts", "Keys"],
    ]) {
      await page.fill(FIELD, typed ?? "");
      expect([typed, ...(await found(page)).slice(0, wanted.length)]).toEqual([typed, ...wanted]);
    }
    await page.fill(FIELD, "attic pay");
    expect(await found(page)).toEqual([]);
  });

  it("goes to an instance, beside this page as well, and has it first the next time", async () => {
    const token = await stage.hub.createToken();
    const target = upstream.target;
    const first = await stage.instance({ token, target, project: "/home/dev/aaa" });
    const last = await stage.instance({ token, target, project: "/home/dev/zzz-last" });
    const { page, context } = await stage.dashboard();
    await page.waitForSelector(last.card);
    await open(page);
    await page.fill(FIELD, "zzz");
    const beside = context.waitForEvent("page");
    await page.keyboard.press("Control+Enter");
    await (await beside).waitForURL(`${last.origin}/**`);
    expect(await page.locator(OPEN).count()).toBe(0);
    await open(page);
    const order = await found(page);
    expect(order[0]).toContain("zzz-last");
    expect(order.findIndex((text) => text.startsWith("aaa"))).toBeGreaterThan(0);
    await page.fill(FIELD, "aaa");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${first.origin}/**`);
  });

  it("goes to pages, for administrators to theirs", async () => {
    const { page } = await stage.dashboard();
    for (const [typed, path] of [
      ["activity", "/activity"],
      ["sess", "/sessions"],
      ["settings", "/settings"],
      ["access", "/access"],
      ["group by machine", "/dashboard?group=machine"],
      ["dashboard", "/dashboard"],
    ]) {
      await open(page);
      await page.fill(FIELD, typed ?? "");
      await page.keyboard.press("Enter");
      await page.waitForURL(`${stage.hub.origin}${path}`);
    }
  });

  it("waits for the instances where they are late and one is meant", async () => {
    const puppet = await stage.instance({ target: upstream.target, project: "/home/dev/late-one" });
    const { page, context } = await stage.dashboard();
    await context.route("**/switcher", async (route) => {
      await pause(500);
      await route.continue();
    });
    await page.keyboard.press("Control+k");
    await page.keyboard.type("late-one");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${puppet.origin}/**`);
  });

  it("says where the hub cannot be asked, and still goes to pages", async () => {
    const { page, context } = await stage.dashboard();
    await context.route("**/switcher", (route) => route.abort());
    await page.keyboard.press("Control+k");
    await page.waitForSelector('#palette [role=status]:has-text("could not be asked for the instances")');
    await page.keyboard.type("tokens");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/tokens");
  });
});

describe("what it does", () => {
  it("to the instance of the card in focus, to one that is chosen, and to one that is named", async () => {
    const puppet = await stage.instance({ project: "/home/dev/doable" });
    const { page, watch } = await stage.dashboard();
    await page.focus(`${puppet.card} .card-open`);
    await open(page);
    expect((await found(page)).slice(0, 4)).toEqual([
      "Refresh doable",
      "Rename doable",
      "Disconnect doable",
      "Details of doable",
    ]);
    await page.keyboard.press("Escape");

    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await open(page);
    await page.fill(FIELD, "doable");
    expect(await chosen(page)).toContain("doable");
    await page.keyboard.press("ArrowRight");
    expect(await page.textContent("#palette-about")).toBe("doable");
    expect(await found(page)).toHaveLength(4);
    await page.keyboard.press("Backspace");
    expect(await page.isVisible("#palette-about")).toBe(false);
    expect((await found(page)).length).toBeGreaterThan(4);

    await page.fill(FIELD, "rename doa");
    expect(await found(page)).toEqual(["Rename doable"]);
    await page.keyboard.press("Enter");
    await page.waitForSelector("#rename[open]");
    await page.keyboard.type("Renamed here");
    await page.keyboard.press("Enter");
    await page.waitForSelector(`${puppet.card} .card-title:has-text("Renamed here")`);

    await open(page);
    await page.fill(FIELD, "disconnect renamed");
    await page.keyboard.press("Enter");
    await page.waitForSelector(`${puppet.card}[data-state=unreachable]`);
    await open(page);
    await page.fill(FIELD, "disconnect renamed");
    expect(await found(page)).toEqual([]);
    await page.fill(FIELD, "let renamed");
    expect(await found(page)).toEqual(["Let it back Renamed here"]);
    expect(watch.complaints).toEqual([]);
  });

  it("from a page without cards, and says what became of it", async () => {
    const puppet = await stage.instance({ project: "/home/dev/far-away" });
    const dashboard = await stage.dashboard();
    const page = await dashboard.context.newPage();
    await page.goto(`${stage.hub.origin}/tokens`);
    await open(page);
    await page.fill(FIELD, "disconnect far");
    await page.keyboard.press("Enter");
    await page.waitForSelector('.toast:has-text("far-away is disconnected and stays away.")');
    await dashboard.page.waitForSelector(`${puppet.card}[data-state=unreachable]`);
    await open(page);
    await page.fill(FIELD, "details far");
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/clients/${puppet.label}`);
  });

  it("filters the board, searches it, lists the keys and signs out", async () => {
    const puppets = [await stage.instance(), await stage.instance()];
    puppets[0]?.set(session("needs_answer"));
    const { page, context } = await stage.dashboard();
    await page.waitForSelector(".card[data-state=needs_answer]");
    const shown = () => page.locator(".card:visible").count();
    const all = await shown();
    for (const [typed, count] of [
      ["only what needs you", 1],
      ["show all", all],
    ] as const) {
      await open(page);
      await page.fill(FIELD, typed);
      await page.keyboard.press("Enter");
      await expect.poll(shown).toBe(count);
    }
    await open(page);
    await page.fill(FIELD, "search inst");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("search");
    const tokens = await context.newPage();
    await tokens.goto(`${stage.hub.origin}/tokens`);
    await open(tokens);
    await tokens.fill(FIELD, "show all");
    expect(await found(tokens)).toEqual([]);
    await tokens.fill(FIELD, "sign out");
    await tokens.keyboard.press("Enter");
    // The dashboard goes there too: a browser that is closed while one of its pages is on the way may not end.
    await Promise.all([tokens, page].map((one) => one.waitForURL("**/auth/sign-in**")));
  });

  it("sets the theme, for this browser", async () => {
    const { page } = await stage.dashboard({ colorScheme: "light" });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).color);
    const light = await ground();
    for (const [typed, isLight] of [
      ["dark theme", false],
      ["light theme", true],
      ["dark theme", false],
      ["theme system", true],
    ] as const) {
      await open(page);
      await page.fill(FIELD, typed);
      await page.keyboard.press("Enter");
      await expect.poll(async () => (await ground()) === light).toBe(isLight);
      await page.reload();
      expect((await ground()) === light).toBe(isLight);
    }
  });
});

describe("what stands in it", () => {
  it("is text, whatever instances call themselves", async () => {
    const { page, watch } = await stage.dashboard({ viewport: { width: 390, height: 800 } });
    const token = await stage.hub.createToken();
    const names = Object.values(HOSTILE_NAMES);
    for (const [index, name] of names.entries())
      await stage.instance({
        token,
        clientId: `hostile-${index}`,
        hostname: name.slice(0, 255),
        project: `/home/dev/${name}`,
      });
    await open(page);
    expect((await found(page)).length).toBeGreaterThan(names.length);
    await looksRight(page);
    // Its actions carry the name as well, and so does what they ask.
    await page.fill(FIELD, "rename");
    const renaming = page.locator("#palette-list [data-action=rename]");
    const many = await renaming.count();
    expect(many).toBeGreaterThanOrEqual(names.length);
    for (let index = 0; index < many; index += 3) {
      await renaming.nth(index).click();
      await page.waitForSelector("#rename[open]");
      await looksRight(page);
      await page.keyboard.press("Escape");
      await page.keyboard.press("Control+k");
      await page.fill(FIELD, "rename");
    }
    await looksRight(page);
    expect(watch.complaints).toEqual([]);
  });

  it("is shown at once with two hundred instances, and follows the typing", async () => {
    const puppet = await stage.instance({ project: "/home/dev/pattern" });
    const { page, context } = await stage.dashboard();
    await page.waitForSelector(puppet.card);
    const piece = await page.evaluate(async () => (await fetch("/switcher")).text());
    const [one = ""] = /<li[^>]*data-title="pattern".*?<\/li>/s.exec(piece) ?? [];
    const many = Array.from({ length: 200 }, (_, index) =>
      one.replaceAll(puppet.label, `copy-${index}`).replaceAll("pattern", `pattern-${index}`),
    );
    const body = `<ul>${many.join("")}</ul>`;
    await context.route("**/switcher", (route) => route.fulfill({ contentType: "text/html", body }));
    await open(page);
    await page.waitForSelector("#palette-list [data-label=copy-199]", { state: "attached" });
    const times: number[] = await page.evaluate((selector) => {
      const field = document.querySelector(selector) as HTMLInputElement;
      return ["p", "pattern", "pattern-199", "rename", "disconnect pattern 7", ""].map((text) => {
        const started = performance.now();
        field.value = text;
        field.dispatchEvent(new Event("input"));
        document.querySelector("#palette")?.getBoundingClientRect();
        return Math.round(performance.now() - started);
      });
    }, FIELD);
    console.log(`two hundred instances, a key to the list: ${times.join(", ")} ms`);
    expect(Math.max(...times)).toBeLessThan(300);
    await page.fill(FIELD, "pattern-199");
    expect((await found(page))[0]).toContain("pattern-199");
  });
});

/** Nothing became an element, and nothing is wider than the window. */
async function looksRight(page: Page): Promise<void> {
  expect(await page.locator("dialog :is(img, script, h1), hx-partial, [onmouseover]").count()).toBe(0);
  const wider = await page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll("dialog[open], dialog[open] :is(form, ul)")]
      .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
      .map(({ tagName, id }) => `${tagName} ${id}`),
  );
  expect(wider).toEqual([]);
}
