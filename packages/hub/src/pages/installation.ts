import { Hono } from "hono";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";

/** What a browser needs to install the hub as an app: manifest, service worker, and the page for when there is no network. */
export const installationPages = new Hono<HubContext>();

installationPages.get(routes.manifest, (c) => c.json({ name: "Orchestrator" }));
installationPages.get(routes.serviceWorker, (c) => c.body("", 200, { "content-type": "text/javascript" }));
installationPages.get(routes.offline, (c) => c.text("The hub cannot be reached."));
