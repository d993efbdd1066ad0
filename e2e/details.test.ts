/** What is behind a card, an instance's own page and the activity, in a browser with scripts and in one without. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { session, startStage, type Stage } from "./pages/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
}, 60_000);
afterEach(() => stage.clear());
afterAll(() => stage.stop());

test("what is behind a card comes when it is opened, measures again in its place, and is drawn anew after an action", async () => {
  const sessions = Array.from({ length: 4 }, (_, index) => ({
    ...session("needs_permission", `Step ${index}`),
    id: `session-${index}`,
    project: `/home/dev/part-${index}`,
  }));
  const puppet = await stage.instance({ sessions });
  const { page, watch } = await stage.dashboard();
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  const card = page.locator(puppet.card);
  const base = `/clients/${puppet.label}`;
  expect(asked).toEqual([]);
  await card.locator("summary").click();
  await card.locator(".report b").waitFor();
  expect(await card.locator(".details").textContent()).toContain("test-host (linux)");
  expect(await card.locator(".log li").count()).toBeGreaterThan(0);
  const listed = await card.locator(".session-list .line").allTextContents();
  expect(listed.map((line) => /Step \d/.exec(line)?.[0])).toEqual(["Step 0", "Step 1", "Step 2", "Step 3"]);
  expect(listed[3]).toContain("~/part-3");
  expect(asked.filter((path) => path.startsWith(base))).toEqual([`${base}/details`, `${base}/report`]);

  const height = await card.locator(".report").evaluate((report) => report.clientHeight);
  await Promise.all([
    page.waitForResponse((response) => response.url().endsWith("/report")),
    card.getByRole("link", { name: "Measure again" }).click(),
  ]);
  await card.locator(".report b").waitFor();
  expect(await card.locator(".report").evaluate((report) => report.clientHeight)).toBe(height);
  expect(new URL(page.url()).pathname).toBe("/dashboard");

  await page.route("**/report", (route) => route.abort());
  await card.getByRole("link", { name: "Measure again" }).click();
  await page.locator("#alerts .toast", { hasText: "The hub could not be reached" }).waitFor();
  await page.unroute("**/report");
  // Chromium and htmx say it as well.
  watch.complaints.length = 0;

  await card.locator("input[name=name]").fill("Web shop");
  await card.getByRole("button", { name: "Rename" }).click();
  await card.locator(".card-title", { hasText: "Web shop" }).waitFor();
  await card.locator(".event", { hasText: "renamed to Web shop by local" }).waitFor();

  await card.getByRole("button", { name: "Disconnect" }).click();
  await card.getByRole("button", { name: "Let it back" }).first().waitFor();
  await card.locator(".report", { hasText: "there is no connector to ask" }).waitFor();
  expect(watch.complaints).toEqual([]);
}, 60_000);

test("what is behind a card follows its instance, and takes neither the focus nor what is being typed", async () => {
  const done = { ...session("done", "Describe the export"), id: "session-2" };
  const puppet = await stage.instance({ sessions: [done] });
  const { page, watch } = await stage.dashboard({ viewport: { width: 1000, height: 300 } });
  const reports: string[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/report")) reports.push(request.url());
  });
  const card = page.locator(puppet.card);
  const focused = () => page.evaluate(() => document.activeElement?.textContent);
  await card.locator(".card-open").focus();
  await page.keyboard.press("x");
  await card.locator(".report b").waitFor();
  // Though it reaches past the end of the page.
  const bottom = await card.locator(".card-details").evaluate((one) => one.getBoundingClientRect().bottom);
  expect(bottom).toBeLessThanOrEqual(300);

  await card.locator(".details input").focus();
  await page.keyboard.type("Hand");
  puppet.set(done, session("needs_answer", "Which format?"));
  await card.locator(".session-list", { hasText: "needs an answer" }).waitFor();
  await card.locator(".event", { hasText: "needs an answer" }).waitFor();
  await page.keyboard.type("book");
  expect(await card.locator(".details input").inputValue()).toBe("Handbook");
  expect(reports).toHaveLength(1);

  await card.getByRole("button", { name: "Refresh" }).focus();
  const redrawn = () =>
    Promise.all([
      page.waitForResponse((response) => response.url().endsWith("/details")),
      page.keyboard.press("Enter"),
    ]);
  await redrawn();
  await card.locator(".report b").waitFor();
  expect(await focused()).toBe("Refresh");
  // What is offered no more gives the focus to its card.
  await card.getByRole("button", { name: "Mark as seen" }).focus();
  await redrawn();
  await expect.poll(focused).toBe("Open");
  expect(watch.complaints).toEqual([]);
}, 60_000);

test("an instance's own page does everything without scripts", async () => {
  const puppet = await stage.instance({ sessions: [session("done", "Describe the export")] });
  const context = await stage.profile({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(await stage.hub.signInLink());
  await page.goto(`${stage.hub.origin}/clients/${puppet.label}`);
  await page.locator(".actions input[name=name]").fill("Handbook");
  await page.getByRole("button", { name: "Rename" }).click();
  expect(await page.locator("h1").textContent()).toBe("Handbook");
  await page.getByRole("button", { name: "Mark as seen" }).click();
  expect(await page.locator(".table tbody tr").first().textContent()).toContain("idle");
  await page.getByRole("link", { name: "Ask its connector" }).click();
  expect(await page.locator(".report b").first().textContent()).toMatch(/^\d+ ms$/);
  await page.getByRole("link", { name: "Measure again" }).click();
  expect(await page.locator(".log li").count()).toBeGreaterThan(0);
  await page.getByRole("link", { name: "Handbook" }).click();
  await page.getByRole("button", { name: "Disconnect" }).click();
  await page.getByRole("button", { name: "Let it back" }).waitFor();
  await page.getByRole("button", { name: "Forget" }).click();
  expect(new URL(page.url()).pathname).toBe("/dashboard");

  await page.goto(`${stage.hub.origin}/activity?instance=${puppet.label}`);
  const lines = await page.locator(".event .line-text").allTextContents();
  expect(lines.slice(0, 5)).toEqual([
    "forgotten by local",
    "disconnected by local",
    "sent away by its owner",
    "marked as seen by local",
    "renamed to Handbook by local",
  ]);
}, 60_000);

test("days and times of the activity are those of the browser's own clock", async () => {
  const puppet = await stage.instance();
  const { page } = await stage.dashboard({ timezoneId: "Asia/Kathmandu" });
  await page.goto(`${stage.hub.origin}/activity?instance=${puppet.label}`);
  const at = await page.locator(".event time").first().getAttribute("datetime");
  const told = await page.locator(".event time").first().textContent();
  const zone = { timeZone: "Asia/Kathmandu", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  expect(told).toBe(new Intl.DateTimeFormat("en-GB", zone).format(new Date(at ?? "")));
}, 60_000);
