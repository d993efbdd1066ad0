/** Who may use this hub: the policy, what GitHub said about a person, and the answer that follows from both. */

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

/** From the most useful refusal to the least: what a person can act on by themselves comes before what others must do. */
const REFUSALS = [
  // First, because what GitHub did not tell could still let the person in: nothing is decided.
  ["unknown", "unknown"],
  ["pending", "invitation_pending"],
  ["sso_required", "sso_required"],
  ["not_installed", "app_not_installed"],
  ["none", "not_a_member"],
] as const satisfies readonly (readonly [MembershipState, Refusal])[];

/**
 * Whether this person may use the hub. Ids decide, names never do. One entity that lets them in is enough, and their role is
 * the highest that any of them gives. Adding an entity therefore never takes anything away.
 */
export function decide(memberships: Memberships, policy: readonly AllowedEntity[]): Decision {
  if (policy.length === 0) return { allowed: false, refusal: "empty_policy", about: [] };
  const standings = policy.map((entity) => ({ entity, state: standingIn(entity, memberships) }));
  const inState = (state: MembershipState) =>
    standings.filter((one) => one.state === state).map(({ entity }) => entity);
  const letIn = inState("active");
  const because = letIn.find(({ role }) => role === "admin") ?? letIn[0];
  if (because !== undefined) return { allowed: true, because, role: because.role };
  for (const [state, refusal] of REFUSALS) {
    const about = inState(state);
    if (about.length > 0) return { allowed: false, refusal, about };
  }
  return { allowed: false, refusal: "not_a_member", about: [] };
}

/** What is known of a person in one line of the allow-list; `unknown` where GitHub was not asked about it yet. */
export function standingIn(entity: AllowedEntity, memberships: Memberships): MembershipState {
  if (entity.kind === "user") return entity.id === memberships.userId ? "active" : "none";
  const known = memberships.of
    .filter(({ kind, id }) => kind === entity.kind && id === entity.id)
    .map(({ state }) => state);
  if (known.includes("active")) return "active";
  return known[0] ?? "unknown";
}
