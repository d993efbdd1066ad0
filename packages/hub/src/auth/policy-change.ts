/** What a change of the allow-list does to people, as far as is known of them. Pure. */
import { decide, type AllowedEntity, type Decision, type Memberships } from "./policy.ts";

/** Whom a change takes something from, by login. */
export interface Losses {
  /** They got in and do not any more. */
  access: string[];
  /** They were administrators and are members now. */
  administration: string[];
}

type Person = { login: string; memberships: Memberships | null };

export function lossesOf(
  people: readonly Person[],
  before: readonly AllowedEntity[],
  after: readonly AllowedEntity[],
): Losses {
  const losses: Losses = { access: [], administration: [] };
  for (const { login, memberships } of people) {
    if (memberships === null) continue;
    const [was, is] = [standing(decide(memberships, before)), standing(decide(memberships, after))];
    if (was !== "nobody" && is === "nobody") losses.access.push(login);
    else if (was === "admin" && is === "member") losses.administration.push(login);
  }
  return losses;
}

/**
 * True where somebody is an administrator under this policy: the settings name one, or a person GitHub was asked about is one.
 * Others may be as well; whether the id that would let them in is right shows only when they come.
 */
export function hasAdministrator(people: readonly Person[], policy: readonly AllowedEntity[]): boolean {
  if (policy.some(({ source, role }) => source === "settings" && role === "admin")) return true;
  return people.some(({ memberships }) => {
    return memberships !== null && standing(decide(memberships, policy)) === "admin";
  });
}

/** The policy without what administrators added for this entity. */
export function without(
  policy: readonly AllowedEntity[],
  { kind, id }: Pick<AllowedEntity, "kind" | "id">,
): AllowedEntity[] {
  return policy.filter((one) => one.source === "settings" || one.kind !== kind || one.id !== id);
}

function standing(decision: Decision): "nobody" | "member" | "admin" {
  return decision.allowed ? decision.role : "nobody";
}
