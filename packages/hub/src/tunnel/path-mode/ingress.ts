/**
 * Everything that arrives below `/clients/<label>/proxy` on the hub's own host. Who looks is proven by the sign-in at the hub, whose
 * cookies the browser sends here too; the instance's Tunnel says whether that sign-in has ended and whether its owner allows path
 * mode. Bypasses the app, as host mode does.
 */
import { comesFromHub, changesState } from "../../auth/origin.ts";
import { isAllowedSource, isInstanceNavigation, isUpgrade } from "../../auth/request-source.ts";
import { proveSession, type Proven } from "../../auth/session.ts";
import type { Env } from "../../env.ts";
import { errorResponse, isErrorResponse } from "../../errors.ts";
import { instanceLabel, isLabel } from "../../origins.ts";
import { instanceRoutes, routes } from "../../routes.ts";
import { isForFile, isSheet } from "../copy-rules.ts";
import { askForFile } from "../edge-copies.ts";
import type { VerifiedViewer } from "../headers.ts";
import { isSignedOutAnswer, withViewer } from "../internal-headers.ts";
import { noteRefusal, refuseNewStream } from "../quota.ts";
import type { PathAddress } from "./address.ts";
import { isPartOfRewritten, placedAnswer, type PathVisit } from "./answer.ts";
import { instanceRequest } from "./instance-request.ts";
import { isWorkerScript, leavingWorker } from "./leaving-worker.ts";
import { serveOwn, shimScript } from "./own-routes.ts";
import { isNotTrustedAnswer } from "./trust.ts";

type Context = Pick<ExecutionContext, "waitUntil">;

/** Serves one request to an instance in path mode. */
export async function servePath(
  request: Request,
  env: Env,
  address: PathAddress,
  context: Context,
): Promise<Response> {
  if (address.path === instanceRoutes.shim) return shimScript(request, env);
  const { origin } = new URL(env.HUB_ORIGIN);
  const isForeign = changesState(request) && !comesFromHub(request, env);
  if (isForeign || !isAllowedSource(request, origin)) return errorResponse("origin_refused", request);
  const proof = proveSession(request, env, "cookie");
  // A browser that leaves takes its request with it, but not what renews its sign-in.
  context.waitUntil(Promise.allSettled([proof]));
  const proven = await proof;
  if (proven === null) return signInFirst(request);
  const place = { origin, prefix: address.prefix };
  const visit = { request, env, label: address.id, place, path: address.path };
  const answer = await (isLabel(address.id) ? serve(visit, proven, context) : byClientId(visit, proven));
  return withCookies(answer, proven.cookies);
}

async function serve(visit: PathVisit, proven: Proven, context: Context): Promise<Response> {
  const { request, path } = visit;
  if (isWithoutSlash(visit)) return redirect(`${visit.place.prefix}/${new URL(request.url).search}`, 307);
  if (path.startsWith(instanceRoutes.prefix) && !(path === instanceRoutes.presence && isUpgrade(request)))
    return serveOwn(visit, proven.session);
  const isPresence = path === instanceRoutes.presence;
  return (
    (isPresence ? undefined : refuseNewStream(request, visit.env)) ?? askInstance(visit, proven, context)
  );
}

async function askInstance(visit: PathVisit, proven: Proven, context: Context): Promise<Response> {
  const { request, path } = visit;
  const asked = instanceRequest(request, visit.place, path);
  let response = await toTunnel(visit, proven, asked);
  if (isPartOfRewritten(visit, response)) {
    await response.body?.cancel();
    response = await toTunnel(visit, proven, withoutRange(asked));
  }
  noteRefusal(response);
  if (isSignedOutAnswer(response)) return signInFirst(request);
  if (isNotTrustedAnswer(response)) return allowFirst(visit);
  // It is nobody's label, or somebody else's: perhaps it is a client id that looks like one.
  if (isErrorResponse(response) && response.status === 404) return byClientId(visit, proven);
  noteOpened(visit, proven, context);
  return placedAnswer(visit, response);
}

/** A page there would look for what its relative addresses name beside the instance, not below it. */
function isWithoutSlash({ request, place }: PathVisit): boolean {
  return new URL(request.url).pathname === place.prefix && isInstanceNavigation(request);
}

async function toTunnel(
  { env, label, place, path }: PathVisit,
  { session }: Proven,
  request: Request,
): Promise<Response> {
  const { userId, login, id: sessionId, until: checkAt } = session;
  const viewer = { userId, login, sessionId, checkAt, ...place };
  const ask = (asked: Request, as: VerifiedViewer) =>
    env.TUNNEL.getByName(label).fetch(withViewer(asked, as));
  if (!isForFile(request, path)) return ask(request, viewer);
  // A style sheet is read here, and of what is compressed the platform reads only gzip where it does not undo it by itself.
  const asked = isSheet(path) ? inGzip(request) : request;
  return askForFile({ request: asked, label, viewer, isRead: asked !== request }, (as) => ask(asked, as));
}

function inGzip(request: Request): Request {
  const headers = new Headers(request.headers);
  headers.set("accept-encoding", "gzip");
  return new Request(request, { headers, redirect: "manual" });
}

function withoutRange(request: Request): Request {
  const headers = new Headers(request.headers);
  headers.delete("range");
  headers.delete("if-range");
  return new Request(request, { headers, redirect: "manual" });
}

/** Sends who names an instance by its client id to its label. */
async function byClientId(
  { request, env, label: id, path }: PathVisit,
  { session }: Proven,
): Promise<Response> {
  const found = await env.USER_HUB.getByName(session.userId).find(session.id, id);
  if (found === "signed_out") return signInFirst(request);
  const label = found === null ? undefined : await instanceLabel(session.userId, found.clientId);
  if (label === undefined || label === id) return noSuchInstance(request);
  const { search } = new URL(request.url);
  const location = `${routes.clientProxy(label)}${path}${search}`;
  return new Response(null, { status: 307, headers: { location, "cache-control": "no-store" } });
}

function noSuchInstance(request: Request): Response {
  if (isWorkerScript(request)) return leavingWorker();
  return errorResponse("not_found", request, {
    message: "You have no such instance.",
    link: { href: routes.dashboard, text: "Dashboard" },
  });
}

/** A person is asked to sign in and then brought back; anything else is refused. */
function signInFirst(request: Request): Response {
  if (!isInstanceNavigation(request)) return errorResponse("sign_in_required", request);
  return redirect(`${routes.signIn}?next=${encodeURIComponent(pathOf(request))}`);
}

/** A person is asked whether they allow path mode for this instance; anything else is refused. */
function allowFirst({ request, label }: PathVisit): Response {
  if (isWorkerScript(request)) return leavingWorker();
  if (!isInstanceNavigation(request)) return errorResponse("path_mode_not_allowed", request);
  return redirect(`${routes.clientPath(label)}?next=${encodeURIComponent(pathOf(request))}`);
}

/** That a person came from elsewhere is an entry of the activity, once for a sign-in; nobody waits for it. */
function noteOpened({ request, env, label, place }: PathVisit, { session }: Proven, context: Context): void {
  const from = request.headers.get("referer") ?? "";
  if (!isInstanceNavigation(request) || from.startsWith(`${place.origin}${place.prefix}`)) return;
  const opened = env.USER_HUB.getByName(session.userId).opened(session.id, label, session.login);
  context.waitUntil(Promise.allSettled([opened]));
}

function pathOf({ url }: Request): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

function redirect(location: string, status = 302): Response {
  return new Response(null, { status, headers: { location, "cache-control": "no-store" } });
}

function withCookies(response: Response, cookies: string[]): Response {
  if (cookies.length === 0 || response.webSocket) return response;
  const copy = new Response(response.body, response);
  for (const cookie of cookies) copy.headers.append("set-cookie", cookie);
  return copy;
}
