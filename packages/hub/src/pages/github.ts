import { Hono, type Context } from "hono";
import { loadGitHub, type GitHubApp } from "../auth/github-app.ts";
import { beginFlow } from "../auth/github-flow.ts";
import { identify } from "../auth/github-sign-in.ts";
import { forgetPath, rememberedPath } from "../auth/next-cookie.ts";
import { checkEdge, countExact, requireAllowed } from "../auth/rate-limits.ts";
import { forgetRefusal, keepRefusal, keptRefusal, type Refused } from "../auth/refusal.ts";
import { isNavigation } from "../auth/request-source.ts";
import { currentSession, signIn } from "../auth/session.ts";
import { endSetup } from "../auth/setup.ts";
import { errorResponse, HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { refusalDetail } from "./refusal-page.ts";

/** To GitHub and back. */
export const gitHubPages = new Hono<HubContext>();

gitHubPages.get(routes.gitHubSignIn, async (c) => {
  requireNavigation(c);
  const app = await requireApp(c);
  requireAllowed(await checkEdge(c.env.EDGE_SIGN_IN, c.req.raw));
  requireAllowed(await countExact(c.env, "sign-in", c.req.raw));
  const chooseAccount = c.req.query("account") === "other";
  const { url, cookie } = await beginFlow(c.req.raw, c.env, { app, chooseAccount });
  c.header("set-cookie", cookie);
  return c.redirect(url);
});

/** GitHub's answer is taken here and its address left at once, whatever comes of it. */
gitHubPages.get(routes.gitHubCallback, async (c) => {
  requireNavigation(c);
  const app = await requireApp(c);
  if (new URL(c.req.url).search === "") return showRefusal(c, app);
  const edge = await checkEdge(c.env.EDGE_SIGN_IN, c.req.raw);
  if (!edge.allowed) return refuse(c, tooMany(edge.retryAfterSeconds));
  const outcome = await identify(c.req.raw, c.env, app);
  if ("refused" in outcome) {
    // Who is in already, and came here once more by the back button, has lost nothing.
    const isStale = outcome.refused.code === "sign_in_expired";
    if (isStale && (await currentSession(c.req.raw, c.env)) !== null) return c.redirect(routes.dashboard);
    const counted = await countExact(c.env, "failed-callback", c.req.raw);
    return refuse(c, counted.allowed ? outcome.refused : tooMany(counted.retryAfterSeconds));
  }
  const { userId, isFirstAdministrator } = outcome.admitted;
  const cookies = await signIn(c.req.raw, c.env, userId);
  cookies.push(forgetPath(), forgetRefusal());
  if (isFirstAdministrator) cookies.push(endSetup());
  for (const cookie of cookies) c.header("set-cookie", cookie, { append: true });
  return c.redirect(rememberedPath(c.req.raw) ?? (isFirstAdministrator ? routes.access : routes.dashboard));
});

async function refuse(c: Context<HubContext>, refused: Refused): Promise<Response> {
  c.header("set-cookie", await keepRefusal(c.env, refused));
  return c.redirect(routes.gitHubCallback);
}

function tooMany(retryAfterSeconds: number): Refused {
  return { code: "too_many_requests", retryAfterSeconds };
}

async function showRefusal(c: Context<HubContext>, app: GitHubApp): Promise<Response> {
  const refused = await keptRefusal(c.req.raw, c.env);
  if (refused === null) return c.redirect(routes.signIn);
  return errorResponse(refused.code, c.req.raw, refusalDetail(refused, app));
}

/** HEAD, a browser that looks ahead, or a picture in somebody's page must neither begin a sign-in nor use one up. */
function requireNavigation({ req }: Context<HubContext>): void {
  const isAhead = req.header("sec-purpose")?.includes("prefetch") === true;
  if (isAhead || !isNavigation(req.raw)) throw new HubError("bad_request");
}

async function requireApp(c: Context<HubContext>): Promise<GitHubApp> {
  const github = await loadGitHub(c.env);
  switch (github.state) {
    case "ready":
      return github.app;
    case "misconfigured":
      throw new HubError("misconfigured");
    case "off":
    case "not_set_up":
      throw new HubError("not_found", { link: { href: routes.signIn, text: "Sign in" } });
  }
}
