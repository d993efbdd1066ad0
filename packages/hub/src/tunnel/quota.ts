/** Nothing new goes through to instances while the hub's quota is all but used up: what is left is for what must go on. */
import type { Env } from "../env.ts";
import { errorCodeOf, errorResponse } from "../errors.ts";
import { routes } from "../routes.ts";
import { usage } from "../usage/usage.ts";

/** The answer to a request that would open something new at an instance, or undefined where it may. */
export function refuseNewStream(request: Request, env: Pick<Env, "HUB_ORIGIN">): Response | undefined {
  const now = Date.now();
  const until = usage.exhaustedUntil(now);
  if (until === null) return undefined;
  const day = new Date(until).toLocaleDateString("en-GB", { day: "numeric", month: "long", timeZone: "UTC" });
  return errorResponse("quota_reached", request, {
    message: `What its plan allows is nearly used up, so nothing new is opened at instances until ${day}, 00:00 UTC. What is open goes on, and dashboards work.`,
    link: { href: new URL(routes.dashboard, env.HUB_ORIGIN).href, text: "Go to the dashboard" },
    retryAfterSeconds: Math.ceil((until - now) / 1000),
  });
}

/** From the Tunnel's answer the Worker learns the same, and asks no Tunnel the next time. */
export function noteRefusal(response: Response): void {
  if (errorCodeOf(response) !== "quota_reached") return;
  const seconds = Number(response.headers.get("retry-after"));
  usage.learnExhausted(Date.now() + seconds * 1000, Date.now());
}
