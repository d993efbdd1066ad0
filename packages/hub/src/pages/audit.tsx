import { Hono } from "hono";
import { AUDIT_RETENTION_MS } from "../db/audit.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { AuditFilters, AuditSteps, AuditList } from "../ui/audit.tsx";
import { Layout } from "../ui/layout.tsx";
import { auditPage } from "./audit-page.ts";

const RETENTION_DAYS = AUDIT_RETENTION_MS / (24 * 60 * 60 * 1000);

/** What happened: sign-ins, refusals, tokens, changes of who gets in. */
export const auditPages = new Hono<HubContext>();

auditPages.get(routes.audit, async (c) => {
  const { entries, filter, next } = await auditPage(c.env, c.req.query());
  const now = Date.now();
  return c.html(
    <Layout title="Audit log · Orchestrator" session={c.get("session")} current="access" now={now}>
      <main class="page">
        <p class="crumbs">
          <a href={routes.access}>Access</a>
        </p>
        <h1>Audit log</h1>
        <p>
          Who signed in or was refused, and who changed tokens and the allow-list. Kept for {RETENTION_DAYS}{" "}
          days.
        </p>
        <AuditFilters filter={filter} />
        <AuditList entries={entries} now={now} />
        <AuditSteps filter={filter} next={next} />
      </main>
    </Layout>,
  );
});
