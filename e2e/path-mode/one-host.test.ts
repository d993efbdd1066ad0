/**
 * A hub with one host name: its instances open below it, once their owner has read what that trusts and allowed it. What such an
 * instance then can and cannot do is tried as a page of it would.
 */
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startHostileUpstream, type HostileUpstream } from "../pages/hostile-upstream.ts";
import { type Dashboard, type Puppet, startStage, type Stage } from "../pages/stage.ts";

let stage: Stage;
let upstream: HostileUpstream;
let instance: Puppet;
let dashboard: Dashboard;

beforeAll(async () => {
  [stage, upstream] = await Promise.all([
    startStage({ INSTANCE_HOST: "none" }),
    startHostileUpstream("below"),
  ]);
});
beforeEach(async () => {
  instance = await stage.instance({ target: upstream.target });
  dashboard = await stage.dashboard();
  upstream.seen.length = 0;
});
afterEach(() => stage.clear());
afterAll(async () => {
  await stage.stop();
  await upstream.stop();
});

const consent = () => `${stage.hub.origin}/clients/${instance.label}/path`;
const heading = (page: Page) => page.getByRole("main").getByRole("heading", { level: 2 }).first();

/** Opens the instance for the first time and allows it. */
async function allow(page: Page): Promise<void> {
  await page.goto(`${instance.origin}/`);
  await page.getByRole("button", { name: "Allow path mode" }).click();
  await page.getByRole("main").getByRole("link", { name: "Open", exact: true }).click();
  await page.waitForURL(`${instance.origin}/**`);
}

it("leads over the page that says what is trusted once, with nothing asked of the instance before", async () => {
  const { page } = dashboard;
  expect(instance.origin).toBe(`${stage.hub.origin}/clients/${instance.label}/proxy`);
  await page.click(`${instance.card} .card-open`);
  await page.waitForURL(`${consent()}?next=**`);
  expect(await heading(page).textContent()).toBe("Path mode is not allowed for this instance");
  expect(await page.getByRole("main").textContent()).toContain("this hub has one host name only");
  expect(upstream.seen).toEqual([]);
  await page.getByRole("button", { name: "Allow path mode" }).click();
  expect(await heading(page).textContent()).toBe("Path mode is allowed for this instance");
  await page.getByRole("main").getByRole("link", { name: "Open", exact: true }).click();
  await page.waitForURL(`${instance.origin}/`);
  await page.goto(`${stage.hub.origin}/dashboard`);
  await page.click(`${instance.card} .card-open`);
  await page.waitForURL(`${instance.origin}/`);
});

it("brings who is not signed in back to where they were going", async () => {
  await allow(dashboard.page);
  const page = await (await stage.profile()).newPage();
  await page.goto(`${instance.origin}/deep/page?x=1`);
  const { pathname } = new URL(`${instance.origin}/deep/page`);
  expect(new URL(page.url()).searchParams.get("next")).toBe(`${pathname}?x=1`);
});

it("shows the mark, which leads to the hub's list, where this instance is the current one", async () => {
  const { page } = dashboard;
  await allow(page);
  const mark = page.locator("orchestrator-mark");
  await mark.waitFor({ state: "attached" });
  const frame = page.waitForRequest((request) => new URL(request.url()).pathname === "/switcher");
  // Its inside is closed to the page and to tests, but not to the keyboard and the mouse.
  const { width, height } = page.viewportSize() ?? { width: 1280, height: 720 };
  await page.mouse.click(width - 8, height * 0.66 + 20);
  expect(new URL((await frame).url()).searchParams.get("mode")).toBe("path");
  const current = () =>
    page
      .frames()
      .find((one) => new URL(one.url()).pathname === "/switcher")
      ?.locator(".entries a[aria-current=page]");
  await expect.poll(() => current()?.count()).toBe(1);
  expect(await current()?.getAttribute("href")).toBe(`${instance.origin}/`);
});

it("closes what is open when it is taken back, and serves nothing from then on", async () => {
  const { page } = dashboard;
  await allow(page);
  const closed = page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`);
        socket.onmessage = () => {
          document.title = "open";
        };
        socket.onclose = ({ code }) => resolve(code);
        socket.onerror = () => reject(new Error("refused"));
      }),
  );
  await page.waitForFunction(() => document.title === "open");
  const other = await dashboard.context.newPage();
  await other.goto(consent());
  await other.getByRole("button", { name: "Take it back" }).click();
  expect(await heading(other).textContent()).toBe("Path mode is not allowed for this instance");
  expect(await closed).toBe(1008);
  upstream.seen.length = 0;
  expect(await page.evaluate(async () => (await fetch("/again")).status)).toBe(403);
  expect(upstream.seen).toEqual([]);
});

it("gives an instance that is not allowed nothing on the hub's origin: its page does not run there", async () => {
  const { page } = dashboard;
  for (const path of ["", "/", "/x.js", "/sw.js"]) {
    const status = await page.evaluate(async (url) => (await fetch(url)).status, instance.origin + path);
    expect([path, status]).toEqual([path, 403]);
  }
  await page.goto(`${instance.origin}/anything`);
  expect(page.url()).toContain("/path?next=");
  expect(upstream.seen).toEqual([]);
});

it("an allowed instance can do at the hub what its person can: that is what the page says is trusted", async () => {
  const { page } = dashboard;
  await allow(page);
  const status = await page.evaluate(async () => {
    const frame = document.body.appendChild(document.createElement("iframe"));
    // The shim keeps a well-behaved page below its prefix; whoever wants to gets past it.
    return (await frame.contentWindow?.fetch("/api/tokens"))?.status;
  });
  expect(status).toBe(200);
});

it("an allowed instance sees no cookie of the hub's, can set none, and claims no page of the hub's for its worker", async () => {
  const { page, context } = dashboard;
  await allow(page);
  await page.goto(`${instance.origin}/cookies`);
  expect(upstream.seen.length).toBeGreaterThan(0);
  expect(upstream.seen.join("\n")).not.toMatch(/__Host-orchestrator/i);
  const cookies = await context.cookies(stage.hub.origin);
  for (const { name, path } of cookies)
    if (!name.startsWith("__Host-orchestrator") && !name.startsWith("orchestrator"))
      expect([name, path]).toEqual([name, expect.stringMatching(`^/clients/${instance.label}/proxy`)]);
  const allowed = await page.evaluate(async () =>
    (await fetch("/sw.js")).headers.get("service-worker-allowed"),
  );
  if (allowed !== null) expect(allowed).toMatch(`/clients/${instance.label}/proxy`);
  await page.goto(`${stage.hub.origin}/dashboard`);
  await page.waitForFunction(() => document.body.dataset["told"] !== undefined);
});
