/** Answers to "why can or cannot this person get in", for pages and for the command line. */
import type { AllowedEntity, Decision, MembershipState } from "./auth/policy.ts";

/** What is known of one person, and what follows from it. */
export interface PersonAnswer {
  /** `local` or `github:<numeric id>`. */
  userId: string;
  login: string;
  /** `local`: the hub's own machine's user, whom nothing decides about. `never_asked`: GitHub was not asked about them yet. */
  decision: Decision | "local" | "never_asked";
  /** What GitHub said about each line of the allow-list. */
  standings: { entity: AllowedEntity; state: MembershipState }[];
  /** When GitHub last answered and when it was last asked, milliseconds since the epoch. */
  checkedAt: number | null;
  triedAt: number | null;
  /** True where that answer is too old to be relied on: GitHub is asked again when they come next. */
  isDue: boolean;
}

export interface WhyAnswer {
  /** The login or id that was asked about. */
  user: string;
  /** Everybody known by it; empty where nobody of that name ever tried. */
  people: PersonAnswer[];
  /** Lines of the allow-list that name this very person: all that can be said of somebody who never tried. */
  named: AllowedEntity[];
  isPolicyEmpty: boolean;
}
