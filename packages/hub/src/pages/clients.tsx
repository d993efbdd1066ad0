import { Hono, type Context } from "hono";
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

clientPages.post(routes.forgetClient(":id"), async (c) => {
  const instance = await findInstance(c);
  const forgotten = await c.env.USER_HUB.getByName(c.get("session").userId).forget(instance.clientId);
  if (!forgotten)
    throw new HubError("bad_request", { message: "It is connected. Stop its connector first." });
  return c.redirect(routes.dashboard, 303);
});

async function findInstance(c: Context<HubContext>): Promise<Instance> {
  const session = c.get("session");
  const instance = await c.env.USER_HUB.getByName(session.userId).find(session.id, c.req.param("id") ?? "");
  if (instance === "signed_out") throw new HubError("sign_in_required");
  if (instance === null) throw new HubError("not_found", { message: "You have no such instance." });
  return instance;
}
