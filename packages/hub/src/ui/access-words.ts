/** The words of access and its log, the same on pages and in the command line. */
import type { AuditAction } from "../audit.ts";
import type { AllowedEntity, Decision, EntityKind, MembershipState, Refusal, Role } from "../auth/policy.ts";
import type { PersonAnswer, WhyAnswer } from "../access-answers.ts";

export const KIND_WORDS: Record<EntityKind, string> = {
  organization: "organisation",
  team: "team",
  user: "person",
};

export const ROLE_WORDS: Record<Role, string> = { member: "member", admin: "administrator" };

const MEMBERSHIP_WORDS: Record<MembershipState, string> = {
  active: "belongs to it",
  pending: "invited",
  none: "does not belong",
  sso_required: "not told",
  not_installed: "not told",
  unknown: "not known",
};

const UNTOLD_WORDS: Partial<Record<MembershipState, string>> = {
  pending: "has not accepted",
  sso_required: "needs a single sign-on session",
  not_installed: "the GitHub App is not installed there",
  unknown: "GitHub was not asked yet, or did not answer",
};

/** Why nothing is known, or not enough; begins with a separator where it is not empty. */
export function untoldWords(state: MembershipState): string {
  const words = UNTOLD_WORDS[state];
  return words === undefined ? "" : ` · ${words}`;
}

/** What a line of the allow-list is to a person. */
export function standingWords({ kind }: Pick<AllowedEntity, "kind">, state: MembershipState): string {
  if (kind === "user") return state === "active" ? "is this person" : "is somebody else";
  return MEMBERSHIP_WORDS[state];
}

/** What somebody did, after their name and before what they did it to. */
const AUDIT_WORDS: Record<AuditAction, string> = {
  sign_in: "signed in",
  sign_in_refused: "was refused",
  sign_out: "signed out",
  session_ended: "ended a sign-in",
  session_reused: "lost a sign-in of which there was a copy",
  token_created: "made a token",
  token_rotated: "replaced a token",
  token_revoked: "revoked a token",
  pairing_approved: "approved an instance",
  pairing_denied: "denied an instance",
  policy_added: "let in",
  policy_removed: "removed from the allow-list",
  access_lost: "lost access",
  webhook_refused: "sent a webhook that was refused",
  app_configured: "set up the GitHub App",
};

/** For the word of an action; words of other versions of the hub stand for themselves. */
export function auditWords(action: string): string {
  return Object.hasOwn(AUDIT_WORDS, action) ? AUDIT_WORDS[action as AuditAction] : action;
}

export function entityWords({ kind, name }: Pick<AllowedEntity, "kind" | "name">): string {
  return `${KIND_WORDS[kind]} ${name}`;
}

/** A sentence: whether this person gets in, and why or why not. */
export function answerWords({ login, decision }: Pick<PersonAnswer, "login" | "decision">): string {
  if (decision === "local")
    return `${login} is the user of this hub's own machine and always gets in, as administrator.`;
  if (decision === "never_asked")
    return `${login} does not get in: they have not finished a sign-in, so GitHub was never asked about them.`;
  return decisionWords(login, decision);
}

/** A sentence about somebody who never tried: all that the allow-list alone can say. */
export function strangerWords({ named, isPolicyEmpty }: Pick<WhyAnswer, "named" | "isPolicyEmpty">): string {
  if (isPolicyEmpty) return "Nobody gets in, because the allow-list is empty.";
  const [first] = named;
  if (first === undefined)
    return "The allow-list does not name them. They get in if they belong to something on it; GitHub is asked when they sign in.";
  return `The allow-list names ${first.name}, whose id is ${first.id}: if that is them, they get in as ${ROLE_WORDS[first.role]}.`;
}

function decisionWords(login: string, decision: Decision): string {
  if (decision.allowed) {
    const { because, role } = decision;
    const why =
      because.kind === "user" ? "because they are named" : `because they belong to ${entityWords(because)}`;
    return `${login} gets in as ${ROLE_WORDS[role]}, ${why}.`;
  }
  return `${login} does not get in: ${REFUSALS[decision.refusal](decision.about)}`;
}

const REFUSALS: Record<Refusal, (about: readonly AllowedEntity[]) => string> = {
  empty_policy: () => "nobody does, because the allow-list is empty.",
  not_a_member: () => "they belong to nothing that is on the allow-list.",
  invitation_pending: (about) => `they were invited to ${listed(about)} but have not accepted.`,
  sso_required: (about) =>
    `GitHub does not tell whether they belong to ${listed(about)} before they start a single sign-on session there and sign in again.`,
  app_not_installed: (about) =>
    `GitHub does not tell who belongs to ${listed(about)} before an owner of it installs this hub's GitHub App.`,
  unknown: (about) =>
    `whether they belong to ${listed(about)} is not known; GitHub is asked when they come next.`,
};

const MAX_LISTED = 3;

function listed(entities: readonly AllowedEntity[]): string {
  const names = entities.slice(0, MAX_LISTED).map(entityWords);
  const more = entities.length - names.length;
  return [...names, ...(more > 0 ? [`${more} more`] : [])].join(" or ");
}
