import { expect, it } from "vitest";
import { BELIEVED_MS, isKnownOf, withoutLosses, type KnownLoss } from "./membership-loss.ts";
import type { Membership, Memberships, MembershipState } from "./policy.ts";

const NOW = Date.UTC(2026, 10, 20);
const ACME = { kind: "organization", id: 1, name: "acme", state: "active" } as const;
const CORE = { kind: "team", id: 2, name: "Acme/core", state: "active" } as const;
const OTHER = { kind: "team", id: 1, name: "acme-too/core", state: "active" } as const;

function answer(of: Membership[], checkedAt = NOW): Memberships {
  return { userId: 7, login: "ann", of, checkedAt };
}

function states(memberships: Memberships): MembershipState[] {
  return memberships.of.map(({ state }) => state);
}

const leftAcme: KnownLoss = { lost: "organization", id: 1, login: "ACME", at: NOW };

it("takes an organisation away with its teams, and nothing else", () => {
  expect(states(withoutLosses(answer([ACME, CORE, OTHER]), [leftAcme]))).toEqual(["none", "none", "active"]);
});

it("finds the teams of an organisation that has another name by now", () => {
  const renamed: KnownLoss = { ...leftAcme, login: "acme-inc" };
  expect(states(withoutLosses(answer([ACME, CORE]), [renamed]))).toEqual(["none", "none"]);
});

it("takes a team away by its id, and leaves an organisation of the same id", () => {
  const left: KnownLoss = { lost: "team", id: 1, at: NOW };
  expect(states(withoutLosses(answer([ACME, OTHER]), [left]))).toEqual(["active", "none"]);
  expect(isKnownOf(answer([ACME]), left)).toBe(false);
  expect(isKnownOf(answer([OTHER]), left)).toBe(true);
});

it("beats what GitHub's API says for a minute, and no longer", () => {
  const stale = answer([ACME], NOW + BELIEVED_MS - 1);
  expect(states(withoutLosses(stale, [leftAcme]))).toEqual(["none"]);
  const later = answer([ACME], NOW + BELIEVED_MS);
  expect(withoutLosses(later, [leftAcme])).toBe(later);
});
