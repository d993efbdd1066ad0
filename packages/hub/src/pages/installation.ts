import { Hono } from "hono";
import { assetPath } from "../assets.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { OfflinePage } from "../ui/offline.tsx";

/** What a browser needs to install the hub as an app: manifest, service worker, and the page for when the hub does not answer. */
export const installationPages = new Hono<HubContext>();

/** Nothing in these is anybody's; a browser asks whether they have changed. */
const ASK_AGAIN = { "cache-control": "no-cache" };

const SHORTCUTS = [
  { name: "Activity", url: routes.activity },
  { name: "Tokens", url: routes.tokens },
];

installationPages.get(routes.manifest, (c) => {
  const icon = (file: string, sizes: string, purpose: string) => {
    const type = file.endsWith(".svg") ? "image/svg+xml" : "image/png";
    return { src: assetPath(file), sizes, type, purpose };
  };
  const manifest = {
    id: routes.home,
    name: "Orchestrator",
    short_name: "Orchestrator",
    description: "Every running Claude Code web UI on one page.",
    start_url: routes.dashboard,
    scope: routes.home,
    display: "standalone",
    theme_color: "#14684f",
    background_color: "#101314",
    icons: [
      icon("icon-192.png", "192x192", "any"),
      icon("icon-512.png", "512x512", "any"),
      icon("icon-maskable-512.png", "512x512", "maskable"),
      icon("icon.svg", "any", "any"),
    ],
    shortcuts: SHORTCUTS,
  };
  return c.json(manifest, 200, { ...ASK_AGAIN, "content-type": "application/manifest+json" });
});

/** Its code is a static file; here it is at the root, because a service worker answers for pages below its own path. */
installationPages.get(routes.serviceWorker, async (c) => {
  const file = await c.env.ASSETS.fetch(new URL(assetPath("service-worker.js"), c.req.url).href);
  if (!file.ok) throw new HubError("not_found");
  return new Response(file.body, {
    headers: { ...ASK_AGAIN, "content-type": "text/javascript; charset=utf-8" },
  });
});

installationPages.get(routes.offline, (c) => c.html(OfflinePage(), 200, ASK_AGAIN));
