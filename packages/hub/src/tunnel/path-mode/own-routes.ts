/** What the hub keeps for itself below an instance's prefix, as it does on an instance's own host. */
import { assetPath } from "../../assets.ts";
import type { Session } from "../../auth/session.ts";
import { wantsMark } from "../../auth/viewer.ts";
import type { Env } from "../../env.ts";
import { errorResponse } from "../../errors.ts";
import { instanceRoutes, routes } from "../../routes.ts";
import { markScript } from "../mark.ts";
import { usage } from "../../usage/usage.ts";
import type { PathVisit } from "./answer.ts";

/** The shim: the same for everybody and every instance, a new address with each version of the hub. */
export async function shimScript(request: Request, env: Env): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") return errorResponse("not_found", request);
  const file = await env.ASSETS.fetch(new Request(new URL(assetPath("shim.js"), request.url)));
  const copy = new Response(request.method === "HEAD" ? null : file.body, file);
  copy.headers.set("cache-control", file.ok ? "public, max-age=31536000, immutable" : "no-store");
  copy.headers.set("cross-origin-resource-policy", "same-origin");
  copy.headers.set("x-content-type-options", "nosniff");
  return copy;
}

/** Answers for a signed-in person whatever of the hub's own stands there. */
export async function serveOwn(visit: PathVisit, session: Session): Promise<Response> {
  const { request, env, path } = visit;
  if (request.method !== "GET" && request.method !== "HEAD") return errorResponse("not_found", request);
  switch (path) {
    case instanceRoutes.mark:
      if (usage.isAtLeast("scarce", Date.now())) return noMark();
      return (await wantsMark(env.DB, session.userId)) ? mark(visit) : noMark();
    case instanceRoutes.ready:
      return ready(visit, session);
    case instanceRoutes.switcher:
      return toHub(routes.switcher, withMode(request));
    case instanceRoutes.dashboard:
      return toHub(routes.dashboard, "");
    default:
      return errorResponse("not_found", request);
  }
}

/** Asked after each time, because whether it is shown is asked here and not with each page. */
async function mark(visit: PathVisit): Promise<Response> {
  const script = await markScript(visit);
  script.headers.set("cache-control", "private, no-cache");
  return script;
}

function noMark(): Response {
  const headers = { "content-type": "text/javascript; charset=utf-8", "cache-control": "private, no-cache" };
  return new Response("", { headers });
}

async function ready({ request, env, label }: PathVisit, session: Session): Promise<Response> {
  const isReady = await env.TUNNEL.getByName(label).isReady(session.userId, session.id);
  if (isReady === "signed_out") return errorResponse("sign_in_required", request);
  return new Response(null, { status: isReady ? 204 : 503, headers: { "cache-control": "no-store" } });
}

/** So that the frame knows on whose origin the page around it is. */
function withMode(request: Request): string {
  const { searchParams } = new URL(request.url);
  searchParams.set("mode", "path");
  return `?${searchParams.toString()}`;
}

/** The hub's own pages stand elsewhere; scripts of an instance's page reach them only from here. */
function toHub(path: string, search: string): Response {
  return new Response(null, {
    status: 302,
    headers: { location: path + search, "cache-control": "no-store" },
  });
}
