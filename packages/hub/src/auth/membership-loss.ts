/**
 * What GitHub's webhooks said that somebody lost. It is true at once, while GitHub's API may still tell otherwise for a
 * moment: for `BELIEVED_MS` it beats what the API says. Pure.
 */
import type { Membership, Memberships } from "./policy.ts";

/** Answers that GitHub's API gave up to so long after a loss are not believed where they contradict it. */
export const BELIEVED_MS = 60_000;

/** Something that a person does not belong to any more. */
export type Loss = { lost: "organization"; id: number; login: string } | { lost: "team"; id: number };

/** A loss and when the hub heard of it, milliseconds since the epoch. */
export type KnownLoss = Loss & { at: number };

/** What a person still belongs to. An organisation's teams are lost with it. */
export function withoutLosses(memberships: Memberships, losses: readonly KnownLoss[]): Memberships {
  const current = losses.filter(({ at }) => memberships.checkedAt < at + BELIEVED_MS);
  if (current.length === 0) return memberships;
  const of = memberships.of.map((membership) =>
    current.some((loss) => isLost(membership, loss, memberships))
      ? { ...membership, state: "none" as const }
      : membership,
  );
  return { ...memberships, of };
}

/** True where a loss is of something that is known of the person; else only GitHub can say what follows from it. */
export function isKnownOf(memberships: Memberships, loss: Loss): boolean {
  return memberships.of.some((membership) => isLost(membership, loss, memberships));
}

function isLost(membership: Membership, loss: Loss, { of }: Memberships): boolean {
  if (membership.kind === loss.lost && membership.id === loss.id) return true;
  if (membership.kind !== "team" || loss.lost !== "organization") return false;
  // Names may be out of date, so every name that is known for the organisation counts.
  const logins = of
    .filter(({ kind, id }) => kind === "organization" && id === loss.id)
    .map(({ name }) => name);
  const organization = membership.name.split("/")[0]?.toLowerCase();
  return [loss.login, ...logins].some((login) => login.toLowerCase() === organization);
}
