import type { Env } from "../env.ts";

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** True where a request may change something: any method but the reading ones, and any upgrade to a WebSocket. */
export function changesState(request: Request): boolean {
  return !SAFE_METHODS.has(request.method) || request.headers.get("upgrade") !== null;
}

/**
 * True where a request comes from a page of the hub itself. Instances live on sibling hosts of the same site, so a
 * SameSite cookie alone keeps none of them out: the origin must be equal, and a missing one is refused.
 */
export function comesFromHub(request: Request, env: Pick<Env, "HUB_ORIGIN">): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin") return false;
  return request.headers.get("origin") === env.HUB_ORIGIN;
}
