/** Who may use this hub: shapes of the policy, of what GitHub said about a person, and of the answer. */

export type EntityKind = "organization" | "team" | "user";
/** An administrator decides who else gets in; in all else a member like any other. */
export type Role = "member" | "admin";

/** One line of the allow-list. The id decides; the name is for people and may be out of date. */
export interface AllowedEntity {
  kind: EntityKind;
  /** GitHub's numeric id. */
  id: number;
  /** A login, or `<organisation>/<slug>` for a team. */
  name: string;
  role: Role;
  source: "settings" | "database";
}

/**
 * What GitHub says of a person in an organisation or a team. Only `active` counts as belonging. `unknown`: GitHub could not
 * be asked, so nothing is known. `sso_required` and `not_installed`: GitHub does not tell before a person acts.
 */
export type MembershipState = "active" | "pending" | "none" | "sso_required" | "not_installed" | "unknown";

export interface Membership {
  kind: "organization" | "team";
  id: number;
  name: string;
  state: MembershipState;
}

/** What is known of a person, and since when. Stored as it is, so that "why" can be answered without asking GitHub. */
export interface Memberships {
  /** GitHub's numeric id of the person. */
  userId: number;
  login: string;
  of: Membership[];
  /** When GitHub was asked, milliseconds since the epoch. */
  checkedAt: number;
}

export type Refusal =
  /** The allow-list is empty, so nobody gets in. */
  | "empty_policy"
  /** In none of what is allowed. */
  | "not_a_member"
  /** Invited, but the invitation was not accepted. */
  | "invitation_pending"
  | "sso_required"
  | "app_not_installed"
  /** GitHub could not be asked about what would decide. */
  | "unknown";

/** The answer with its reason: the entity that lets a person in, or why none does and which it is about. */
export type Decision =
  | { allowed: true; because: AllowedEntity; role: Role }
  | { allowed: false; refusal: Refusal; about: AllowedEntity[] };
