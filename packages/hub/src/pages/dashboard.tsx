import { Hono } from "hono";
import type { Session } from "../auth/session.ts";
import type { Env } from "../env.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { byOrder, countInstances, type Instance } from "../instance.ts";
import { pageOpenerHeaders } from "../page-socket.ts";
import { routes } from "../routes.ts";
import { BOARD_ID, CountBadges, Lanes } from "../ui/board.tsx";
import { Command, CommandOutline, connectCommand } from "../ui/command.tsx";
import { Layout } from "../ui/layout.tsx";
import type { View } from "../ui/view.ts";
import { tabTitle } from "../ui/words.ts";

export const dashboardPages = new Hono<HubContext>();

dashboardPages.get(routes.dashboard, async (c) => {
  const session = c.get("session");
  const instances = await c.env.USER_HUB.getByName(session.userId).list(session.id);
  if (instances === "signed_out") throw new HubError("sign_in_required");
  return c.html(
    <Dashboard
      session={session}
      instances={instances.toSorted(byOrder)}
      view={{ now: Date.now(), origins: c.env }}
      env={c.env}
    />,
  );
});

dashboardPages.get(routes.dashboardSocket, async (c) => {
  const session = c.get("session");
  const request = new Request(c.req.url, {
    headers: { upgrade: c.req.header("upgrade") ?? "", ...pageOpenerHeaders(session) },
  });
  const answer = await c.env.USER_HUB.getByName(session.userId).fetch(request);
  if (answer.status === 101) return answer;
  throw new HubError(answer.status === 401 ? "sign_in_required" : "bad_request");
});

interface DashboardProps {
  session: Session;
  instances: Instance[];
  view: View;
  env: Env;
}

function Dashboard({ session, instances, view, env }: DashboardProps) {
  const header = <CountBadges instances={instances} />;
  return (
    <Layout
      title={tabTitle(countInstances(instances))}
      session={session}
      current="dashboard"
      header={header}
      now={view.now}
    >
      <p class="bar" id="not-connected" role="status" hidden>
        Not connected to the hub since <time></time>. What is shown is from then.
      </p>
      <main class="dashboard" id="dashboard" hx-ws:connect={routes.dashboardSocket}>
        <h1 class="visually-hidden">Instances</h1>
        <div class="board" id={BOARD_ID}>
          <Lanes instances={instances} view={view} />
        </div>
        <Welcome env={env} />
      </main>
    </Layout>
  );
}

/** Shown by the stylesheet while there is no card. */
function Welcome({ env }: { env: Env }) {
  return (
    <section class="welcome" id="welcome">
      <h2>Connect your first instance</h2>
      {env.START_COMMAND === undefined ? null : <StartHere command={env.START_COMMAND} />}
      <p>Where Claude Code's web UI runs already, run this. It appears here the moment it connects.</p>
      <form method="post" action={routes.newToken} hx-post={routes.newToken} hx-swap="outerHTML">
        <input type="hidden" name="name" value="First instance" />
        <CommandOutline text={connectCommand(env, "…")} />
        <button class="button primary" type="submit">
          Copy it with a new token
        </button>
      </form>
      <p class="hint">
        The command finds a running claudecodeui by itself, keeps it connected and opens no port. Tokens can
        be revoked on the <a href={routes.tokens}>tokens page</a>.
      </p>
    </section>
  );
}

/** On one's own machine: what is started there is attached without a command. */
function StartHere({ command }: { command: string }) {
  return (
    <>
      <p>Start Claude Code's web UI on this machine. It appears here by itself within seconds.</p>
      <Command id="start-command" text={command} />
    </>
  );
}
