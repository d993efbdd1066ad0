import { Hono } from "hono";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { Layout } from "../ui/layout.tsx";
import { UsageReport } from "../ui/usage.tsx";
import { METER_NAME } from "../usage/contract.ts";
import { readPlan } from "../usage/plan.ts";
import { usageView } from "./usage-view.ts";

/** What the hub uses of what it is billed for, for its administrators. */
export const usagePages = new Hono<HubContext>();

usagePages.get(routes.usage, async (c) => {
  const report = await c.env.METER.getByName(METER_NAME).report();
  const now = Date.now();
  return c.html(
    <Layout title="Usage · Orchestrator" session={c.get("session")} current="usage" now={now}>
      <UsageReport view={usageView(report, readPlan(c.env), now)} now={now} />
    </Layout>,
  );
});
