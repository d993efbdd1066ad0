/** Hands on the keyboard: every key, every action with what it does to the card, what is refused, and where the focus is. */
import type { Page, Route } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
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

/** The id of the card that has the focus; empty where none has. */
function focused(page: Page): Promise<string> {
  return page.evaluate(() => document.activeElement?.closest(".card")?.id ?? "");
}

const idOf = (puppet: Puppet) => puppet.card.slice(1);

function focusOn(page: Page, puppet: Puppet): Promise<void> {
  return page.locator(`${puppet.card} :is(.card-open, .card-actions button)`).last().focus();
}

/** `POST <path>` of everything a page has sent since. */
function sentBy(page: Page): string[] {
  const sent: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST") sent.push(new URL(request.url()).pathname);
  });
  return sent;
}

/** Chromium says every refusal itself. */
const unexpected = ({ watch }: Dashboard) =>
  watch.complaints.filter((text) => !/status of 4\d\d|net::ERR_|htmx:ws:error/.test(text));

describe("moving", () => {
  it("goes past the header with the first Tab", async () => {
    await stage.instance();
    const { page } = await stage.dashboard();
    await page.keyboard.press("Tab");
    const link = page.getByRole("link", { name: "Skip to the content" });
    const { height = 0 } = (await link.boundingBox()) ?? {};
    expect(height).toBeGreaterThan(16);
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.closest("main")?.id)).toBe("dashboard");
  });

  let dashboard: Dashboard;
  let puppets: Puppet[];
  let turn = "";

  beforeEach(async () => {
    turn = `turn${Date.now()}`;
    dashboard = await stage.dashboard({ viewport: { width: 1440, height: 900 } });
    const token = await stage.hub.createToken();
    puppets = await Promise.all(
      Array.from({ length: 9 }, (_, index) =>
        stage.instance({ token, project: `/home/dev/${turn}-${index}` }),
      ),
    );
    for (const { card } of puppets) await dashboard.page.waitForSelector(card);
  });

  it("j and k go through the cards in the order in which they are read, and stop at the ends", async () => {
    const { page } = dashboard;
    const order = await page.locator(".card").evaluateAll((cards) => cards.map(({ id }) => id));
    await page.keyboard.press("k");
    expect(await focused(page)).toBe(order.at(-1));
    await page.keyboard.press("j");
    expect(await focused(page)).toBe(order.at(-1));
    await page.locator("body").evaluate(() => (document.activeElement as HTMLElement).blur());
    for (const id of order) {
      await page.keyboard.press("j");
      expect(await focused(page)).toBe(id);
      const isInView = await page.locator(`#${id}`).evaluate((card) => {
        const { top, bottom } = card.getBoundingClientRect();
        return top >= 0 && bottom <= innerHeight;
      });
      expect(isInView).toBe(true);
    }
    await page.keyboard.press("k");
    expect(await focused(page)).toBe(order.at(-2));
    const outline = await page.evaluate(() => {
      return document.activeElement === null ? "" : getComputedStyle(document.activeElement).outlineStyle;
    });
    expect(outline).toBe("solid");
  });

  it("arrows go to the card that is drawn there", async () => {
    const { page } = dashboard;
    const at = () =>
      page.evaluate(() => {
        const box = document.activeElement?.closest(".card")?.getBoundingClientRect();
        return { x: Math.round(box?.left ?? -1), y: Math.round((box?.top ?? -1) + scrollY) };
      });
    await focusOn(page, puppets[0] as Puppet);
    const start = await at();
    await page.keyboard.press("ArrowRight");
    const right = await at();
    expect(right.y).toBe(start.y);
    expect(right.x).toBeGreaterThan(start.x);
    await page.keyboard.press("ArrowDown");
    const below = await at();
    expect(below.x).toBe(right.x);
    expect(below.y).toBeGreaterThan(right.y);
    await page.keyboard.press("ArrowLeft");
    expect(await at()).toEqual({ x: start.x, y: below.y });
    await page.keyboard.press("ArrowUp");
    expect(await at()).toEqual(start);
    await page.keyboard.press("ArrowLeft");
    expect(await at()).toEqual(start);
  });

  it("passes over what a search keeps back", async () => {
    const { page } = dashboard;
    await page.keyboard.press("/");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("search");
    await page.keyboard.type(`${turn}-4`);
    await page.keyboard.press("Enter");
    expect(await page.inputValue("#search")).toBe(`${turn}-4`);
    expect(await focused(page)).toBe(idOf(puppets[4] as Puppet));
    await page.keyboard.press("j");
    expect(await focused(page)).toBe(idOf(puppets[4] as Puppet));
    await page.keyboard.press("/");
    for (const wanted of ["search", ""]) {
      await page.keyboard.press("Escape");
      expect(await page.evaluate(() => document.activeElement?.id)).toBe(wanted);
    }
    expect(await page.inputValue("#search")).toBe("");
  });

  it("stays on its card when that changes, moves and changes what it offers", async () => {
    const { page } = dashboard;
    const one = puppets[5] as Puppet;
    await focusOn(page, one);
    for (const state of ["needs_permission", "done", "idle", "failed"] as const) {
      one.set(session(state));
      await page.waitForSelector(`${one.card}[data-state=${state}]`);
      await expect.poll(() => focused(page)).toBe(idOf(one));
    }
    await one.stop();
    await page.waitForSelector(`${one.card}[data-state=unreachable]`);
    await expect.poll(() => focused(page)).toBe(idOf(one));
    // Its only button goes away, and with it the card itself.
    await page.keyboard.press("f");
    await page.click("#confirm [value=yes]");
    await page.waitForSelector(one.card, { state: "detached" });
    await expect.poll(() => focused(page)).not.toBe("");
    expect(unexpected(dashboard)).toEqual([]);
  });
});

describe("on a card", () => {
  it("Enter opens, o opens beside, x shows details and Escape hides them", async () => {
    const puppet = await stage.instance({ target: upstream.target });
    const { page, context } = await stage.dashboard();
    await focusOn(page, puppet);
    await page.keyboard.press("x");
    await page.waitForSelector(`${puppet.card} .card-more[open] .facts`);
    await page.keyboard.press("Escape");
    expect(await page.locator(`${puppet.card} .card-more[open]`).count()).toBe(0);
    expect(await focused(page)).toBe(idOf(puppet));
    const beside = context.waitForEvent("page");
    await page.keyboard.press("o");
    const opened = await beside;
    await opened.waitForURL(`${puppet.origin}/**`);
    expect(page.url()).toBe(`${stage.hub.origin}/dashboard`);
    await page.keyboard.press("Enter");
    await page.waitForURL(`${puppet.origin}/**`);
  });

  it("r asks the connector, and the card says so at once", async () => {
    const puppet = await stage.instance();
    const dashboard = await stage.dashboard();
    const { page } = dashboard;
    const sent = sentBy(page);
    await focusOn(page, puppet);
    expect(await pendingAfter(page, "r", puppet)).toBe("asking");
    await expect.poll(() => page.getAttribute(puppet.card, "data-pending")).toBe(null);
    expect(sent).toEqual([`/clients/${puppet.label}/refresh`]);
    expect(await page.locator(".toast").count()).toBe(0);
    expect(unexpected(dashboard)).toEqual([]);
  });

  it("e gives it a name, in every window, and takes it away", async () => {
    const puppet = await stage.instance({ project: "/home/dev/unnamed" });
    const windows = [await stage.dashboard(), await stage.dashboard()];
    const { page } = windows[0] as Dashboard;
    await focusOn(page, puppet);
    for (const [typed, shown] of [
      ["  Payments <b>  ", "Payments <b>"],
      ["", "unnamed"],
    ]) {
      await page.keyboard.press("e");
      await page.waitForSelector("#rename[open]");
      expect(await page.evaluate(() => document.activeElement?.getAttribute("name"))).toBe("name");
      await page.keyboard.press("ControlOrMeta+a");
      await page.keyboard.press("Delete");
      await page.keyboard.type(typed ?? "");
      await page.keyboard.press("Enter");
      for (const other of windows) await titleIs(other.page, puppet, shown ?? "");
      expect(await focused(page)).toBe(idOf(puppet));
    }
    const sent = sentBy(page);
    await page.keyboard.press("e");
    await page.keyboard.type("never");
    await page.keyboard.press("Escape");
    await page.waitForSelector("#rename:not([open])", { state: "attached" });
    expect(sent).toEqual([]);
    expect(await focused(page)).toBe(idOf(puppet));
    for (const other of windows) expect(unexpected(other)).toEqual([]);
  });

  it("s marks what has ended as seen, and says so where nothing has", async () => {
    const puppet = await stage.instance();
    const dashboard = await stage.dashboard();
    const { page } = dashboard;
    puppet.set(session("done", "Done", 2000));
    await page.waitForSelector(`${puppet.card}[data-lane=done]`);
    await focusOn(page, puppet);
    await page.keyboard.press("s");
    await page.waitForSelector(`${puppet.card}[data-lane=quiet]`);
    await expect.poll(() => focused(page)).toBe(idOf(puppet));
    await page.keyboard.press("s");
    await page.waitForSelector('[role=status] .toast:has-text("nothing new to mark as seen")');
    expect(unexpected(dashboard)).toEqual([]);
  });

  it("d sends it away, which a button and the same key undo", async () => {
    const puppet = await stage.instance({ project: "/home/dev/goes-and-comes" });
    const dashboard = await stage.dashboard();
    const { page } = dashboard;
    await focusOn(page, puppet);
    expect(await pendingAfter(page, "d", puppet)).toBe("disconnecting");
    await page.waitForSelector(`${puppet.card}[data-state=unreachable]`);
    expect(await page.getAttribute(puppet.card, "data-pending")).toBe(null);
    await page.waitForSelector('[role=status] .toast:has-text("goes-and-comes is disconnected")');
    await expect.poll(() => focused(page)).toBe(idOf(puppet));

    await page.click(".toast button:has-text('Let it back')");
    await page.waitForSelector(`${puppet.card}:not([data-can~=let_back])`);
    await page.waitForSelector('.toast:has-text("may come back")');

    // A card that stays away is let back by the key as well.
    const other = await stage.instance({ project: "/home/dev/other" });
    await page.waitForSelector(other.card);
    await focusOn(page, other);
    await page.keyboard.press("d");
    await page.waitForSelector(`${other.card}[data-can~=let_back]`);
    await expect.poll(() => focused(page)).toBe(idOf(other));
    await page.keyboard.press("d");
    await page.waitForSelector(`${other.card}:not([data-can~=let_back])`);
    expect(unexpected(dashboard)).toEqual([]);
  });

  it("does once what is asked for twice before it is answered, and says the same thing once", async () => {
    const [puppet, gone] = [await stage.instance(), await stage.instance()];
    const { page } = await stage.dashboard();
    const sent = sentBy(page);
    const held: Route[] = [];
    await page.route("**/disconnect", (route) => {
      held.push(route);
    });
    await focusOn(page, puppet);
    await page.keyboard.press("d");
    await page.keyboard.press("d");
    await page.keyboard.press("d");
    await expect.poll(() => held.length).toBeGreaterThan(0);
    expect(sent).toEqual([`/clients/${puppet.label}/disconnect`]);
    await held[0]?.continue();
    await page.waitForSelector(`${puppet.card}[data-state=unreachable]`);

    await gone.stop();
    await page.waitForSelector(`${gone.card}[data-state=unreachable]`);
    const alerts = page.locator("#alerts .toast", { hasText: "There is no connector to ask" });
    for (let times = 0; times < 2; times++) {
      await focusOn(page, gone);
      await Promise.all([page.waitForResponse("**/refresh"), page.keyboard.press("r")]);
      await alerts.first().waitFor();
      await page.waitForSelector(`${gone.card}:not([data-pending])`);
    }
    expect(await alerts.count()).toBe(1);
  });

  it("f asks before it forgets, and says why it does not", async () => {
    const [stays, goes] = [await stage.instance(), await stage.instance({ project: "/home/dev/old" })];
    await goes.stop();
    const dashboard = await stage.dashboard();
    const { page } = dashboard;
    await focusOn(page, stays);
    await page.keyboard.press("f");
    await page.waitForSelector('[role=alert] .toast:has-text("can be forgotten. Disconnect it first.")');
    expect(await page.getAttribute(stays.card, "data-pending")).toBe(null);
    await page.click('.toast [aria-label="Close"]');
    expect(await page.locator(".toast").count()).toBe(0);

    const sent = sentBy(page);
    await focusOn(page, goes);
    await page.keyboard.press("f");
    await page.waitForSelector("#confirm[open]");
    expect(await page.textContent("#confirm-question")).toContain("Forget “old”?");
    expect(await page.evaluate(() => document.activeElement?.textContent?.trim())).toBe("Cancel");
    await page.keyboard.press("Enter");
    expect(await focused(page)).toBe(idOf(goes));
    await page.keyboard.press("f");
    await page.keyboard.press("Escape");
    expect(sent).toEqual([]);
    await page.keyboard.press("f");
    await page.click("#confirm >> text=Forget >> nth=-1");
    await page.waitForSelector(goes.card, { state: "detached" });
    expect(unexpected(dashboard)).toEqual([]);
  });

  it("buttons of the card do the same, the same way", async () => {
    const puppet = await stage.instance();
    const { page } = await stage.dashboard();
    puppet.set(session("done", "Done", 2000));
    await page.click(`${puppet.card} button:has-text("Seen")`);
    await page.waitForSelector(`${puppet.card}[data-lane=quiet]`);
    await focusOn(page, puppet);
    await page.keyboard.press("d");
    await page.click(`${puppet.card} button:has-text("Let it back")`);
    await page.waitForSelector(`${puppet.card}:not([data-can~=let_back])`);
  });

  it("says when the hub cannot be reached, and leaves the card as it was", async () => {
    const puppet = await stage.instance();
    const { page, context } = await stage.dashboard();
    await focusOn(page, puppet);
    await context.route("**/refresh", (route) => route.abort());
    await page.keyboard.press("r");
    await page.waitForSelector(
      '[role=alert] .toast:has-text("could not be reached, so nothing was changed")',
    );
    expect(await page.getAttribute(puppet.card, "data-pending")).toBe(null);
    // A hub that answers nothing is given up after 5 s.
    await context.unroute("**/refresh");
    await context.route("**/refresh", () => undefined);
    await page.keyboard.press("r");
    expect(await page.getAttribute(puppet.card, "data-pending")).toBe("asking");
    await expect.poll(() => page.getAttribute(puppet.card, "data-pending"), { timeout: 8000 }).toBe(null);
  });

  it("shows a refusal without words, a hostile one as text, each once and at most three", async () => {
    const puppet = await stage.instance();
    const { page, context, watch } = await stage.dashboard();
    await focusOn(page, puppet);
    const refusal = (message: string) => JSON.stringify({ error: { message } });
    const hostile = refusal("<img src=x onerror=alert(1)>");
    // Those without words say the same, once.
    const bodies = [refusal("First"), "<h1>gone</h1>", "{}", hostile, refusal("Second"), ""];
    for (const body of bodies) {
      await context.route("**/refresh", (route) => route.fulfill({ status: 500, body }));
      await page.keyboard.press("r");
      await expect.poll(() => page.getAttribute(puppet.card, "data-pending")).toBe(null);
      await context.unroute("**/refresh");
    }
    expect(await page.locator("[role=alert] .toast").count()).toBe(3);
    expect(await page.locator(".toast img, .toast h1").count()).toBe(0);
    expect(await page.textContent(".toast >> nth=0")).toContain("<img src=x");
    expect(watch.complaints.filter((text) => !text.includes("status of 500"))).toEqual([]);
  });
});

describe("keys do nothing", () => {
  it("while somebody types, with a modifier, under a dialog", async () => {
    const puppet = await stage.instance();
    const { page } = await stage.dashboard();
    const sent = sentBy(page);
    await page.focus("#search");
    await page.keyboard.type("jkdrsefox?g");
    expect(await page.inputValue("#search")).toBe("jkdrsefox?g");
    await page.fill("#search", "");
    await focusOn(page, puppet);
    for (const modifier of ["Control", "Alt", "Meta"]) {
      for (const key of ["e", "f"]) await page.keyboard.press(`${modifier}+${key}`);
    }
    await page.keyboard.press("Shift+E");
    expect(await page.locator("dialog[open]").count()).toBe(0);
    await page.keyboard.press("?");
    for (const key of ["d", "r", "e", "j", "?"]) await page.keyboard.press(key);
    expect(await page.locator("dialog[open]").count()).toBe(1);
    await page.keyboard.press("Escape");
    expect(sent).toEqual([]);
    expect(await focused(page)).toBe(idOf(puppet));
    expect(page.url()).toBe(`${stage.hub.origin}/dashboard`);
  });

  it("where they are switched off, which the browser remembers; with Ctrl they do", async () => {
    const puppet = await stage.instance();
    const { page, context } = await stage.dashboard();
    await page.keyboard.press("?");
    await page.uncheck("#single-keys");
    await page.keyboard.press("Escape");
    const { page: fresh } = await openDashboard(context, `${stage.hub.origin}/dashboard`);
    for (const shown of [page, fresh]) {
      await focusOn(shown, puppet);
      for (const key of ["e", "f", "?", "x"]) await shown.keyboard.press(key);
      expect(await shown.locator("dialog[open], .card-more[open]").count()).toBe(0);
      await shown.keyboard.press("Control+k");
      await shown.fill("#palette-find", "keys");
      await shown.keyboard.press("Enter");
      await shown.waitForSelector("#help[open]");
      expect(await shown.isChecked("#single-keys")).toBe(false);
    }
    await fresh.check("#single-keys");
    await fresh.keyboard.press("Escape");
    await fresh.keyboard.press("?");
    await fresh.waitForSelector("#help[open]");
  });
});

it("lists every key that does something, and none that does not", async () => {
  const { page } = await stage.dashboard();
  await page.keyboard.press("?");
  expect(await page.evaluate(() => document.querySelector("#help")?.matches(":modal"))).toBe(true);
  const listed = await page
    .locator("#help dt")
    .evaluateAll((all) => all.map((dt) => [...dt.children].map((key) => key.textContent).join(" ")));
  expect(listed.join(" | ")).toBe(
    "Ctrl K | ? | g i | g a | g t | g s | g , | j k | ← ↑ → ↓ | / | Escape | Enter | o | x | r | s | e | d | f",
  );
});

it("g and a second key lead to the pages, and to none after a while or after another key", async () => {
  const { page } = await stage.dashboard();
  const pages = { a: "/activity", t: "/tokens", s: "/sessions", ",": "/settings", i: "/dashboard" };
  for (const [key, path] of Object.entries(pages)) {
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await page.waitForURL(`**${path}`);
  }
  for (const key of ["g", "j", "t"]) await page.keyboard.press(key);
  await page.keyboard.press("g");
  await new Promise((resolve) => setTimeout(resolve, 1700));
  await page.keyboard.press("t");
  expect(page.url()).toBe(`${stage.hub.origin}/dashboard`);
});

describe("questions on other pages", () => {
  it("are asked before a token is revoked, and its name is text", async () => {
    const name = `<img src=x onerror="alert(1)">`;
    await stage.hub.createToken(name);
    const dashboard = await stage.dashboard();
    const { page } = dashboard;
    const sent = sentBy(page);
    await page.goto(`${stage.hub.origin}/tokens`);
    const row = page.locator("li", { hasText: name });
    await row.locator("text=Revoke").click();
    await page.waitForSelector("#confirm[open]");
    expect(await page.textContent("#confirm-question")).toContain(name);
    expect(await page.textContent("#confirm [value=yes]")).toContain("Revoke");
    await page.click("#confirm >> text=Cancel");
    expect(await page.evaluate(() => document.activeElement?.textContent?.trim())).toBe("Revoke");
    expect(sent).toEqual([]);
    await row.locator("text=Revoke").click();
    await page.click("#confirm [value=yes]");
    await row.waitFor({ state: "detached" });
    expect(sent).toHaveLength(1);
    expect(unexpected(dashboard)).toEqual([]);
  });

  it("are asked before a form of htmx is sent, which is then sent by htmx, once", async () => {
    const { page } = await stage.dashboard();
    const sent = sentBy(page);
    await page.evaluate(() => {
      const form = document.createElement("form");
      form.id = "asks";
      form.method = "post";
      form.action = "/nowhere";
      form.dataset["confirm"] = "Really?";
      form.setAttribute("hx-post", "/tokens/new");
      form.setAttribute("hx-target", "#asks");
      form.append(document.createElement("button"));
      document.querySelector("main")?.append(form);
      (window as unknown as { htmx: { process(element: Element): void } }).htmx.process(form);
    });
    await page.focus("#asks button");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#confirm[open]");
    await page.keyboard.press("Escape");
    expect(sent).toEqual([]);
    await page.keyboard.press("Enter");
    await page.click("#confirm [value=yes]");
    // It lacks what the hub wants, which is said where anybody sees it.
    await page.waitForSelector("[role=alert] .toast");
    expect(sent).toEqual(["/tokens/new"]);
    expect(page.url()).toBe(`${stage.hub.origin}/dashboard`);
  });

  it("are asked before every session ends", async () => {
    const { page } = await stage.dashboard();
    await page.goto(`${stage.hub.origin}/sessions`);
    await page.click("text=End all");
    expect(await page.textContent("#confirm-question")).toContain("This browser is signed out");
    await page.click("#confirm [value=yes]");
    await page.waitForURL("**/auth/sign-in**");
  });
});

/** What a card says is on its way, in the frame in which the key was pressed. */
function pendingAfter(page: Page, key: string, puppet: Puppet): Promise<string | undefined> {
  return page.evaluate(
    ([pressed, card]) =>
      new Promise<string | undefined>((resolve) => {
        requestAnimationFrame(() => {
          document.activeElement?.dispatchEvent(
            new KeyboardEvent("keydown", { key: pressed, bubbles: true, cancelable: true }),
          );
          queueMicrotask(() =>
            queueMicrotask(() => {
              resolve(document.querySelector<HTMLElement>(card)?.dataset["pending"]);
            }),
          );
        });
      }),
    [key, puppet.card] as const,
  );
}

async function titleIs(page: Page, puppet: Puppet, title: string): Promise<void> {
  await expect.poll(() => page.textContent(`${puppet.card} .card-title bdi`)).toBe(title);
}
