/** What is written into the audit log: who did what to whom, and what came of it. Never a secret, a code, a URL's query. */

export const AUDIT_ACTIONS = [
  "sign_in",
  "sign_in_refused",
  "sign_out",
  "session_ended",
  /** A sign-in's former secret was used again: somebody has a copy, so the sign-in was ended. */
  "session_reused",
  "token_created",
  "token_rotated",
  "token_revoked",
  /** An instance without a token was approved or denied by who said its code. */
  "pairing_approved",
  "pairing_denied",
  "policy_added",
  "policy_removed",
  /** A person no longer belongs to anything allowed; everything they had open was closed. */
  "access_lost",
  "webhook_refused",
  "app_configured",
] as const;

export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** What something was done to, as the log writes it: its name, and the id that tells it from others of that name. */
export function auditSubject(name: string, id: string | number): string {
  return `${name} (${id})`;
}

export interface AuditEvent {
  action: AuditAction;
  /** Id of the user who did it, or whom it is about where nobody did it; null where that is unknown. */
  userId: string | null;
  /** Their login at that time. */
  login: string | null;
  /** What it was done to: a token's name and id, an entity, a session's id. */
  subject: string | null;
  /** One of a fixed set of words, e.g. a refusal's reason. */
  reason: string | null;
  /** As request-place.ts says it. */
  from: { ip: string | null; place: string | null };
}
