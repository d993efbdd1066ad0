/**
 * A service worker that an instance in path mode has left in a browser answers for its pages by itself: what its owner no longer
 * allows must not go on running on the hub's origin.
 */
import { once } from "node:events";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startStage, type Dashboard, type Puppet, type Stage } from "../pages/stage.ts";

/** Answers every page of its scope, whatever the hub says. */
const WORKER = `
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  if (event.request.mode !== "navigate") return;
  event.respondWith(new Response("<title>kept</title>", { headers: { "content-type": "text/html" } }));
});`;

let stage: Stage;
let instance: Puppet;
let first: Dashboard;
const upstream = http.createServer((request, response) => {
  const isWorker = request.url === "/sw.js";
  response.setHeader("content-type", isWorker ? "text/javascript" : "text/html");
  response.end(isWorker ? WORKER : "<!doctype html><title>live</title>");
});

beforeAll(async () => {
  stage = await startStage({ INSTANCE_HOST: "none" });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
});
beforeEach(async () => {
  const { port } = upstream.address() as AddressInfo;
  instance = await stage.instance({ target: `http://127.0.0.1:${port}` });
  first = await stage.dashboard();
});
afterEach(() => stage.clear());
afterAll(async () => {
  await stage.stop();
  upstream.closeAllConnections();
  upstream.close();
});

const consent = () => `${stage.hub.origin}/clients/${instance.label}/path`;

/** Leaves the worker in the browser of this page. */
async function leaveWorker(page: Page): Promise<void> {
  await page.goto(`${instance.origin}/`);
  await page.evaluate(async () => {
    await navigator.serviceWorker.register("/sw.js");
    await navigator.serviceWorker.ready;
  });
  await expect.poll(() => titleOf(page)).toBe("kept");
}

/** Of the instance's page, opened anew. */
async function titleOf(page: Page): Promise<string> {
  await page.goto(`${instance.origin}/`);
  return page.title();
}

it("goes with what is taken back, in that browser at once and in others when they come there next", async () => {
  const { page } = first;
  await page.goto(consent());
  await page.getByRole("button", { name: "Allow path mode" }).click();
  await leaveWorker(page);
  const second = await stage.dashboard();
  await leaveWorker(second.page);
  await page.goto(consent());
  await page.getByRole("button", { name: "Take it back" }).click();
  await page.waitForURL(consent());
  expect(await titleOf(page)).toContain("Path mode");
  // Opening it has the browser ask for the worker's script again, a while after the last page was opened.
  await expect.poll(() => titleOf(second.page), { interval: 2500, timeout: 20_000 }).toContain("Path mode");
});
