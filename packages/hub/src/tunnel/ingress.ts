/**
 * Everything that arrives at an instance's host. Decides who looks (a signed cookie of this origin alone), whether the
 * request may come from where it comes from, and then hands it to the Tunnel. Bypasses the app: what belongs to the
 * dashboard cannot touch proxied traffic.
 */
import {
  bindingHash,
  findLiveViewer,
  NONCE_COOKIE,
  readViewerCookie,
  redeemViewerCode,
  signViewerCookie,
  VIEWER_COOKIE,
  type Viewer,
  type ViewerProof,
} from "../auth/viewer.ts";
import { parseLocalPath } from "../auth/next-path.ts";
import { readCookie, serializeCookie } from "../auth/cookies.ts";
import type { Env } from "../env.ts";
import { errorResponse } from "../errors.ts";
import { instanceOrigin } from "../origins.ts";
import { instanceRoutes, routes } from "../routes.ts";
import { randomSecret } from "../secrets.ts";
import { isForFile } from "./copy-rules.ts";
import { askForFile } from "./edge-copies.ts";
import type { VerifiedViewer } from "./headers.ts";
import { isSignedOutAnswer, withViewer } from "./internal-headers.ts";
import { askWithMark, markScript } from "./mark.ts";
import { noteRefusal, refuseNewStream } from "./quota.ts";
import { usage } from "../usage/usage.ts";
import { isAllowedSource, isInstanceNavigation, isUpgrade } from "../auth/request-source.ts";

const NONCE_SECONDS = 600;
/** Tabs that are opened at once replace each other's nonces, but not for ever. */
const MAX_AGAIN = 3;
/** As long as a sign-in at the hub may last: the cookie itself proves nothing once it is not fresh. */
const COOKIE_SECONDS = 60 * 24 * 3600;

interface Visit {
  request: Request;
  env: Env;
  label: string;
  origin: string;
  url: URL;
}

/** Serves one request to the instance `label`. */
export async function serveInstance(request: Request, env: Env, label: string): Promise<Response> {
  const origin = instanceOrigin(label, env);
  if (origin === undefined) return errorResponse("not_found", request);
  return serveVisit({ request, env, label, origin, url: new URL(request.url) });
}

async function serveVisit(visit: Visit): Promise<Response> {
  const { request } = visit;
  if (visit.url.pathname === instanceRoutes.enter) return enter(visit);
  const found = await findViewer(visit);
  if (!found) return signInFirst(visit);
  if (!isAllowedSource(request, visit.origin)) return errorResponse("origin_refused", request);
  if (visit.url.pathname === instanceRoutes.mark) return markScript(visit);
  if (visit.url.pathname === instanceRoutes.ready) return ready(visit, found.viewer);
  const isHubs = visit.url.pathname.startsWith(instanceRoutes.prefix);
  const isPresence = visit.url.pathname === instanceRoutes.presence && isUpgrade(request);
  if (isHubs && !isPresence) return errorResponse("not_found", request);
  return (isPresence ? undefined : refuseNewStream(request, visit.env)) ?? askInstance(visit, found);
}

async function askInstance(visit: Visit, found: ViewerProof): Promise<Response> {
  // Where the hub must save, a page comes without the mark, whose socket and script are requests of their own.
  const showsMark = found.viewer.showsMark && !usage.isAtLeast("scarce", Date.now());
  const response = await askWithMark(visit, showsMark, (asked) =>
    toTunnel({ ...visit, request: asked }, found),
  );
  noteRefusal(response);
  if (isSignedOutAnswer(response)) return signInFirst(visit);
  if (found.fresh || isUpgrade(visit.request)) return response;
  return withCookies(response, [await viewerCookie(visit, found.viewer, found.until)]);
}

function toTunnel({ request, env, label, origin, url }: Visit, found: ViewerProof): Promise<Response> {
  const { userId, login, sessionId } = found.viewer;
  const viewer = { userId, login, sessionId, checkAt: found.until, origin, prefix: "" };
  const ask = (as: VerifiedViewer) => env.TUNNEL.getByName(label).fetch(withViewer(request, as));
  return isForFile(request, url.pathname)
    ? askForFile({ request, label, viewer, isRead: false }, ask)
    : ask(viewer);
}

/** Who looks; a cookie that is not fresh counts only while the sign-in behind it lives, and then as a new one. */
async function findViewer({ request, env, label }: Visit): Promise<ViewerProof | null> {
  const cookie = readCookie(request, VIEWER_COOKIE);
  const found = cookie === undefined ? null : await readViewerCookie(env, label, cookie);
  if (!found || found.fresh) return found;
  const { sessionId, userId } = found.viewer;
  const live = await findLiveViewer(env, { sessionId, userId });
  if (live === null) return null;
  const { until, ...viewer } = live;
  return { viewer, until, fresh: false };
}

/** A person is sent to the hub to sign in and come back, anything else is refused; a cookie that is worth nothing goes. */
async function signInFirst(visit: Visit): Promise<Response> {
  const { request, url } = visit;
  const isWorthless = readCookie(request, VIEWER_COOKIE) !== undefined;
  const removal = isWorthless ? [serializeCookie(VIEWER_COOKIE, "", 0)] : [];
  if (isInstanceNavigation(request))
    return withCookies(await askHub(visit, url.pathname + url.search), removal);
  return withCookies(errorResponse("sign_in_required", request), removal);
}

/**
 * Sends the browser to the hub for a code; the nonce stays here and binds the code to this browser. One that is there
 * is used again: another tab may be on its way with it.
 */
async function askHub({ request, label, env }: Visit, next: string, again = 0): Promise<Response> {
  const nonce = readCookie(request, NONCE_COOKIE) ?? randomSecret();
  const hub = new URL(routes.open(label), env.HUB_ORIGIN);
  hub.searchParams.set("next", next);
  hub.searchParams.set("binding", await bindingHash(nonce));
  if (again > 0) hub.searchParams.set("again", String(again));
  return redirect(hub.href, [serializeCookie(NONCE_COOKIE, nonce, NONCE_SECONDS)]);
}

/** Trades the hub's code for this origin's own cookie; without one it asks the hub for one, whatever cookie there is. */
async function enter(visit: Visit): Promise<Response> {
  const { request, env, label, url } = visit;
  const code = url.searchParams.get("code");
  const nonce = readCookie(request, NONCE_COOKIE);
  const next = parseLocalPath(url.searchParams.get("next")) ?? "/";
  if (code === null && isInstanceNavigation(request)) return askHub(visit, next);
  const attempt = { code: code ?? "", label, nonce: nonce ?? "" };
  const viewer = nonce === undefined ? null : await redeemViewerCode(env, attempt);
  if (viewer) return redirect(next, [await viewerCookie(visit, viewer, viewer.until)]);
  // Another tab of this browser was faster and has let it in already.
  if (await findViewer(visit)) return redirect(next, []);
  // Or replaced the nonce, because both came before there was one; now there is, so another code will do.
  const again = Number(url.searchParams.get("again") ?? 0);
  if (nonce !== undefined && again < MAX_AGAIN) return askHub(visit, next, again + 1);
  const link = { href: visit.origin + next, text: "Open it again" };
  return errorResponse("enter_refused", request, { link });
}

/** Says whether the instance is connected, for the page that waits for it. */
async function ready(visit: Visit, { userId, sessionId }: Viewer): Promise<Response> {
  const isReady = await visit.env.TUNNEL.getByName(visit.label).isReady(userId, sessionId);
  if (isReady === "signed_out") return signInFirst(visit);
  return new Response(null, { status: isReady ? 204 : 503, headers: { "cache-control": "no-store" } });
}

async function viewerCookie({ env, label }: Visit, viewer: Viewer, until: number): Promise<string> {
  const value = await signViewerCookie(env, { ...viewer, label, until });
  return serializeCookie(VIEWER_COOKIE, value, COOKIE_SECONDS);
}

function redirect(location: string, cookies: string[]): Response {
  const headers = new Headers({ location, "cache-control": "no-store", "referrer-policy": "no-referrer" });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 302, headers });
}

function withCookies(response: Response, cookies: string[]): Response {
  const copy = new Response(response.body, response);
  for (const cookie of cookies) copy.headers.append("set-cookie", cookie);
  return copy;
}
