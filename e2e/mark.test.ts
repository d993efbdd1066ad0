/**
 * The mark in the pages of instances, of every kind: what it says while connections come and go, where it leads, what it costs
 * the page, and that it is gone when it is not wanted.
 */
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { signOut } from "./pages/account.ts";
import { axeFindings } from "./pages/axe.ts";
import { type Dashboard, type Puppet, startStage, type Stage } from "./pages/stage.ts";
import { Watch } from "./pages/watch.ts";

/** The pages of the instance, by path: the beginning of each document, and its policy. */
const PAGES: Record<string, { html: string; policy?: string }> = {
  "/": {
    html: "<!doctype html><html><head><title>plain</title></head><body><p>plain page</p></body></html>",
  },
  "/deep/link": { html: "<!doctype html><title>deep</title><p>deep page</p>" },
  // What single-page applications do to a page, and what a careful or a careless one does to its globals.
  "/spa": {
    html: `<!doctype html><html><head><script>
      for (const one of [Object, Array, Function, Promise, Element, Node, EventTarget, WebSocket]) Object.freeze(one.prototype);
      addEventListener("load", () => {
        window.WebSocket = class { constructor() { throw new Error("not here"); } };
        window.fetch = () => { throw new Error("not here"); };
        document.body = document.createElement("body");
        document.body.textContent = "drawn anew";
        setTimeout(() => {
          for (const child of [...document.documentElement.children]) if (child !== document.head && child !== document.body) child.remove();
        }, 200);
      });
    </script></head><body>first</body></html>`,
  },
  "/hostile": {
    html: `<!doctype html><p>hostile page</p><script>
      new MutationObserver(() => document.querySelector("orchestrator-mark")?.remove())
        .observe(document.documentElement, { childList: true });
    </script>`,
  },
  "/styled": {
    html: `<!doctype html><style>html > * { display: none !important; opacity: 0 !important; font: 99px serif !important }</style><p>styled</p>`,
  },
  "/no-scripts": { html: "<!doctype html><p>policy page</p>", policy: "default-src 'none'" },
  "/nonce": { html: "<!doctype html><p>policy page</p>", policy: "script-src 'nonce-abc'" },
  "/no-connections": {
    html: "<!doctype html><p>policy page</p>",
    policy: "script-src 'self'; connect-src 'none'",
  },
  "/no-frames": {
    html: "<!doctype html><p>policy page</p>",
    policy: "default-src 'self'; require-trusted-types-for 'script'",
  },
  "/worker": {
    html: `<!doctype html><p>worker page</p><script>navigator.serviceWorker.register("/sw.js")</script>`,
  },
};
const WORKER = `
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => event.respondWith(fetch(event.request)));`;

let stage: Stage;
let server: Server;
let instance: Puppet;
let dashboard: Dashboard;

beforeAll(async () => {
  server = createServer((request, response) => answer(request.url ?? "/", response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stage = await startStage();
});
beforeEach(async () => {
  instance = await connect("marked");
  dashboard = await stage.dashboard();
});
afterEach(() => stage.clear());
afterAll(async () => {
  await stage.stop();
  server.close();
});

function answer(url: string, response: ServerResponse): void {
  const [path = "/"] = url.split("?", 1);
  if (path === "/sw.js") return void response.setHeader("content-type", "text/javascript").end(WORKER);
  if (path === "/favicon.ico") return void response.writeHead(204).end();
  const page = PAGES[path];
  response.setHeader("content-type", "text/html; charset=utf-8");
  if (page?.policy !== undefined) response.setHeader("content-security-policy", page.policy);
  response.statusCode = page === undefined ? 404 : 200;
  response.end(page?.html ?? "<!doctype html><p>not found");
}

function connect(clientId: string): Promise<Puppet> {
  const { port } = server.address() as AddressInfo;
  return stage.instance({ clientId, target: `http://127.0.0.1:${port}`, project: `/home/dev/${clientId}` });
}

interface Opened {
  page: Page;
  watch: Watch;
}

/** Opens a page of the instance in a tab whose closed shadow roots the test can see into. */
async function open(path = "/", context: BrowserContext = dashboard.context): Promise<Opened> {
  const page = await context.newPage();
  const watch = await Watch.start(page);
  await page.addInitScript(() => {
    // oxlint-disable-next-line typescript/unbound-method -- it is called with what it belongs to
    Element.prototype.attachShadow = new Proxy(Element.prototype.attachShadow, {
      apply: (attach, host: Element, [init]: [ShadowRootInit]) =>
        attach.call(host, { ...init, mode: "open" }),
    });
  });
  await page.goto(instance.origin + path);
  return { page, watch };
}

/** How many timers are set in the page, which has none of its own; from its next load on. */
async function followTimers(page: Page): Promise<() => Promise<number>> {
  await page.addInitScript(() => {
    const timers = new Set<number>();
    Object.assign(window, { timers });
    const later = window.setTimeout.bind(window);
    const often = window.setInterval.bind(window);
    const clear = window.clearTimeout.bind(window);
    const stop = (id: number) => {
      timers.delete(id);
      clear(id);
    };
    const note = (id: number) => {
      timers.add(id);
      return id;
    };
    Object.assign(window, {
      clearTimeout: stop,
      clearInterval: stop,
      setInterval: (act: () => void, ms: number) => note(often(act, ms)),
      setTimeout: (act: () => void, ms: number) => {
        const id = note(
          later(() => {
            timers.delete(id);
            act();
          }, ms),
        );
        return id;
      },
    });
  });
  return () => page.evaluate(() => (window as unknown as { timers: Set<number> }).timers.size);
}

const tabOf = (page: Page) => page.locator("orchestrator-mark .tab");
const frameOf = (page: Page) => page.frameLocator("orchestrator-mark iframe");

/** Waits until the mark says so. */
async function says(page: Page, words: string | RegExp): Promise<void> {
  await page.locator("orchestrator-mark").getByRole("button", { name: words }).waitFor();
}

describe("what it says", () => {
  it("is that the instance is away and back, without the page being loaded again", async () => {
    const { page, watch } = await open();
    await says(page, /Connected through the hub/);
    await instance.stop();
    await says(page, /The instance is away since \d/);
    expect(await page.locator("orchestrator-mark .tab span").isVisible()).toBe(true);
    // What is said to screen readers is not drawn into the page as well.
    const said = page.locator("orchestrator-mark").getByRole("status");
    expect(await said.textContent()).toMatch(/^The instance is away/);
    expect(await said.boundingBox()).toMatchObject({ width: 1, height: 1 });
    await connect("marked");
    await says(page, /Connected through the hub/);
    expect(watch.navigations).toEqual([`${instance.origin}/`]);
    expect(watch.sockets).toHaveLength(1);
    expect(watch.complaints).toEqual([]);
  });

  it("is that the hub is away and back", async () => {
    const { page, watch } = await open();
    await says(page, /Connected/);
    await stage.hub.kill();
    await says(page, /The hub cannot be reached since \d/);
    await stage.hub.restart();
    await says(page, /Connected/);
    expect(watch.navigations).toEqual([`${instance.origin}/`]);
  });

  it("is that its person has signed out, and then it asks no more", async () => {
    const { page, watch } = await open();
    await says(page, /Connected/);
    await signOut(dashboard.page);
    await says(page, /Signed out of the hub/);
    await page.waitForTimeout(2000);
    expect(watch.sockets).toHaveLength(1);
  });

  it("is made sure of when somebody comes back to the page, and not all the time", async () => {
    const { page } = await open();
    const sent: string[] = [];
    page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => sent.push(payload.toString())));
    await page.reload();
    await says(page, /Connected/);
    const comeBackAfter = (ms: number) =>
      page.evaluate((passed) => {
        const now = Date.now.bind(Date);
        Date.now = () => now() + passed;
        document.dispatchEvent(new Event("visibilitychange"));
      }, ms);
    await comeBackAfter(10_000);
    await expect.poll(() => sent).toEqual(["orchestrator.v2.ping"]);
    await comeBackAfter(60_000);
    await expect.poll(() => sent).toEqual(["orchestrator.v2.ping", "orchestrator.v2.ping", "look"]);
  });

  it("waits for somebody to look: a hidden page asks nothing, and no timer of the mark's wakes it", async () => {
    const { page, watch } = await open();
    const timers = await followTimers(page);
    await page.reload();
    await says(page, /Connected/);
    expect(await timers()).toBe(1);
    watch.reset();
    const show = (isShown: boolean) =>
      page.evaluate((shown) => {
        Object.defineProperty(document, "hidden", { value: !shown, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, isShown);
    await show(false);
    // It hears what it is told.
    await instance.stop();
    await expect.poll(() => tabOf(page).getAttribute("aria-label")).toContain("away since");
    expect(await timers()).toBe(0);
    await stage.hub.kill();
    await page.waitForTimeout(4000);
    expect([watch.sockets, watch.requests, await timers()]).toEqual([[], [], 0]);
    await stage.hub.restart();
    await connect("marked");
    await show(true);
    await says(page, /Connected/);
    expect(watch.sockets).toHaveLength(1);
  });
});

describe("where it leads", () => {
  it("is any other instance, which the page around does not learn of", async () => {
    const other = await connect("another-one");
    const { page, watch } = await open();
    const frames: string[] = [];
    page.on("websocket", (socket) =>
      socket.on("framereceived", ({ payload }) => frames.push(payload.toString())),
    );
    await page.reload();
    await says(page, /Connected/);
    await tabOf(page).click();
    const link = frameOf(page).getByRole("link", { name: /another-one/ });
    await link.waitFor();
    const seen = await page.evaluate(() => {
      const mark = document.querySelector("orchestrator-mark");
      const inside = mark?.shadowRoot?.querySelector("iframe");
      const texts = [document.documentElement.outerHTML, mark?.shadowRoot?.innerHTML];
      return { text: texts.join(), document: inside?.contentDocument };
    });
    expect(seen.document).toBeNull();
    expect(seen.text).not.toContain("another-one");
    expect(new Set(frames)).toEqual(new Set(["connected"]));
    await link.click();
    await page.waitForURL(`${other.origin}/`);
    expect(watch.complaints).toEqual([]);
  });

  it("is left by Escape in the page and in the frame, by a click elsewhere, and by its own button", async () => {
    const { page } = await open();
    const keys: string[] = [];
    await page.exposeFunction("tell", (key: string) => keys.push(key));
    await page.evaluate(() => {
      const { tell } = window as unknown as { tell: (key: string) => void };
      document.addEventListener("keydown", ({ key }) => tell(key));
    });
    const panel = page.locator("orchestrator-mark .panel");
    const search = frameOf(page).getByRole("searchbox");
    for (const leave of [
      () => page.keyboard.press("Escape"),
      async () => {
        await page.evaluate(() => (document.activeElement as HTMLElement).blur());
        await page.keyboard.press("Escape");
      },
      () => page.locator("orchestrator-mark").getByRole("button", { name: "Close" }).press("Escape"),
      () => page.getByText("plain page").click(),
      () => page.locator("orchestrator-mark").getByRole("button", { name: "Close" }).click(),
    ]) {
      await tabOf(page).press("Enter");
      await expect.poll(() => search.evaluate((field) => document.activeElement === field)).toBe(true);
      await leave();
      await panel.waitFor({ state: "hidden" });
      expect(await page.locator("orchestrator-mark iframe").count()).toBe(0);
    }
    // What is meant for the mark is no key of the page's.
    expect(keys).toEqual([]);
  });

  it("is in order for axe, closed, open, and loud", async () => {
    const { page } = await open();
    await says(page, /Connected/);
    expect(await axeFindings(page, "orchestrator-mark")).toEqual([]);
    await tabOf(page).click();
    await frameOf(page).getByRole("searchbox").waitFor();
    expect(await axeFindings(page, "orchestrator-mark")).toEqual([]);
    await page.keyboard.press("Escape");
    await instance.stop();
    await says(page, /away/);
    expect(await axeFindings(page, "orchestrator-mark")).toEqual([]);
  });

  it("stays where the person has moved it", async () => {
    const { page } = await open();
    const right = await tabOf(page).boundingBox();
    await tabOf(page).click();
    await page.locator("orchestrator-mark").getByRole("button", { name: "Move" }).click();
    await page.reload();
    const left = await tabOf(page).boundingBox();
    expect([right?.x === 0, left?.x]).toEqual([false, 0]);
  });
});

describe("what it costs the page", () => {
  it.each(["/", "/deep/link", "/spa", "/hostile", "/styled", "/worker"])("nothing at %s", async (path) => {
    const { page, watch } = await open(path);
    if (path === "/worker") {
      await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
      await page.reload();
    }
    if (path === "/hostile") await page.waitForTimeout(1000);
    else {
      await says(page, /Connected/);
      await page.waitForTimeout(500);
      await says(page, /Connected/);
      const box = await tabOf(page).boundingBox();
      expect([box?.width, box?.height]).toEqual([24, 40]);
    }
    expect(watch.complaints).toEqual([]);
    expect(
      await page.evaluate(() => scrollX + scrollY + document.documentElement.scrollWidth - innerWidth),
    ).toBe(0);
  });

  it.each(["/no-scripts", "/nonce"])("nothing, the mark included, where %s forbids scripts", async (path) => {
    const { page, watch } = await open(path);
    await page.getByText("policy page").waitFor();
    await page.waitForTimeout(500);
    expect(await page.locator("orchestrator-mark").count()).toBe(0);
    expect(watch.complaints).toEqual([]);
    expect(watch.requests.filter((request) => request.includes("mark.js"))).toEqual([]);
  });

  it("one complaint where the page may connect nowhere, and then it asks no more", async () => {
    const { page, watch } = await open("/no-connections");
    await says(page, /Seen through the hub/);
    await page.waitForTimeout(2000);
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await page.waitForTimeout(1000);
    expect(watch.complaints.filter((text) => text.startsWith("CSP:"))).toHaveLength(1);
    expect(watch.complaints.filter((text) => !/^CSP:|Content Security Policy/.test(text))).toEqual([]);
  });

  it("a link in place of the list where the page may show no frame", async () => {
    const { page } = await open("/no-frames");
    await tabOf(page).click();
    await page.locator("orchestrator-mark").getByRole("link", { name: "Dashboard" }).click();
    await page.waitForURL(`${stage.hub.origin}/dashboard`);
  });

  it("no second mark in a frame of the page's own", async () => {
    const { page } = await open("/worker");
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await page.evaluate(async () => {
      const frame = document.createElement("iframe");
      frame.src = "/";
      document.body.append(frame);
      await new Promise((resolve) => frame.addEventListener("load", resolve));
    });
    await page.waitForTimeout(500);
    const marks = page.frames().map((frame) => frame.locator("orchestrator-mark").count());
    expect(await Promise.all(marks)).toEqual([1, 0]);
  });
});

describe("where it is not wanted", () => {
  it("is gone at once by its own button, from where one was, and back by the settings", async () => {
    const { page } = await open("/deep/link?of=mine");
    await tabOf(page).click();
    await frameOf(page).getByRole("button", { name: "Hide the mark" }).click();
    await page.waitForURL(`${instance.origin}/deep/link?of=mine`);
    await page.getByText("deep page").waitFor();
    expect(await page.locator("script[data-hub]").count()).toBe(0);
    await page.reload();
    expect(await page.locator("script[data-hub]").count()).toBe(0);

    const board = dashboard.page;
    await board.click(".account");
    await board.getByRole("link", { name: "Settings" }).click();
    await board.getByText("It is hidden.").waitFor();
    await board.getByRole("button", { name: "Show the mark" }).click();
    await board.getByText("It is shown.").waitFor();
    // As when its cookie is not fresh any more, the page is let in anew.
    await page.goto(`${instance.origin}/.orchestrator/enter?next=${encodeURIComponent("/deep/link")}`);
    await page.waitForURL(`${instance.origin}/deep/link`);
    await says(page, /Connected/);
  });
});

it("tells no other origin whether the instance is there", async () => {
  const other = await connect("another-one");
  const { page } = await open();
  const address = `${other.origin.replace(/^http/, "ws")}/.orchestrator/presence`;
  const heard = await page.evaluate(async (url) => {
    const socket = new WebSocket(url);
    return new Promise<string>((resolve) => {
      socket.addEventListener("message", ({ data }) => resolve(String(data)));
      socket.addEventListener("close", () => resolve("refused"));
    });
  }, address);
  expect(heard).toBe("refused");
  const script = `${other.origin}/.orchestrator/mark.js`;
  const loaded = await page.evaluate(async (source) => {
    const tag = Object.assign(document.createElement("script"), { src: source });
    document.head.append(tag);
    return new Promise((resolve) => {
      tag.addEventListener("load", () => resolve("loaded"));
      tag.addEventListener("error", () => resolve("refused"));
    });
  }, script);
  expect(loaded).toBe("refused");
});
