import { Hono, type Context } from "hono";
import * as v from "valibot";
import type { ActivityEntry } from "../activity.ts";
import type { ActionResult, InstanceAction } from "../contracts.ts";
import type { ErrorCode } from "../error-codes.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { cardState, instanceTitle, MAX_NAME_LENGTH, type Instance } from "../instance.ts";
import { instanceUrl } from "../origins.ts";
import { routes } from "../routes.ts";
import { CLEARS_STORAGE } from "../security-headers.ts";
import { Glyph } from "../ui/glyph.tsx";
import { CardDetails, WholeDetails } from "../ui/instance-details.tsx";
import { ConnectorReport, type Report } from "../ui/instance-report.tsx";
import { Layout } from "../ui/layout.tsx";
import { Since } from "../ui/time.tsx";
import { OwnRefusal } from "../ui/who-may-use.tsx";
import { STATE_WORDS } from "../ui/words.ts";
import { usage } from "../usage/usage.ts";
import { visibleText } from "../visible-text.ts";
import { readForm } from "./form.ts";
import { findOwnRefusal } from "./own-refusal.ts";
import { viewerCalendar } from "./viewer-calendar.ts";

/** Entries of the activity beside an instance. */
const ENTRIES = 5;

/** One instance: its page, the piece of it that a card opens, what its connector tells, and what can be done to it. */
export const clientPages = new Hono<HubContext>();

clientPages.get(routes.clients, (c) => c.redirect(routes.dashboard));

clientPages.get(routes.client(":id"), async (c) => {
  const instance = await findInstance(c);
  const entries = await lastEntries(c, instance);
  const session = c.get("session");
  const refused = await findOwnRefusal(c.env, session, instance);
  const title = instanceTitle(instance);
  const { state } = cardState(instance);
  const now = Date.now();
  return c.html(
    <Layout title={`${title} · Orchestrator`} session={session} now={now}>
      <main class="page">
        <p class="crumbs">
          <a href={routes.dashboard}>Instances</a>
        </p>
        <h1>
          <bdi>{title}</bdi>
        </h1>
        {refused !== null && <OwnRefusal {...refused} login={session.login} />}
        <p class="page-lead">
          <Glyph state={state} />
          <span>
            {STATE_WORDS[state]}, as of <Since at={now} now={now} ago />
          </span>
          <a class="button primary" href={`${instanceUrl(instance, c.env)}/`}>
            Open
          </a>
        </p>
        <WholeDetails
          instance={instance}
          entries={entries}
          calendar={viewerCalendar(c)}
          now={now}
          isSaving={usage.isAtLeast("scarce", now)}
        />
      </main>
    </Layout>,
  );
});

clientPages.get(routes.clientDetails(":id"), async (c) => {
  const instance = await findInstance(c);
  const entries = await lastEntries(c, instance);
  const calendar = viewerCalendar(c);
  const now = Date.now();
  const isSaving = usage.isAtLeast("scarce", now);
  const details = { instance, entries, calendar, now, isSaving };
  return c.html(<CardDetails {...details} />);
});

clientPages.get(routes.clientReport(":id"), async (c) => {
  const instance = await findInstance(c);
  const report = await reportOf(c, instance);
  const drawn = <ConnectorReport instance={instance} report={report} calendar={viewerCalendar(c)} />;
  if (isPiece(c)) return c.html(drawn);
  const title = instanceTitle(instance);
  return c.html(
    <Layout title={`Connector of ${title} · Orchestrator`} session={c.get("session")}>
      <main class="page">
        <p class="crumbs">
          <a href={routes.client(instance.label)}>
            <bdi>{title}</bdi>
          </a>
        </p>
        <h1>Connector</h1>
        <div class="report">{drawn}</div>
      </main>
    </Layout>,
  );
});

clientPages.post(routes.disconnectClient(":id"), (c) => act(c, { action: "disconnect" }));
clientPages.post(routes.letClientBack(":id"), (c) => act(c, { action: "let_back" }));
clientPages.post(routes.refreshClient(":id"), (c) => act(c, { action: "refresh" }));
clientPages.post(routes.renameClient(":id"), async (c) =>
  act(c, { action: "rename", name: parseName(await readForm(c)) }),
);
clientPages.post(routes.markClientSeen(":id"), (c) => act(c, { action: "mark_seen" }));
clientPages.post(routes.forgetClient(":id"), async (c) => {
  const { pathTrusted } = await findInstance(c);
  const answer = await act(c, { action: "forget" });
  if (pathTrusted) answer.headers.set(...CLEARS_STORAGE);
  return answer;
});

const NameSchema = v.object({
  name: v.pipe(
    v.string(),
    v.transform((text) => visibleText(text).trim()),
    v.maxLength(MAX_NAME_LENGTH),
  ),
});

/** An empty name takes the name away. */
function parseName(form: Record<string, unknown>): string {
  const parsed = v.safeParse(NameSchema, form);
  if (!parsed.success) throw new HubError("bad_name");
  return parsed.output.name;
}

async function act(c: Context<HubContext>, action: InstanceAction): Promise<Response> {
  const { userId, login } = c.get("session");
  const result = await c.env.USER_HUB.getByName(userId).act(c.req.param("id") ?? "", action, login);
  if ("refused" in result) throw refusal(result.refused, c.req.param("id") ?? "");
  // The dashboard's own connection brings what has changed.
  if (isPiece(c)) return c.body(null, 204);
  return c.redirect(result.done === null ? routes.dashboard : routes.client(result.done.label), 303);
}

const REFUSALS: Record<Extract<ActionResult, { refused: string }>["refused"], ErrorCode> = {
  unknown: "not_found",
  connected: "still_connected",
  unreachable: "not_connected",
  bad_name: "bad_name",
  unanswered: "instance_unanswered",
};

/** The error for what an instance did not take. */
export function refusal(why: keyof typeof REFUSALS, id: string): HubError {
  if (why === "unknown") return notFound();
  return new HubError(REFUSALS[why], { link: { href: routes.client(id), text: "Back to the instance" } });
}

/** Asked for by htmx, to be put into a page. */
function isPiece(c: Context<HubContext>): boolean {
  return c.req.header("hx-request") === "true";
}

/** The instance of this person that the path names by its label or client id. */
export async function findInstance(c: Context<HubContext>): Promise<Instance> {
  const session = c.get("session");
  const instance = await c.env.USER_HUB.getByName(session.userId).find(session.id, c.req.param("id") ?? "");
  if (instance === "signed_out") throw new HubError("sign_in_required");
  if (instance === null) throw notFound();
  return instance;
}

function notFound(): HubError {
  return new HubError("not_found", {
    message: "You have no such instance.",
    link: { href: routes.dashboard, text: "Dashboard" },
  });
}

async function lastEntries(c: Context<HubContext>, { label }: Instance): Promise<ActivityEntry[]> {
  const { id, userId } = c.get("session");
  const page = await c.env.USER_HUB.getByName(userId).activity(id, { filter: "all", label });
  if (page === "signed_out") throw new HubError("sign_in_required");
  return page.entries.slice(0, ENTRIES);
}

async function reportOf(c: Context<HubContext>, { label, connected, protocol }: Instance): Promise<Report> {
  if (!connected) return "away";
  if (protocol === 1) return "version_1";
  const { id, userId } = c.get("session");
  const report = await c.env.USER_HUB.getByName(userId).inspect(id, label);
  if (report === "signed_out") throw new HubError("sign_in_required");
  return report ?? "silent";
}
