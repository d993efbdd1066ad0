/** The frame that an instance's page shows to go elsewhere: that page can show it and nothing more, and nobody else can show it. */
import type { Frame, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { startStage, type Dashboard, type Puppet, type Stage } from "./pages/stage.ts";
import { startUpstream, type Upstream } from "./tunnel/upstream.ts";

let stage: Stage;
let upstream: Upstream;
let own: Puppet;
let other: Puppet;
let dashboard: Dashboard;
let page: Page;

beforeAll(async () => {
  [stage, upstream] = await Promise.all([startStage(), startUpstream()]);
});
beforeEach(async () => {
  await stage.clear();
  const token = await stage.hub.createToken();
  const target = upstream.target;
  own = await stage.instance({ token, target, clientId: "own", project: "/home/dev/own" });
  other = await stage.instance({ token, target, clientId: "other", project: "/home/dev/secret-project" });
  dashboard = await stage.dashboard();
  page = await dashboard.context.newPage();
  await page.goto(`${own.origin}/page`);
});
afterAll(async () => {
  await stage.stop();
  await upstream.stop();
});

const switcher = (label: string) => `${stage.hub.origin}/switcher?from=${label}`;

/** Puts a frame into a page, as a script of that page would; resolves once it has loaded, whatever that is. */
async function show(shown: Page, src: string): Promise<Frame> {
  await shown.evaluate(async (address) => {
    const frame = document.createElement("iframe");
    frame.src = address;
    frame.id = "switcher";
    frame.height = "400";
    document.body.append(frame);
    await new Promise((resolve) => frame.addEventListener("load", resolve));
  }, src);
  const handle = await shown.waitForSelector("#switcher");
  const frame = await handle.contentFrame();
  if (frame === null) throw new Error("no frame");
  return frame;
}

const contentOf = (frame: Frame) => frame.content().catch(() => "");

it("lists every instance, and the page around it reads nothing of it", async () => {
  const frame = await show(page, switcher(own.label));
  await frame.waitForSelector(`a[href="${other.origin}/"]`);
  expect(await contentOf(frame)).toContain("secret-project");
  const read = await page.evaluate(async (url) => {
    const element = document.querySelector("#switcher") as HTMLIFrameElement;
    const attempts: Record<string, () => unknown> = {
      document: () => element.contentDocument,
      window: () => element.contentWindow?.document,
      location: () => element.contentWindow?.location.href,
      frames: () => element.contentWindow?.frames.length,
    };
    const results: Record<string, string> = {};
    for (const [name, attempt] of Object.entries(attempts)) {
      try {
        results[name] = String(attempt());
      } catch (error) {
        results[name] = (error as Error).name;
      }
    }
    results["fetch"] = await fetch(url, { credentials: "include" }).then((answer) => answer.text(), String);
    results["opaque"] = await fetch(url, { credentials: "include", mode: "no-cors" }).then(
      (answer) => answer.text(),
      String,
    );
    return results;
  }, switcher(own.label));
  expect(read).toEqual({
    document: "null",
    window: "SecurityError",
    location: "SecurityError",
    frames: "0",
    fetch: "TypeError: Failed to fetch",
    opaque: "TypeError: Failed to fetch",
  });
});

it("cannot be shown by the page of another instance, nor on its behalf", async () => {
  await page.goto(`${other.origin}/page`);
  const foreign = await show(page, switcher(own.label));
  expect(await contentOf(foreign)).not.toContain("secret-project");
  await page.reload();
  // By the page of the one in a frame of the other.
  const around = await show(page, switcher(other.label));
  expect(await contentOf(around)).toContain("secret-project");
  await page.reload();
  expect(await contentOf(await show(page, `${stage.hub.origin}/switcher`))).not.toContain("secret-project");
  await page.reload();
  expect(
    await contentOf(await show(page, `${stage.hub.origin}/dashboard?from=${other.label}`)),
  ).not.toContain("secret-project");
});

it("leads this page elsewhere: to another instance, to the dashboard, by its keys", async () => {
  let frame = await show(page, switcher(own.label));
  expect(await frame.textContent('a[aria-current="page"] bdi')).toBe("own");
  await frame.click(`a[href="${other.origin}/"]`);
  await page.waitForURL(`${other.origin}/**`);
  await page.goto(`${own.origin}/page`);
  frame = await show(page, switcher(own.label));
  await frame.click("text=Dashboard");
  await page.waitForURL(`${stage.hub.origin}/dashboard`);
  await page.goto(`${own.origin}/page`);
  frame = await show(page, switcher(own.label));
  await page.focus("#switcher");
  await frame.waitForFunction(() => document.activeElement?.matches("[type=search]"));
  await page.keyboard.type("SECRET");
  expect(await frame.locator("li:visible").count()).toBe(1);
  await page.keyboard.type("x");
  expect(await frame.textContent("[role=status]")).toBe("No instance is called so.");
  await page.keyboard.press("Backspace");
  await page.keyboard.press("ArrowDown");
  expect(await frame.evaluate(() => document.activeElement?.textContent)).toContain("secret-project");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${other.origin}/**`);
});

it("tells the page around it that somebody wants to be rid of it, and no other page", async () => {
  const frame = await show(page, switcher(own.label));
  const told = page.evaluate(
    (hub) =>
      new Promise((resolve) => {
        addEventListener("message", ({ data, origin }) => resolve([data, origin === hub]));
      }),
    stage.hub.origin,
  );
  await frame.focus("input");
  await page.keyboard.press("Escape");
  expect(await told).toEqual(["orchestrator:close", true]);
});

it("no fragment finds out what is in it", async () => {
  const frame = await show(page, switcher(own.label));
  const ids = await frame.locator("[id]").evaluateAll((all) => all.map(({ id }) => id));
  expect(ids.filter((id) => !/^(glyph|icon)-/.test(id))).toEqual([]);
  await page.evaluate(
    (src) => {
      const element = document.querySelector("#switcher") as HTMLIFrameElement;
      element.src = src;
    },
    `${switcher(own.label)}#card-${other.label}`,
  );
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("BODY");
});

it("hides the mark and comes back, which is all it can change", async () => {
  await page.goto(`${own.origin}/page?title=here`);
  await page.waitForSelector("orchestrator-mark", { state: "attached" });
  const src = `${switcher(own.label)}&next=${encodeURIComponent("/page?title=here")}`;
  const frame = await show(page, src);
  await frame.click("text=Hide the mark");
  await page.waitForFunction(() => document.querySelector("iframe, orchestrator-mark") === null);
  expect(page.url()).toBe(`${own.origin}/page?title=here`);
  expect(await page.title()).toBe("here");
  await dashboard.page.goto(`${stage.hub.origin}/settings`);
  await dashboard.page.click("text=Show the mark");
  await dashboard.page.waitForSelector("text=It is shown");
  expect(dashboard.watch.complaints).toEqual([]);
});

it("leads to the hub where the sign-in has ended, in a page that may be shown there", async () => {
  await dashboard.context.clearCookies({ domain: "hub.localhost" });
  const frame = await show(page, switcher(own.label));
  expect(await frame.textContent("main p")).toBe("Your sign-in has ended.");
  expect(await contentOf(frame)).not.toContain("secret-project");
  await frame.click("text=Sign in at the hub");
  await page.waitForURL(`${stage.hub.origin}/auth/sign-in?next=%2Fdashboard`);
});
