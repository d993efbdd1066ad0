/** What the hub's API answers, as far as it is shown. Another version of the hub may say more, and is not to be trusted. */
import * as v from "valibot";
import type { PersonAnswer } from "../src/access-answers.ts";

const text = v.nullable(v.string());

const Entity = v.object({
  kind: v.picklist(["organization", "team", "user"]),
  id: v.number(),
  name: v.string(),
  role: v.picklist(["member", "admin"]),
  source: v.picklist(["settings", "database"]),
});

export const AddedSchema = Entity;

export const ListSchema = v.object({
  entities: v.array(v.object({ ...Entity.entries, added_by: text, added_at: text })),
  problems: v.array(v.string()),
});

const State = v.picklist(["active", "pending", "none", "sso_required", "not_installed", "unknown"]);
const Refusal = v.picklist([
  "empty_policy",
  "not_a_member",
  "invitation_pending",
  "sso_required",
  "app_not_installed",
  "unknown",
]);

const Person = v.object({
  id: v.string(),
  login: v.string(),
  allowed: v.boolean(),
  role: v.nullable(Entity.entries.role),
  reason: v.nullable(v.union([Refusal, v.literal("local"), v.literal("never_asked")])),
  because: v.nullable(Entity),
  about: v.array(Entity),
  standings: v.array(v.object({ ...Entity.entries, state: State })),
  checked_at: text,
  tried_at: text,
  check_due: v.boolean(),
});

export const WhySchema = v.object({
  user: v.string(),
  people: v.array(Person),
  named: v.array(Entity),
  policy_empty: v.boolean(),
});

export const AuditSchema = v.object({
  entries: v.array(
    v.object({
      id: v.number(),
      at: v.string(),
      action: v.string(),
      user_id: text,
      login: text,
      subject: text,
      reason: text,
      ip: text,
      place: text,
    }),
  ),
  next: v.nullable(v.number()),
});

export const ErrorSchema = v.object({ error: v.object({ code: v.string(), message: v.string() }) });

/** The decision behind what the API says of a person. */
export function decisionOf(person: v.InferOutput<typeof Person>): PersonAnswer["decision"] {
  const { because, role, reason, about } = person;
  if (reason === "local" || reason === "never_asked") return reason;
  if (because !== null && role !== null) return { allowed: true, because, role };
  return { allowed: false, refusal: reason ?? "unknown", about };
}
