import { Hono } from "hono";
import { HUB_COOKIE_PREFIX, readCookie, serializeCookie } from "../auth/cookies.ts";
import type { Session } from "../auth/session.ts";
import type { Env } from "../env.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { countInstances, inOrder, type Grouping, type Instance } from "../instance.ts";
import { pageOpenerHeaders, parseGrouping, parseRevision } from "../page-socket.ts";
import { routes } from "../routes.ts";
import { proofMaxAgeMs } from "../proof-age.ts";
import { BoardTools, FilterNote } from "../ui/board-tools.tsx";
import { Board, BOARD_ID, BoardParts } from "../ui/board.tsx";
import { Command, pairCommand } from "../ui/command.tsx";
import { Layout } from "../ui/layout.tsx";
import { PairNotices } from "../ui/pair-notices.tsx";
import type { View } from "../ui/view.ts";
import { tabTitle } from "../ui/words.ts";
import { usage } from "../usage/usage.ts";

/** Remembers by what the person's cards are put together, so that the first paint is right. */
const GROUPING_COOKIE = `${HUB_COOKIE_PREFIX}grouping`;
const GROUPING_KEPT_SECONDS = 400 * 24 * 60 * 60;

/** Near the end of a quota a page waits so many times longer before it asks again whether instances are alive. */
const PATIENT = 2;

export const dashboardPages = new Hono<HubContext>();

dashboardPages.get(routes.dashboard, async (c) => {
  const session = c.get("session");
  const board = await c.env.USER_HUB.getByName(session.userId).board(session.id);
  if (board === "signed_out") throw new HubError("sign_in_required");
  const chosen = parseGrouping(c.req.query("group"));
  if (chosen !== undefined) {
    const cookie = serializeCookie(GROUPING_COOKIE, chosen, GROUPING_KEPT_SECONDS);
    c.header("set-cookie", cookie, { append: true });
  }
  return c.html(
    <Dashboard
      session={session}
      instances={inOrder(board.instances)}
      revision={board.revision}
      grouping={chosen ?? parseGrouping(readCookie(c.req.raw, GROUPING_COOKIE)) ?? "status"}
      view={{ now: Date.now(), origins: c.env }}
      env={c.env}
    />,
  );
});

dashboardPages.get(routes.dashboardSocket, async (c) => {
  const session = c.get("session");
  const grouping = parseGrouping(c.req.query("group")) ?? "status";
  const since = parseRevision(c.req.query("since"));
  const request = new Request(c.req.url, {
    headers: {
      upgrade: c.req.header("upgrade") ?? "",
      ...pageOpenerHeaders({ ...session, grouping, since }),
    },
  });
  const answer = await c.env.USER_HUB.getByName(session.userId).fetch(request);
  if (answer.status === 101) return answer;
  throw new HubError(answer.status === 401 ? "sign_in_required" : "bad_request");
});

interface DashboardProps {
  session: Session;
  instances: Instance[];
  /** What `instances` are, for the socket. */
  revision: string;
  grouping: Grouping;
  view: View;
  env: Env;
}

function Dashboard({ session, instances, revision, grouping, view, env }: DashboardProps) {
  const counts = countInstances(instances);
  return (
    <Layout title={tabTitle(counts)} session={session} current="dashboard" now={view.now}>
      <section class="bar" id="not-connected" aria-label="Connection" hidden>
        <p>
          Not connected to the hub since <time></time>. What is shown is from then.
        </p>
      </section>
      <main
        class="dashboard"
        id="dashboard"
        data-grouping={grouping}
        data-proof-max-age={proofMaxAgeMs(env) * (usage.isAtLeast("tight", view.now) ? PATIENT : 1)}
        hx-ws:connect={`${routes.dashboardSocket}?group=${grouping}&since=${revision}`}
      >
        <h1 class="visually-hidden">Instances</h1>
        <BoardTools counts={counts} grouping={grouping} now={view.now} />
        <PairNotices notices={[]} now={view.now} />
        <FilterNote />
        <div class="board" id={BOARD_ID}>
          <Board instances={instances} view={view} grouping={grouping} />
        </div>
        <BoardParts grouping={grouping} />
        <p class="visually-hidden" id="announcements" aria-live="polite"></p>
        <Welcome env={env} />
        <p class="another">
          <a href={routes.pair}>Connect another instance</a>
        </p>
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
      <p>
        Where Claude Code's web UI runs already, run this. It shows a code; approve it here, and it appears.
      </p>
      <Command id="pair-command" text={pairCommand(env)} />
      <p>
        <a class="button primary" href={routes.pair}>
          Approve a code
        </a>
      </p>
      <form method="post" action={routes.newToken} hx-post={routes.newToken} hx-swap="outerHTML">
        <input type="hidden" name="name" value="First instance" />
        <p class="hint">
          The command finds a running claudecodeui by itself, keeps it connected and opens no port. Where
          nobody can approve it, as in scripts, a token connects it; tokens can be revoked on the{" "}
          <a href={routes.tokens}>tokens page</a>.
        </p>
        <button class="button" type="submit">
          Copy it with a new token
        </button>
      </form>
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
