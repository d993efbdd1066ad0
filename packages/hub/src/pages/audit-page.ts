/** One page of the audit log, for people and for programs. */
import * as v from "valibot";
import { AUDIT_ACTIONS } from "../audit.ts";
import { listAudit, type AuditFilter, type AuditRow } from "../db/audit.ts";
import type { Env } from "../env.ts";
import { HubError } from "../errors.ts";

const ENTRIES = 50;
const MAX_ENTRIES = 200;

/** Newest first. */
export interface AuditPage {
  entries: AuditRow[];
  filter: AuditFilter;
  /** The `before` of the page with older ones; null on the last. */
  next: number | null;
}

const positive = (max: number) =>
  v.pipe(v.string(), v.regex(/^[1-9]\d{0,15}$/), v.transform(Number), v.maxValue(max));

/** Empty fields of a form ask for nothing. */
const QuerySchema = v.object({
  action: v.optional(v.union([v.picklist(AUDIT_ACTIONS), v.literal("")])),
  person: v.optional(v.pipe(v.string(), v.trim(), v.maxLength(120))),
  before: v.optional(positive(Number.MAX_SAFE_INTEGER)),
  limit: v.optional(positive(MAX_ENTRIES)),
});

/** Reads a page as an untrusted query asks for it; throws `bad_request`. */
export async function auditPage(env: Env, query: Record<string, string>): Promise<AuditPage> {
  const parsed = v.safeParse(QuerySchema, query);
  if (!parsed.success)
    throw new HubError("bad_request", {
      message: `The log is asked for by action (${AUDIT_ACTIONS.join(", ")}), person, before (an id) and limit (up to ${MAX_ENTRIES}).`,
    });
  const { action, person, before, limit = ENTRIES } = parsed.output;
  const filter = {
    action: action === "" ? undefined : action,
    person: person === "" ? undefined : person,
    before,
  };
  const rows = await listAudit(env.DB, filter, limit + 1);
  const entries = rows.slice(0, limit);
  return { entries, filter, next: rows.length > limit ? (entries.at(-1)?.id ?? null) : null };
}
