import { Hono, type Context } from "hono";
import { checkEdge, requireAllowed } from "../auth/rate-limits.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { HealthReport } from "../ui/health.tsx";
import { Layout } from "../ui/layout.tsx";
import { checkHealth, type Health } from "./health-checks.ts";

/** Seconds for which one answer is everybody's, so that however many ask, one check is made. */
const KEPT_SECONDS = 5;

/** Whether the hub can do its work, for monitors (JSON) and people (a page): 200, or 503 where it cannot. */
export const healthPage = new Hono<HubContext>();

healthPage.get(routes.health, async (c) => {
  const health = (await keptHealth(c)) ?? (await newHealth(c));
  const status = health.status === "ok" ? 200 : 503;
  if (!(c.req.header("accept") ?? "").includes("text/html")) return c.json(health, status);
  const now = Date.now();
  return c.html(
    <Layout title="Health · Orchestrator" now={now}>
      <main class="page">
        <HealthReport health={health} now={now} />
      </main>
    </Layout>,
    status,
  );
});

async function keptHealth({ env }: Context<HubContext>): Promise<Health | undefined> {
  const kept = await caches.default.match(cacheKey(env.HUB_ORIGIN));
  return kept?.json<Health>();
}

async function newHealth(c: Context<HubContext>): Promise<Health> {
  // Where the platform keeps no answers, as on a workers.dev host, this alone bounds what a flood costs.
  requireAllowed(await checkEdge(c.env.EDGE_SIGN_IN, c.req.raw, "health"));
  const health = await checkHealth(c.env);
  const kept = Response.json(health, { headers: { "cache-control": `max-age=${KEPT_SECONDS}` } });
  c.executionCtx.waitUntil(caches.default.put(cacheKey(c.env.HUB_ORIGIN), kept));
  return health;
}

/** No address of the hub's: whatever else is kept under one is no answer of this. */
function cacheKey(origin: string): string {
  return `${origin}/.orchestrator/kept/health`;
}
