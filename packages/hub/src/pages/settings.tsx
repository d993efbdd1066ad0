import { Hono } from "hono";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { Layout } from "../ui/layout.tsx";

/** How the hub looks to this person, in this browser and everywhere. */
export const settingsPages = new Hono<HubContext>();

settingsPages.get(routes.settings, (c) =>
  c.html(
    <Layout title="Settings · Orchestrator" session={c.get("session")}>
      <main class="page">
        <h1>Settings</h1>
      </main>
    </Layout>,
  ),
);

settingsPages.post(routes.settings, (c) => c.redirect(routes.settings, 303));
