// Shows a page of ours where the hub does not answer when one of its pages is opened. Keeps that page and its static files,
// and nothing that is anybody's: what pages ask for it passes on and does not store.
"use strict";
(() => {
  const version = new URL(location.href).searchParams.get("version");
  const KEPT = `offline-${version}`;
  const OFFLINE = "/offline";
  const ASSETS = `/.orchestrator/assets/${version}/`;
  const FILES = ["app.css", "icon.svg", "recover.js", "theme.js"].map((file) => ASSETS + file);
  // What people open. Paths that hand over codes, or serve what is an instance's, are the browser's own to ask for.
  const PAGES =
    /^\/(?:(?:access|activity|audit|clients|dashboard|sessions|settings|tokens)?|clients\/[^/]+)$/;

  async function keep() {
    const page = await fetch(OFFLINE, { credentials: "omit", cache: "reload" });
    // Between the page that brought us and now there was a deploy: the next page brings the next one.
    if (!page.ok || !(await page.clone().text()).includes(ASSETS)) throw new Error("another version");
    const cache = await caches.open(KEPT);
    // The page that brought us has most of them already.
    await cache.addAll(FILES);
    await cache.put(OFFLINE, page);
    await skipWaiting();
  }

  async function forgetOthers() {
    const others = (await caches.keys()).filter((name) => name.startsWith("offline-") && name !== KEPT);
    await Promise.all(others.map((name) => caches.delete(name)));
    await clients.claim();
  }

  async function kept(path) {
    return (await caches.open(KEPT)).match(path);
  }

  async function open(request) {
    try {
      return await fetch(request);
    } catch {
      return (await kept(OFFLINE)) ?? Response.error();
    }
  }

  addEventListener("install", (event) => event.waitUntil(keep()));
  addEventListener("activate", (event) => event.waitUntil(forgetOthers()));
  addEventListener("fetch", (event) => {
    const { request } = event;
    const { origin, pathname } = new URL(request.url);
    if (origin !== location.origin || request.method !== "GET") return;
    if (request.mode === "navigate" && PAGES.test(pathname)) event.respondWith(open(request));
    // They never change, so what is kept is what would be sent.
    else if (FILES.includes(pathname))
      event.respondWith(kept(pathname).then((file) => file ?? fetch(request)));
  });
})();
