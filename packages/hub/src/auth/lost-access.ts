import type { Admission } from "../contracts.ts";
import { findAdmission } from "../db/admissions.ts";
import type { Env } from "../env.ts";
import { readFormerSession } from "./access-cookie.ts";

type Reason = Exclude<Extract<Admission, { admitted: false }>["reason"], "never_signed_in">;

/** Somebody who was let in until now, and why not any more. */
export interface LostAccess {
  login: string;
  reason: Reason;
}

const REASONS: ReadonlySet<string> = new Set<Reason>([
  "empty_policy",
  "not_a_member",
  "invitation_pending",
  "sso_required",
  "app_not_installed",
  "unknown",
  "unverified",
]);

/** Whether this browser was signed in a few minutes ago by somebody who has lost their access since; null where it was not. */
export async function lostAccess(
  request: Request,
  env: Env,
  now: number = Date.now(),
): Promise<LostAccess | null> {
  const session = await readFormerSession(request, env, now);
  const known = session === null ? null : await findAdmission(env.DB, session.userId);
  if (session === null || known === null || known.allowed || !isReason(known.reason)) return null;
  return { login: session.login, reason: known.reason };
}

function isReason(word: string): word is Reason {
  return REASONS.has(word);
}
