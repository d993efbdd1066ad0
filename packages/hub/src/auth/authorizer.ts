/**
 * The one door of the hub's host. Every request is held against the table in rules.ts before its handler runs; what has no
 * rule is refused. Rules that neither a sign-in nor a token answers (`same-browser`, `setup-code`, `github`) are let through to
 * their handlers, which check the cookie, the code or the signature that the table names.
 */
import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import { METHOD_NAME_ALL } from "hono/router";
import type { Env } from "../env.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { hasHubCookie } from "./cookies.ts";
import { changesState, comesFromHub } from "./origin.ts";
import { countExact, requireAllowed } from "./rate-limits.ts";
import { placeOf } from "./request-place.ts";
import { isUpgrade } from "./request-source.ts";
import { RULES, type Rule, type Who } from "./rules.ts";
import { findAdmitted, proveSession, type Session } from "./session.ts";
import { recordTokenUse, verifyInstanceToken } from "./token.ts";

const CHECKED_BY_HANDLER: ReadonlySet<Who> = new Set(["anyone", "same-browser", "setup-code", "github"]);
const ANSWERED_BY_SESSION: ReadonlySet<Who> = new Set(["signed-in", "admin"]);

/** Lets a request through by its rule, or refuses it. */
export const authorize: MiddlewareHandler<HubContext> = async (c, next) => {
  const rule = ruleOf(c);
  const token = bearerToken(c.req.raw, rule);
  const isProgram = rule?.who === "github" || token !== undefined;
  if (!isProgram) refuseForeignOrigin(c);
  if (rule !== undefined && CHECKED_BY_HANDLER.has(rule.who)) return next();
  const session = token === undefined ? await signedIn(c, rule) : await administrator(c, token);
  // Nobody learns from the outside which pages there are.
  if (rule === undefined || !ANSWERED_BY_SESSION.has(rule.who))
    throw new HubError("not_found", { link: { href: routes.dashboard, text: "Dashboard" } });
  c.set("session", session);
  return next();
};

function refuseForeignOrigin({ req, env }: Context<HubContext>): void {
  if (changesState(req.raw) && !comesFromHub(req.raw, env)) throw new HubError("origin_refused");
}

/** Where somebody who opens a page is asked to sign in and then brought back; undefined where nobody opens one. */
export function signInPath({ req }: Context<HubContext>): string | undefined {
  const isOpened = req.method === "GET" && (req.header("accept") ?? "").includes("text/html");
  if (!isOpened || req.header("hx-request") !== undefined || isUpgrade(req.raw)) return undefined;
  const { pathname, search } = new URL(req.url);
  const query = pathname === routes.home ? "" : `?next=${encodeURIComponent(`${pathname}${search}`)}`;
  return `${routes.signIn}${query}`;
}

/** Adds the cookies of a refreshed sign-in to the answer, whatever it is. */
export const issueCookies: MiddlewareHandler<HubContext> = async (c, next) => {
  await next();
  const issued = c.get("cookies") ?? [];
  if (issued.length === 0 || c.res.status === 101) return;
  // What a handler sets or removes itself, as signing out does, stays as it is.
  const own = new Set(c.res.headers.getSetCookie().map(cookieName));
  for (const cookie of issued) {
    if (!own.has(cookieName(cookie))) c.res.headers.append("set-cookie", cookie);
  }
};

/** The one rule of the route that will answer. Pages of no route have none. */
function ruleOf(c: Context<HubContext>): Rule | undefined {
  const route = matchedRoutes(c).find(({ method }) => method !== METHOD_NAME_ALL);
  const protocol = isUpgrade(c.req.raw) ? "websocket" : "http";
  // The router answers HEAD as it answers GET, which an upgrade is not to be.
  if (route === undefined || (protocol === "websocket" && c.req.method !== "GET")) return undefined;
  return RULES.find(
    ({ host, path, method, protocol: over }) =>
      host === "hub" && path === route.path && method === route.method && over === protocol,
  );
}

/** A program's token, where one may be used; whoever sends a cookie of ours is a browser, whatever else it sends. */
function bearerToken(request: Request, rule: Rule | undefined): string | undefined {
  if (rule?.who !== "admin" || !rule.path.startsWith("/api/") || hasHubCookie(request)) return undefined;
  return /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
}

async function signedIn(c: Context<HubContext>, rule?: Rule): Promise<Session> {
  const proven = await proveSession(c.req.raw, c.env, rule?.proof ?? "database");
  if (proven === null) throw new HubError("sign_in_required");
  c.set("cookies", proven.cookies);
  if (rule?.who === "admin" && proven.session.role !== "admin") throw new HubError("admin_required");
  return proven.session;
}

/** Who acts by a token with the scope `admin`: it is worth what its maker's word is worth now. */
async function administrator({ env, req }: Context<HubContext>, text: string): Promise<Session> {
  const now = Date.now();
  const found = await verifyInstanceToken(env.DB, text, now);
  if ("refused" in found) throw await badToken(env, req.raw);
  const { tokenId, userId, login, scopes, admission } = found.ok;
  if (!scopes.includes("admin"))
    throw new HubError("admin_required", { message: "This token may not do that." });
  const admitted = await findAdmitted(env, userId, admission, now);
  if (admitted?.role !== "admin")
    throw new HubError("admin_required", { message: "Who made this token is no administrator any more." });
  await recordTokenUse(env.DB, found.ok, { clientId: null, from: placeOf(req.raw) }, now);
  return { id: `token:${tokenId}`, userId, login, name: login, ...admitted };
}

async function badToken(env: Env, request: Request): Promise<HubError> {
  requireAllowed(await countExact(env, "bad-token", request));
  return new HubError("sign_in_required", {
    message: "The token is unknown, revoked or expired.",
  });
}

function cookieName(setCookie: string): string {
  return setCookie.slice(0, setCookie.indexOf("="));
}
