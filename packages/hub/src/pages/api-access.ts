import { Hono } from "hono";
import type { PersonAnswer } from "../access-answers.ts";
import type { AllowedEntity } from "../auth/policy.ts";
import type { AuditRow } from "../db/audit.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { accessOf, addEntity, removeEntity } from "./access-actions.ts";
import { whyAccess } from "./access-why.ts";
import { actorOf } from "./access.tsx";
import { auditPage } from "./audit-page.ts";

/**
 * The access page for programs. `GET` lists, `POST {"kind","name","role"}` lets in, `DELETE /:kind/:id` removes, `/why?user=`
 * answers; `/api/audit` reads the log. Times are ISO 8601.
 */
export const apiAccess = new Hono<HubContext>();

apiAccess.get(routes.apiAccess, async (c) => {
  const { entities, problems } = await accessOf(c.env);
  const shown = entities.map(({ addedBy, addedAt, ...entity }) => {
    return { ...toJson(entity), added_by: addedBy, added_at: isoTime(addedAt) };
  });
  return c.json({ entities: shown, problems });
});

apiAccess.post(routes.apiAccess, async (c) => {
  const body: unknown = await c.req.json().catch(() => {
    throw new HubError("bad_request", { message: "The body is not JSON." });
  });
  return c.json(toJson(await addEntity(c.env, actorOf(c), body)), 201);
});

apiAccess.delete(routes.apiAccessEntity(":kind", ":id"), async (c) => {
  await removeEntity(c.env, actorOf(c), { kind: c.req.param("kind"), id: c.req.param("id") });
  return c.body(null, 204);
});

apiAccess.get(routes.apiWhyAccess, async (c) => {
  const { user, people, named, isPolicyEmpty } = await whyAccess(c.env, c.req.query("user"));
  return c.json({
    user,
    people: people.map(toPersonJson),
    named: named.map(toJson),
    policy_empty: isPolicyEmpty,
  });
});

apiAccess.get(routes.apiAudit, async (c) => {
  const { entries, next } = await auditPage(c.env, c.req.query());
  return c.json({ entries: entries.map(toEntryJson), next });
});

function toJson({ kind, id, name, role, source }: AllowedEntity) {
  return { kind, id, name, role, source };
}

function toPersonJson(person: PersonAnswer) {
  const { userId, login, decision, standings, checkedAt, triedAt, isDue } = person;
  return {
    id: userId,
    login,
    ...toDecisionJson(decision),
    standings: standings.map(({ entity, state }) => ({ ...toJson(entity), state })),
    checked_at: isoTime(checkedAt),
    tried_at: isoTime(triedAt),
    check_due: isDue,
  };
}

/** `reason`: a refusal, `local` or `never_asked`; `because`: the entity that lets them in; `about`: those a refusal is about. */
function toDecisionJson(decision: PersonAnswer["decision"]) {
  const nothing = { role: null, reason: null, because: null, about: [] };
  if (decision === "local") return { ...nothing, allowed: true, role: "admin", reason: decision };
  if (decision === "never_asked") return { ...nothing, allowed: false, reason: decision };
  if (decision.allowed)
    return { ...nothing, allowed: true, role: decision.role, because: toJson(decision.because) };
  return { ...nothing, allowed: false, reason: decision.refusal, about: decision.about.map(toJson) };
}

function toEntryJson({ at, ...entry }: AuditRow) {
  return { ...entry, at: isoTime(at) };
}

function isoTime(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
