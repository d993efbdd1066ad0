import { Hono } from "hono";
import { readCookie, serializeCookie } from "../auth/cookies.ts";
import { isLocalSignInOpen, LOCAL_USER, redeemLocalCode } from "../auth/local.ts";
import { parseLocalPath } from "../auth/next-path.ts";
import { currentSession, HUB_COOKIE_PREFIX, signIn, signOut } from "../auth/session.ts";
import { upsertUser } from "../db/users.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { Layout } from "../ui/layout.tsx";

/** Where the browser wanted to go before it was asked to sign in; survives the detour through the terminal. */
const NEXT_COOKIE = `${HUB_COOKIE_PREFIX}next`;
const NEXT_SECONDS = 10 * 60;

export const signInPages = new Hono<HubContext>();

signInPages.get(routes.signIn, async (c) => {
  const next = parseLocalPath(c.req.query("next"));
  if ((await currentSession(c.req.raw, c.env)) !== null) return c.redirect(next ?? routes.dashboard);
  if (next !== undefined)
    c.header("set-cookie", serializeCookie(NEXT_COOKIE, encodeURIComponent(next), NEXT_SECONDS));
  return c.html(<SignIn isLocal={c.env.LOCAL_SIGN_IN === "enabled"} />);
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
    throw new HubError("code_expired");
  }
  await upsertUser(c.env.DB, LOCAL_USER);
  const cookies = await signIn(request, c.env, LOCAL_USER.id);
  for (const cookie of [...cookies, serializeCookie(NEXT_COOKIE, "", 0)])
    c.header("set-cookie", cookie, { append: true });
  return c.redirect(rememberedPath(request) ?? routes.dashboard);
});

signInPages.post(routes.signOut, async (c) => {
  for (const cookie of await signOut(c.env, c.get("session")))
    c.header("set-cookie", cookie, { append: true });
  return c.redirect(routes.signIn, 303);
});

/** Our own cookie, but anyone at the browser can write one: judged like any other path. */
function rememberedPath(request: Request): string | undefined {
  try {
    return parseLocalPath(decodeURIComponent(readCookie(request, NEXT_COOKIE) ?? ""));
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function SignIn({ isLocal }: { isLocal: boolean }) {
  return (
    <Layout title="Sign in · Orchestrator">
      <main class="notice">
        <h1>Sign in</h1>
        {isLocal ? (
          <>
            <p>
              This hub runs on your own machine. Its terminal shows a link that signs you in; open it in this
              browser.
            </p>
            <p>
              A link works once. For a new one, press Enter in the hub's terminal, or run{" "}
              <code>npm start</code> again.
            </p>
          </>
        ) : (
          <p>No way to sign in is set up on this hub.</p>
        )}
      </main>
    </Layout>
  );
}
