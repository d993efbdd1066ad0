/**
 * The hub's own pages and API. What every request passes, in order: headers and cookies for the answer, the authorizer
 * with its rule, a size limit, then its handler.
 */
import { Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { routePath } from "hono/route";
import { authorize, issueCookies, signInPath } from "./auth/authorizer.ts";
import { errorResponse, HubError } from "./errors.ts";
import type { HubContext } from "./hono.ts";
import { accessPages } from "./pages/access.tsx";
import { activityPages } from "./pages/activity.tsx";
import { apiAccess } from "./pages/api-access.ts";
import { apiClients } from "./pages/api-clients.ts";
import { apiTokens } from "./pages/api-tokens.ts";
import { auditPages } from "./pages/audit.tsx";
import { clientPages } from "./pages/clients.tsx";
import { dashboardPages } from "./pages/dashboard.tsx";
import { gitHubPages } from "./pages/github.ts";
import { healthPage } from "./pages/health.tsx";
import { installationPages } from "./pages/installation.ts";
import { openPage } from "./pages/open.ts";
import { pairPages } from "./pages/pair.tsx";
import { pathModePages } from "./pages/path-mode.tsx";
import { sessionPages } from "./pages/sessions.tsx";
import { settingsPages } from "./pages/settings.tsx";
import { setupPages } from "./pages/setup.tsx";
import { signInPages } from "./pages/sign-in.tsx";
import { frameError, isForFrame, switcherPages } from "./pages/switcher.tsx";
import { tokenPages } from "./pages/tokens.tsx";
import { usagePages } from "./pages/usage.tsx";
import { webhookPages } from "./pages/webhooks.ts";
import { instanceRoutes, routes } from "./routes.ts";
import { securityHeaders } from "./security-headers.ts";
import { log } from "./log.ts";

const MAX_BODY_BYTES = 64 * 1024;

const secureAnswer: MiddlewareHandler<HubContext> = async (c, next) => {
  await next();
  if (c.res.status === 101) return;
  const friends = { formTarget: c.get("formTarget"), frameAncestor: c.get("frameAncestor") };
  const headers = securityHeaders(c.env.HUB_ORIGIN, friends);
  for (const [name, value] of headers) c.res.headers.set(name, value);
  if (!c.res.headers.has("cache-control")) c.res.headers.set("cache-control", "no-store");
};

export const app = new Hono<HubContext>();

app.use(secureAnswer, issueCookies, authorize);
// GitHub's events are larger than what people send; they have a limit of their own.
app.route("/", webhookPages);
app.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (c) => errorResponse("too_large", c.req.raw) }));

app.get(`${instanceRoutes.assets}*`, async (c) => staticFile(await c.env.ASSETS.fetch(c.req.raw)));
app.get(routes.home, (c) => c.redirect(routes.dashboard));
for (const pages of [
  dashboardPages,
  clientPages,
  pathModePages,
  apiClients,
  pairPages,
  activityPages,
  switcherPages,
  settingsPages,
  installationPages,
  tokenPages,
  apiTokens,
  accessPages,
  auditPages,
  usagePages,
  apiAccess,
  sessionPages,
  signInPages,
  gitHubPages,
  setupPages,
  openPage,
  healthPage,
]) {
  app.route("/", pages);
}

app.notFound((c) =>
  errorResponse("not_found", c.req.raw, { link: { href: routes.dashboard, text: "Dashboard" } }),
);

app.onError((error, c) => {
  if (error instanceof HubError) {
    if (isForFrame(c)) return frameError(c, error);
    const path = error.code === "sign_in_required" ? signInPath(c) : undefined;
    return path === undefined ? errorResponse(error.code, c.req.raw, error.detail) : c.redirect(path);
  }
  log("unhandled_error", { method: c.req.method, route: routePath(c), stack: error.stack });
  return errorResponse("internal_error", c.req.raw);
});

/** A copy whose headers may be set; a version's files never change. */
function staticFile(file: Response): Response {
  const copy = new Response(file.body, file);
  copy.headers.set("cache-control", file.ok ? "public, max-age=31536000, immutable" : "no-store");
  return copy;
}
