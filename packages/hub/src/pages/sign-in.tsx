import { Hono, type Context } from "hono";
import type { AuditAction } from "../audit.ts";
import { loadGitHub, type GitHubState } from "../auth/github-app.ts";
import { isLocalSignInOpen, LOCAL_USER, redeemLocalCode } from "../auth/local.ts";
import { lostAccess, type LostAccess } from "../auth/lost-access.ts";
import { forgetPath, rememberedPath, rememberPath } from "../auth/next-cookie.ts";
import { parseLocalPath } from "../auth/next-path.ts";
import { countExact, requireAllowed } from "../auth/rate-limits.ts";
import { placeOf } from "../auth/request-place.ts";
import { currentSession, signIn, signOut } from "../auth/session.ts";
import { recordAudit } from "../db/audit.ts";
import { upsertUser } from "../db/users.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { Layout } from "../ui/layout.tsx";
import { LostAccessNote } from "../ui/lost-access.tsx";

export const signInPages = new Hono<HubContext>();

signInPages.get(routes.signIn, async (c) => {
  const next = parseLocalPath(c.req.query("next"));
  if ((await currentSession(c.req.raw, c.env)) !== null) return c.redirect(next ?? routes.dashboard);
  if (next !== undefined) c.header("set-cookie", rememberPath(next));
  const { state } = await loadGitHub(c.env);
  const lost = await lostAccess(c.req.raw, c.env);
  return c.html(<SignIn isLocal={c.env.LOCAL_SIGN_IN === "enabled"} gitHub={state} lost={lost} />);
});

signInPages.get(routes.localSignIn, async (c) => {
  const request = c.req.raw;
  if (!isLocalSignInOpen(request, c.env)) throw new HubError("not_found");
  // HEAD, or a browser that fetches ahead, would use the link up before anyone clicks it.
  if (request.method !== "GET" || request.headers.get("sec-purpose")?.includes("prefetch") === true) {
    throw new HubError("bad_request");
  }
  if (!(await redeemLocalCode(c.env.DB, c.req.query("code") ?? ""))) {
    if ((await currentSession(request, c.env)) !== null) return c.redirect(routes.dashboard);
    throw await codeRefused(c);
  }
  await upsertUser(c.env.DB, LOCAL_USER);
  const cookies = await signIn(request, c.env, LOCAL_USER.id);
  for (const cookie of [...cookies, forgetPath()]) c.header("set-cookie", cookie, { append: true });
  await audit(c, "sign_in", { userId: LOCAL_USER.id, login: LOCAL_USER.login, reason: "link" });
  return c.redirect(rememberedPath(request) ?? routes.dashboard);
});

signInPages.post(routes.signOut, async (c) => {
  const session = c.get("session");
  for (const cookie of await signOut(c.env, session)) c.header("set-cookie", cookie, { append: true });
  await audit(c, "sign_out", { userId: session.userId, login: session.login, reason: null });
  return c.redirect(routes.signIn, 303);
});

async function codeRefused(c: Context<HubContext>): Promise<HubError> {
  requireAllowed(await countExact(c.env, "failed-code", c.req.raw));
  return new HubError("code_expired");
}

async function audit(
  c: Context<HubContext>,
  action: AuditAction,
  who: { userId: string; login: string; reason: string | null },
): Promise<void> {
  await recordAudit(c.env.DB, { action, subject: null, from: placeOf(c.req.raw), ...who });
}

interface SignInProps {
  isLocal: boolean;
  gitHub: GitHubState["state"];
  /** Why somebody is here who was in until now. */
  lost: LostAccess | null;
}

function SignIn({ isLocal, gitHub, lost }: SignInProps) {
  return (
    <Layout title="Sign in · Orchestrator">
      <main class="notice">
        <h1>Sign in</h1>
        {lost !== null && <LostAccessNote lost={lost} />}
        <WithGitHub gitHub={gitHub} />
        {isLocal && <WithLink />}
        {!isLocal && gitHub === "off" && (
          <p>
            No way to sign in is set up on this hub. Its operator enables one with <code>GITHUB_SIGN_IN</code>
            .
          </p>
        )}
      </main>
    </Layout>
  );
}

function WithGitHub({ gitHub }: { gitHub: GitHubState["state"] }) {
  switch (gitHub) {
    case "off":
      return null;
    case "ready":
      return (
        <>
          <p>GitHub tells this hub who you are and whether you belong to who may use it, nothing else.</p>
          <p>
            <a class="button primary" href={routes.gitHubSignIn}>
              Sign in with GitHub
            </a>
          </p>
        </>
      );
    case "not_set_up":
      return (
        <p>
          Signing in with GitHub is not set up yet. Open the setup link that the hub prints when it starts;
          start it again for a new one.
        </p>
      );
    case "misconfigured":
      return (
        <p class="callout failed">
          Nobody can sign in with GitHub now: a setting of this hub cannot be read. Its log names the setting.
        </p>
      );
  }
}

function WithLink() {
  return (
    <>
      <p>
        This hub runs on your own machine. Its terminal shows a link that signs you in; open it in this
        browser.
      </p>
      <p>
        A link works once. For a new one, press Enter in the hub's terminal, or run <code>npm start</code>{" "}
        again.
      </p>
    </>
  );
}
