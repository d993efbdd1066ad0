import { Hono, type Context } from "hono";
import { endAllSessions, endSessions, IDLE_MS, removalCookies, type Session } from "../auth/session.ts";
import { placeOf } from "../auth/request-place.ts";
import { recordAudit } from "../db/audit.ts";
import { listSessions, type ListedSession } from "../db/sessions.ts";
import type { Env } from "../env.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { browserWords } from "../ui/browser-words.ts";
import { Layout } from "../ui/layout.tsx";
import { Since } from "../ui/time.tsx";

/** A person's sign-ins: which there are, and ending one or all. */
export const sessionPages = new Hono<HubContext>();

sessionPages.get(routes.sessions, async (c) => {
  const session = c.get("session");
  const now = Date.now();
  const sessions = await listSessions(c.env.DB, session.userId, { now, idleSince: now - IDLE_MS });
  const isOwn = ({ id }: ListedSession) => id === session.id;
  const ownFirst = [...sessions.filter(isOwn), ...sessions.filter((other) => !isOwn(other))];
  return c.html(<SessionsPage session={session} sessions={ownFirst} now={now} env={c.env} />);
});

sessionPages.post(routes.endSession(":id"), async (c) => {
  const session = c.get("session");
  const id = c.req.param("id") ?? "";
  const ended = await endSessions(c.env, session.userId, [id]);
  if (ended.length === 0) throw new HubError("not_found", { message: "You have no such sign-in." });
  await recordEnd(c, id, null);
  return id === session.id ? leave(c) : c.redirect(routes.sessions, 303);
});

sessionPages.post(routes.endAllSessions, async (c) => {
  const ended = await endAllSessions(c.env, c.get("session").userId);
  for (const id of ended) await recordEnd(c, id, "all");
  return leave(c);
});

/** This browser is signed out as well. */
function leave(c: Context<HubContext>): Response {
  for (const cookie of removalCookies()) c.header("set-cookie", cookie, { append: true });
  return c.redirect(routes.signIn, 303);
}

async function recordEnd(c: Context<HubContext>, id: string, reason: string | null): Promise<void> {
  const { userId, login } = c.get("session");
  const from = placeOf(c.req.raw);
  await recordAudit(c.env.DB, { action: "session_ended", userId, login, subject: id, reason, from });
}

interface SessionsPageProps {
  session: Session;
  sessions: ListedSession[];
  now: number;
  env: Env;
}

function SessionsPage({ session, sessions, now, env }: SessionsPageProps) {
  return (
    <Layout title="Sign-ins · Orchestrator" session={session} current="sessions" now={now}>
      <main class="page">
        <h1>Sign-ins</h1>
        <p>
          The browsers in which you are signed in as <bdi>{session.login}</bdi>. Ending one closes what it has
          open, here and at instances.
        </p>
        <ul class="rows">
          {sessions.map((listed) => (
            <SessionLine listed={listed} isOwn={listed.id === session.id} now={now} env={env} />
          ))}
        </ul>
        <form
          method="post"
          action={routes.endAllSessions}
          data-confirm="End all of them? This browser is signed out as well."
        >
          <button class="button danger" type="submit">
            End all
          </button>
        </form>
      </main>
    </Layout>
  );
}

interface SessionLineProps {
  listed: ListedSession;
  isOwn: boolean;
  now: number;
  env: Env;
}

function SessionLine({ listed, isOwn, now, env }: SessionLineProps) {
  const browser = browserWords(listed.user_agent);
  const question = isOwn
    ? "End this one? This browser is signed out."
    : `End the sign-in of ${browser}? What it has open is closed.`;
  return (
    <li>
      <p>
        <b>{browser}</b>
        {isOwn && <span class="mark">this browser</span>}
      </p>
      <p class="hint">
        {placeWords(listed, env)} · signed in <Since at={listed.created_at} now={now} ago /> · last used{" "}
        <Since at={listed.last_used_at} now={now} ago />
      </p>
      <form method="post" action={routes.endSession(listed.id)} data-confirm={question}>
        <button class="plain danger" type="submit">
          End
        </button>
      </form>
    </li>
  );
}

function placeWords({ ip, place }: ListedSession, env: Env): string {
  const known = [place, ip].filter((part) => part !== null);
  if (known.length > 0) return known.join(", ");
  return env.LOCAL_SIGN_IN === "enabled" ? "This machine" : "Unknown place";
}
