import { Hono } from "hono";
import * as v from "valibot";
import { ACTIVITY_FILTERS } from "../activity.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { Layout } from "../ui/layout.tsx";

/** What happened, newest first: to all instances of a person, or to one. */
export const activityPages = new Hono<HubContext>();

activityPages.get(routes.activity, async (c) => {
  const session = c.get("session");
  const filter = v.parse(v.fallback(v.picklist(ACTIVITY_FILTERS), "all"), c.req.query("show"));
  const page = await c.env.USER_HUB.getByName(session.userId).activity(session.id, { filter });
  if (page === "signed_out") throw new HubError("sign_in_required");
  return c.html(
    <Layout title="Activity · Orchestrator" session={session}>
      <main class="page">
        <h1>Activity</h1>
        {page.entries.map((entry) => (
          <p>{entry.title}</p>
        ))}
      </main>
    </Layout>,
  );
});
