/** The hub as an installed app: what a browser takes it for, what it shows while the hub is away, and what it keeps. */
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { signOut } from "./pages/account.ts";
import { type Dashboard, session, startStage, type Stage } from "./pages/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
});
afterEach(() => stage.clear());
afterAll(() => stage.stop());

/** A signed-in browser whose service worker is at work. */
async function installed(): Promise<Dashboard> {
  const dashboard = await stage.dashboard();
  await dashboard.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  return dashboard;
}

const AWAY = "The hub does not answer";

it("is what Chromium can install", async () => {
  const { page } = await installed();
  const devtools = await page.context().newCDPSession(page);
  const { url, errors, data = "" } = await devtools.send("Page.getAppManifest");
  expect({ url, errors }).toEqual({ url: `${stage.hub.origin}/manifest.webmanifest`, errors: [] });
  // Its profile is one that keeps nothing, which is all that is wrong with it.
  const { installabilityErrors } = await devtools.send("Page.getInstallabilityErrors");
  const wrong = installabilityErrors.map(({ errorId }) => errorId);
  expect(wrong.filter((id) => id !== "in-incognito")).toEqual([]);

  const manifest = JSON.parse(data) as {
    icons: { src: string; sizes: string; type: string; purpose: string }[];
    shortcuts: { url: string }[];
  };
  const icons = await page.evaluate(
    async (list) =>
      Promise.all(
        list.map(async ({ src }) => {
          const answer = await fetch(src);
          const type = answer.headers.get("content-type") ?? "";
          if (type.includes("svg")) return ["any", type];
          const { width, height } = await createImageBitmap(await answer.blob());
          return [`${width}x${height}`, type];
        }),
      ),
    manifest.icons,
  );
  expect(icons).toEqual(manifest.icons.map(({ sizes, type }) => [sizes, type]));
  expect(manifest.icons.map(({ sizes, purpose }) => `${sizes} ${purpose}`)).toEqual(
    expect.arrayContaining(["192x192 any", "512x512 any", "512x512 maskable"]),
  );
  for (const shortcut of manifest.shortcuts) {
    const opened = await page.goto(stage.hub.origin + shortcut.url);
    expect([shortcut.url, opened?.status()]).toEqual([shortcut.url, 200]);
  }
});

it("shows its own page while the hub is away, and the one asked for when it is back, by itself and once", async () => {
  const { clientId } = await stage.instance({ project: "/home/dev/private-project" });
  const { page } = await installed();
  await page.getByText("private-project").first().waitFor();
  for (const path of ["/dashboard", "/tokens", `/clients/${clientId}`]) {
    await stage.hub.kill();
    const opened = await page.goto(stage.hub.origin + path);
    expect(opened?.fromServiceWorker()).toBe(true);
    await page.getByText(AWAY).waitFor();
    expect(page.url()).toBe(stage.hub.origin + path);
    expect(await page.content()).not.toContain("private-project");
    // It looks as it should: its stylesheet was kept as well.
    expect(await page.locator(".notice").evaluate((notice) => getComputedStyle(notice).display)).toBe("grid");
    const navigations: string[] = [];
    page.on("framenavigated", (frame) => navigations.push(frame.url()));
    await page.getByText("Still trying.").waitFor();
    await stage.hub.restart();
    await page.getByRole("link", { name: "Orchestrator" }).waitFor();
    await page.waitForTimeout(2000);
    expect(navigations).toEqual([stage.hub.origin + path]);
    page.removeAllListeners("framenavigated");
  }
});

it("keeps nothing but the page for when the hub is away", async () => {
  await stage.instance({ project: "/home/dev/private-project" });
  const { page } = await installed();
  await page.getByText("private-project").first().waitFor();
  for (const path of ["/activity", "/tokens", "/settings", "/dashboard"])
    await page.goto(stage.hub.origin + path);
  const kept = await page.evaluate(async () => {
    const found: { url: string; text: string }[] = [];
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) {
        const answer = await cache.match(request);
        found.push({ url: new URL(request.url).pathname, text: (await answer?.text()) ?? "" });
      }
    }
    return found;
  });
  const files = kept.map(({ url }) => url.replace(/^\/\.orchestrator\/assets\/\w+\//, ""));
  expect(files.toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
    "/offline",
    "app.css",
    "icon.svg",
    "recover.js",
    "theme.js",
  ]);
  expect(kept.filter(({ text }) => /private-project|Sign out/.test(text))).toEqual([]);
});

it("shows who has signed out nothing of before, with and without the hub", async () => {
  await stage.instance({ project: "/home/dev/private-project" });
  const { page } = await installed();
  await signOut(page);
  await page.waitForURL("**/auth/sign-in**");
  const seen: string[] = [];
  for (const step of ["there", "away"]) {
    if (step === "away") await stage.hub.kill();
    await page.goto(`${stage.hub.origin}/dashboard`);
    seen.push(await page.content());
  }
  await stage.hub.restart();
  expect(seen.filter((text) => text.includes("private-project"))).toEqual([]);
  expect(seen.map((text) => text.includes(AWAY))).toEqual([false, true]);
});

it("lets in and out, and to instances, as without a worker", async () => {
  const instance = await stage.instance();
  const { page, context, watch } = await installed();
  // A page of the instance sends the browser to the hub for a code, and that back.
  const opened = await page.goto(`${instance.origin}/`);
  expect(new URL(page.url()).origin).toBe(instance.origin);
  // Nothing listens behind it.
  expect(opened?.status()).toBe(502);
  await page.goto(await stage.hub.signInLink());
  await page.waitForURL("**/dashboard");
  await signOut(page);
  await page.waitForURL("**/auth/sign-in**");
  expect(await context.cookies(`${stage.hub.origin}/`)).toSatisfy((cookies: { name: string }[]) =>
    cookies.every(({ name }) => !name.endsWith("-session")),
  );
  expect(watch.complaints.filter((text) => !text.includes("502"))).toEqual([]);
});

it("is nothing that a page puts into the browser of somebody who is not signed in", async () => {
  const page = await (await stage.profile()).newPage();
  await page.goto(`${stage.hub.origin}/auth/sign-in`);
  await page.waitForTimeout(500);
  expect(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length)).toBe(0);
});

it("is replaced by the next version, which forgets what the one before has kept", async () => {
  const { page } = await installed();
  const names = await page.evaluate(async () => {
    await caches.open("offline-before");
    const [registration] = await navigator.serviceWorker.getRegistrations();
    await registration?.unregister();
    return caches.keys();
  });
  expect(names).toContain("offline-before");
  await page.reload();
  await expect
    .poll(() => page.evaluate(() => caches.keys()))
    .toEqual(names.filter((name) => name !== "offline-before"));
});

it("says in its icons that somebody is needed, and only then", async () => {
  const instance = await stage.instance({ sessions: [] });
  const { page, watch } = await stage.dashboard();
  const icon = async () => (await page.getAttribute("link[rel=icon]", "href"))?.split("/").at(-1);
  await page.evaluate(() => {
    const told: (number | undefined)[] = [];
    Object.assign(window, { told });
    Object.assign(navigator, {
      setAppBadge: async (count: number) => void told.push(count),
      clearAppBadge: async () => void told.push(0),
    });
  });
  expect(await icon()).toBe("icon.svg");
  instance.set(session("needs_permission"));
  await expect.poll(icon).toBe("icon-needs.svg");
  instance.set(session("idle"));
  await expect.poll(icon).toBe("icon.svg");
  const told = await page.evaluate(() => (window as unknown as { told: number[] }).told);
  expect([told.includes(1), told.at(-1)]).toEqual([true, 0]);
  expect(watch.complaints).toEqual([]);
});

it("follows the theme that was chosen, at once, on every page and in every tab, without a flash", async () => {
  const { page, context } = await stage.dashboard({ colorScheme: "light" });
  const settings = await context.newPage();
  await settings.goto(`${stage.hub.origin}/settings`);
  const ground = (shown: Page) =>
    shown.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const [light, dark] = ["rgb(246, 247, 247)", "rgb(16, 19, 20)"];
  expect(await ground(page)).toBe(light);
  await settings.getByLabel("Dark").check();
  for (const tab of [settings, page]) await expect.poll(() => ground(tab)).toBe(dark);
  const bar = () =>
    settings.evaluate(() => {
      const metas = [...document.querySelectorAll<HTMLMetaElement>("meta[name=theme-color]")];
      return metas.find(({ media }) => matchMedia(media).matches)?.content;
    });
  expect(await bar()).toBe("#181c1e");

  // What is painted first is what was chosen: it stands there before the body does.
  await page.addInitScript(() => {
    const seen: unknown[] = [];
    Object.assign(window, { seen });
    new MutationObserver((_records, observer) => {
      if (document.body === null) return;
      seen.push(document.documentElement.dataset["theme"]);
      observer.disconnect();
    }).observe(document, { childList: true, subtree: true });
  });
  for (const path of ["/dashboard", "/tokens", "/offline", "/no-such-page"]) {
    await page.goto(stage.hub.origin + path);
    expect(await ground(page)).toBe(dark);
    expect(await page.evaluate(() => (window as unknown as { seen: unknown[] }).seen)).toEqual(["dark"]);
  }
  expect(await settings.getByLabel("Dark").isChecked()).toBe(true);
  await settings.reload();
  expect(await settings.getByLabel("Dark").isChecked()).toBe(true);
  await settings.getByLabel("As the system").check();
  for (const tab of [settings, page]) await expect.poll(() => ground(tab)).toBe(light);
});
