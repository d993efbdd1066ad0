import { Hono, type Context } from "hono";
import type { InstanceAction } from "../contracts.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { cardState, instanceTitle, type Instance } from "../instance.ts";
import { instanceOrigin } from "../origins.ts";
import { routes } from "../routes.ts";
import { InstanceDetails } from "../ui/instance-details.tsx";
import { Layout } from "../ui/layout.tsx";
import { STATE_WORDS } from "../ui/words.ts";

/** One instance: its page, the piece of it that a card opens, and forgetting it. */
export const clientPages = new Hono<HubContext>();

clientPages.get(routes.clients, (c) => c.redirect(routes.dashboard));

clientPages.get(routes.client(":id"), async (c) => {
  const instance = await findInstance(c);
  const title = instanceTitle(instance);
  const now = Date.now();
  const word = STATE_WORDS[cardState(instance).state];
  return c.html(
    <Layout title={`${title} · Orchestrator`} session={c.get("session")} now={now}>
      <main class="page">
        <p class="crumbs">
          <a href={routes.dashboard}>Instances</a>
        </p>
        <h1>
          <bdi>{title}</bdi>
        </h1>
        <p class="page-lead">
          {word}
          <a class="button primary" href={`${instanceOrigin(instance.label, c.env)}/`}>
            Open
          </a>
        </p>
        <InstanceDetails instance={instance} now={now} whole />
      </main>
    </Layout>,
  );
});

clientPages.get(routes.clientDetails(":id"), async (c) => {
  return c.html(<InstanceDetails instance={await findInstance(c)} now={Date.now()} />);
});

clientPages.get(routes.clientReport(":id"), async (c) => {
  const session = c.get("session");
  const hub = c.env.USER_HUB.getByName(session.userId);
  const report = await hub.inspect(session.id, (await findInstance(c)).label);
  if (report === "signed_out") throw new HubError("sign_in_required");
  return c.html(<p>{report === null ? "It does not answer." : `${report.latencyMs} ms`}</p>);
});

clientPages.post(routes.disconnectClient(":id"), (c) => act(c, { action: "disconnect" }));
clientPages.post(routes.letClientBack(":id"), (c) => act(c, { action: "let_back" }));
clientPages.post(routes.refreshClient(":id"), (c) => act(c, { action: "refresh" }));
clientPages.post(routes.renameClient(":id"), (c) => act(c, { action: "rename", name: "" }));
clientPages.post(routes.markClientSeen(":id"), (c) => act(c, { action: "mark_seen" }));
clientPages.post(routes.forgetClient(":id"), (c) => act(c, { action: "forget" }));

async function act(c: Context<HubContext>, action: InstanceAction): Promise<Response> {
  const { userId, login } = c.get("session");
  const result = await c.env.USER_HUB.getByName(userId).act(c.req.param("id") ?? "", action, login);
  if (!("refused" in result)) return c.redirect(routes.dashboard, 303);
  if (result.refused === "unknown")
    throw new HubError("not_found", { message: "You have no such instance." });
  throw new HubError("bad_request", {
    message:
      result.refused === "connected"
        ? "It is connected. Disconnect it first."
        : "It is not connected, so there is nobody to ask.",
  });
}

async function findInstance(c: Context<HubContext>): Promise<Instance> {
  const session = c.get("session");
  const instance = await c.env.USER_HUB.getByName(session.userId).find(session.id, c.req.param("id") ?? "");
  if (instance === "signed_out") throw new HubError("sign_in_required");
  if (instance === null) throw new HubError("not_found", { message: "You have no such instance." });
  return instance;
}
