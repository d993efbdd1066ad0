/**
 * An instance whose pages install a service worker, as claudecodeui's do: from then on its own requests, and the opening of
 * its pages, reach the hub through that worker. `Sec-Fetch-Dest` is then "empty", and what it caches outlives every reload.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { type Dashboard, type Puppet, startStage, type Stage } from "./pages/stage.ts";

/** Takes over every request, goes to the network for pages, to its cache first for what is below /assets/. */
const WORKER = `
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const { request } = event;
  if (!request.url.includes("/assets/")) return event.respondWith(fetch(request));
  event.respondWith(caches.match(request).then((cached) => cached ?? fetch(request).then((response) => {
    const copy = response.clone();
    event.waitUntil(caches.open("assets").then((cache) => cache.put(request, copy)).catch(() => undefined));
    return response;
  })));
});`;
const PAGE = `<!doctype html><title>instance</title><p>secret-of-the-instance</p>
<script>navigator.serviceWorker.register("/sw.js")</script>`;

let stage: Stage;
let server: Server;
let instance: Puppet;
let dashboard: Dashboard;
/** A page of the instance that is under its worker's control. */
let page: Page;

beforeAll(async () => {
  server = createServer((request, response) => {
    const [type, body] =
      request.url === "/sw.js"
        ? ["text/javascript", WORKER]
        : request.url?.startsWith("/assets/") === true
          ? ["text/plain", "asset"]
          : ["text/html", PAGE];
    response.setHeader("content-type", type).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stage = await startStage();
});
beforeEach(async () => {
  instance = await connect();
  dashboard = await stage.dashboard();
  page = await dashboard.context.newPage();
  await page.goto(`${instance.origin}/`);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
});
afterEach(() => stage.clear());
afterAll(async () => {
  await stage.stop();
  server.close();
});

function connect(clientId = "with-a-worker"): Promise<Puppet> {
  const { port } = server.address() as AddressInfo;
  return stage.instance({ clientId, target: `http://127.0.0.1:${port}` });
}

/** What the person sees in `shown` once it has arrived somewhere. */
async function sees(shown: Page, text: string): Promise<void> {
  await shown.getByText(text).waitFor();
}

it("opens from the dashboard again, and from a link elsewhere", async () => {
  const { page: board, watch } = dashboard;
  await board.locator(instance.card).getByRole("link", { name: "Open" }).click();
  await sees(board, "secret-of-the-instance");
  await board.goto("data:text/html,elsewhere");
  await board.evaluate((url) => location.assign(url), `${instance.origin}/deep/link`);
  await sees(board, "secret-of-the-instance");
  expect(board.url()).toBe(`${instance.origin}/deep/link`);
  expect(watch.complaints).toEqual([]);
});

it("lets its person in again where its cookie is gone, at the page they asked for", async () => {
  await dashboard.context.clearCookies({ domain: new URL(instance.origin).hostname });
  await page.goto(`${instance.origin}/deep/link?of=mine`);
  await sees(page, "secret-of-the-instance");
  expect(page.url()).toBe(`${instance.origin}/deep/link?of=mine`);
});

it("asks who is not signed in any more to sign in", async () => {
  await dashboard.context.clearCookies();
  await page.goto(`${instance.origin}/`);
  expect(new URL(page.url()).origin).toBe(stage.hub.origin);
  await page.waitForURL(`${stage.hub.origin}/auth/sign-in**`);
});

it("is as it was when it is back: no error of the hub stays in the worker's cache", async () => {
  const load = () => page.evaluate(async () => (await fetch("/assets/late.js")).status);
  await instance.stop();
  expect(await load()).toBe(503);
  await connect();
  expect(await load()).toBe(200);
});

it("is shown in no frame of another instance", async () => {
  const other = await connect("another");
  const theirs = await dashboard.context.newPage();
  await theirs.goto(`${other.origin}/`);
  await theirs.evaluate(async (url) => {
    const frame = document.createElement("iframe");
    frame.src = url;
    document.body.append(frame);
    await new Promise((resolve) => frame.addEventListener("load", resolve));
  }, `${instance.origin}/`);
  const frames = theirs.frames().filter((frame) => frame !== theirs.mainFrame());
  const shown = await Promise.all(frames.map((frame) => frame.content().catch(() => "")));
  expect(frames).toHaveLength(1);
  expect(shown.join()).not.toContain("secret-of-the-instance");
});
