import type { Env } from "./env.ts";
import { app } from "./app.ts";
import { noticeSettings } from "./auth/settings-change.ts";
import { compressed } from "./compression.ts";
import { hostOwner } from "./origins.ts";
import { connectPending } from "./pairing/connect.ts";
import { Pairing as PairingObject } from "./pairing/pairing.ts";
import { RateLimiter as RateLimiterObject } from "./rate-limiter/rate-limiter.ts";
import { serveInstance } from "./tunnel/ingress.ts";
import { connectInstance } from "./tunnel/connect.ts";
import { parsePathAddress } from "./tunnel/path-mode/address.ts";
import { servePath } from "./tunnel/path-mode/ingress.ts";
import { Tunnel as TunnelObject } from "./tunnel/tunnel.ts";
import { pathOf } from "./request-path.ts";
import { instanceRoutes, routes } from "./routes.ts";
import { errorName, log } from "./log.ts";
import { Meter as MeterObject } from "./usage/meter.ts";
import { metered, meteredEnv } from "./usage/metered.ts";
import { usage } from "./usage/usage.ts";
import { UserHub as UserHubObject } from "./user-hub/user-hub.ts";

export const Meter = metered(MeterObject);
export const Pairing = metered(PairingObject);
export const RateLimiter = metered(RateLimiterObject);
export const Tunnel = metered(TunnelObject);
export const UserHub = metered(UserHubObject);

/** Whose host is this? The hub's own pages and the instances' traffic part here and never meet again. */
const hub = {
  async fetch(request, bindings, context) {
    const env = meteredEnv(bindings);
    const noticed = noticeSettings(env);
    if (noticed) context.waitUntil(noticed);
    try {
      return await route(request, env, context);
    } catch (error) {
      // Messages of the platform may quote the URL, and with it a code or a token.
      log("unhandled", { error: errorName(error) });
      return new Response("The request could not be handled.\n", { status: 400 });
    }
  },
} satisfies ExportedHandler<Env>;

export default hub;

/** The same under a name of its own: Miniflare puts two Workers of its own before a default export that has static files. */
export { hub as direct };

/**
 * A browser that leaves takes its request with it. What that has begun, such as ending a sign-in or revoking a token, takes
 * more than one step and is finished all the same.
 */
function finished(
  answer: Response | Promise<Response>,
  context: ExecutionContext,
): Response | Promise<Response> {
  context.waitUntil(Promise.allSettled([answer]));
  return answer;
}

async function route(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
  const owner = hostOwner(request.headers.get("host") ?? "", env);
  // Comes here only where a local runner sends static files through the Worker, to have them compressed.
  if (owner.kind !== "unknown" && env.COMPRESS_ANSWERS === "enabled" && isAsset(pathOf(request)))
    return compressed(request, await env.ASSETS.fetch(request), env);
  usage.count("worker_requests");
  switch (owner.kind) {
    case "hub":
      return routeHub(request, env, context);
    case "instance":
      return serveInstance(request, env, owner.label);
    case "unknown":
      return new Response("This host is not served here.\n", { status: 421 });
  }
}

/** Connectors and path mode bypass the app, as the instances' own hosts do. */
async function routeHub(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
  const pathname = pathOf(request);
  if (pathname === routes.connect) return connectInstance(request, env);
  if (pathname === routes.pending) return connectPending(request, env);
  const address = parsePathAddress(pathname);
  if (address !== undefined) return servePath(request, env, address, context);
  return compressed(request, await finished(app.fetch(request, env, context), context), env);
}

function isAsset(pathname: string): boolean {
  return pathname.startsWith(instanceRoutes.assets);
}
