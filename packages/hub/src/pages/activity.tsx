import { Hono, type Context } from "hono";
import * as v from "valibot";
import { ACTIVITY_FILTERS } from "../activity.ts";
import type { ActivityPage, ActivityQuery } from "../contracts.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { instanceTitle, type Instance } from "../instance.ts";
import { isLabel } from "../origins.ts";
import { routes } from "../routes.ts";
import { ActivityControls, ActivityDays, ActivityEnd, MAX_SEARCH } from "../ui/activity.tsx";
import { titleOf } from "../ui/activity-words.ts";
import { Layout } from "../ui/layout.tsx";
import { viewerCalendar } from "./viewer-calendar.ts";

/** What happened, newest first: to all instances of a person, or to one. */
export const activityPages = new Hono<HubContext>();

/** What a link or a form asks for; what cannot be read asks for nothing, but an instance that cannot be is none. */
const QuerySchema = v.object({
  show: v.fallback(v.picklist(ACTIVITY_FILTERS), "all"),
  instance: v.optional(v.string(), ""),
  q: v.optional(
    v.pipe(
      v.string(),
      v.transform((text) => text.trim().slice(0, MAX_SEARCH).toWellFormed()),
    ),
    "",
  ),
  before: v.fallback(
    v.optional(
      v.pipe(
        v.string(),
        v.regex(/^[1-9]\d{0,15}$/),
        v.transform(Number),
        v.maxValue(Number.MAX_SAFE_INTEGER),
      ),
    ),
    undefined,
  ),
});

activityPages.get(routes.activity, async (c) => {
  const { id, userId } = c.get("session");
  const hub = c.env.USER_HUB.getByName(userId);
  const { show, instance, q, before } = v.parse(QuerySchema, c.req.query());
  const instances = await hub.list(id);
  if (instances === "signed_out") throw new HubError("sign_in_required");
  const label = labelOf(instance, instances);
  const query: ActivityQuery = {
    filter: show,
    ...(label === undefined ? {} : { label }),
    ...(q === "" ? {} : { text: q }),
    ...(before === undefined ? {} : { before }),
  };
  const page = await hub.activity(id, query);
  if (page === "signed_out") throw new HubError("sign_in_required");
  return c.html(drawPage(c, { query, page, instances }));
});

/** The label of the instance that is asked for by its label or its own id. One that was forgotten has left its activity. */
function labelOf(asked: string, instances: readonly Instance[]): string | undefined {
  if (asked === "") return undefined;
  const known =
    instances.find(({ label }) => label === asked) ?? instances.find(({ clientId }) => clientId === asked);
  if (known !== undefined) return known.label;
  if (isLabel(asked)) return asked;
  throw new HubError("not_found", {
    message: "You have no such instance.",
    link: { href: routes.activity, text: "Activity" },
  });
}

interface Drawn {
  query: ActivityQuery;
  page: ActivityPage;
  instances: readonly Instance[];
}

function drawPage(c: Context<HubContext>, { query, page, instances }: Drawn) {
  const now = Date.now();
  const chosen = query.label === undefined ? undefined : nameOf(query.label, page, instances);
  const sorted = instances.toSorted((a, b) => instanceTitle(a).localeCompare(instanceTitle(b)));
  return (
    <Layout
      title={chosen === undefined ? "Activity · Orchestrator" : `Activity of ${chosen} · Orchestrator`}
      session={c.get("session")}
      current="activity"
      now={now}
    >
      <main class="page">
        {query.label !== undefined && (
          <p class="crumbs">
            <a href={routes.activity}>Activity</a>
          </p>
        )}
        <h1>{chosen === undefined ? "Activity" : <bdi>{chosen}</bdi>}</h1>
        <ActivityControls query={query} instances={sorted} chosen={chosen} />
        <ActivityDays
          entries={page.entries}
          calendar={viewerCalendar(c)}
          now={now}
          named={query.label === undefined}
        />
        <ActivityEnd query={query} page={page} />
      </main>
    </Layout>
  );
}

/** What an instance is called, or was when something last happened to it. */
function nameOf(label: string, { entries }: ActivityPage, instances: readonly Instance[]): string {
  const known = instances.find((instance) => instance.label === label);
  if (known !== undefined) return instanceTitle(known);
  const last = entries.find((entry) => entry.label === label);
  return last === undefined ? label : titleOf(last);
}
