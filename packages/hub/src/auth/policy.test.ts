import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decide,
  type AllowedEntity,
  type EntityKind,
  type Membership,
  type Memberships,
  type MembershipState,
  type Refusal,
} from "./policy.ts";

const STATES: MembershipState[] = ["active", "pending", "none", "sso_required", "not_installed", "unknown"];

const acme: AllowedEntity = {
  kind: "organization",
  id: 9919,
  name: "acme",
  role: "member",
  source: "settings",
};
const core: AllowedEntity = { kind: "team", id: 4567, name: "acme/core", role: "member", source: "database" };
const octocat: AllowedEntity = {
  kind: "user",
  id: 583_231,
  name: "octocat",
  role: "member",
  source: "settings",
};

function person(...of: Membership[]): Memberships {
  return { userId: 1, login: "ann", of, checkedAt: 1_000 };
}

function inOne({ kind, id, name }: AllowedEntity, state: MembershipState): Membership {
  if (kind === "user") throw new Error("Nobody is a member of a user.");
  return { kind, id, name, state };
}

describe("one entity", () => {
  const REFUSAL: Record<Exclude<MembershipState, "active">, Refusal> = {
    pending: "invitation_pending",
    none: "not_a_member",
    sso_required: "sso_required",
    not_installed: "app_not_installed",
    unknown: "unknown",
  };

  for (const entity of [acme, core]) {
    for (const role of ["member", "admin"] as const) {
      it.each(STATES)(`of kind ${entity.kind}, role ${role}, state %s`, (state) => {
        const allowed = { ...entity, role };
        const decision = decide(person(inOne(entity, state)), [allowed]);
        if (state === "active") expect(decision).toEqual({ allowed: true, because: allowed, role });
        else expect(decision).toEqual({ allowed: false, refusal: REFUSAL[state], about: [allowed] });
      });
    }
    it(`of kind ${entity.kind}, never asked about: unknown`, () => {
      expect(decide(person(), [entity])).toEqual({ allowed: false, refusal: "unknown", about: [entity] });
    });
  }

  it("of kind user", () => {
    const decision = decide({ ...person(), userId: octocat.id }, [octocat]);
    expect(decision).toEqual({ allowed: true, because: octocat, role: "member" });
    expect(decide(person(), [octocat])).toEqual({
      allowed: false,
      refusal: "not_a_member",
      about: [octocat],
    });
  });
});

describe("two entities", () => {
  /** Later ones only count where none of the earlier is there. */
  const ORDER: [MembershipState, Refusal][] = [
    ["unknown", "unknown"],
    ["pending", "invitation_pending"],
    ["sso_required", "sso_required"],
    ["not_installed", "app_not_installed"],
    ["none", "not_a_member"],
  ];

  const pairs = STATES.flatMap((first) => STATES.map((second) => [first, second] as const));
  it.each(pairs)("organisation %s, team %s", (first, second) => {
    const decision = decide(person(inOne(acme, first), inOne(core, second)), [acme, core]);
    const active = [first === "active" ? [acme] : [], second === "active" ? [core] : []].flat();
    if (active[0] !== undefined) {
      expect(decision).toEqual({ allowed: true, because: active[0], role: "member" });
      return;
    }
    const [state, refusal] = ORDER.find(([one]) => one === first || one === second) ?? [];
    const about = [first === state ? [acme] : [], second === state ? [core] : []].flat();
    expect(decision).toEqual({ allowed: false, refusal, about });
  });

  it("gives the highest role, and says which entity gives it", () => {
    const admins = { ...core, role: "admin" } as const;
    const both = person(inOne(acme, "active"), inOne(core, "active"));
    for (const policy of [
      [acme, admins],
      [admins, acme],
    ])
      expect(decide(both, policy)).toEqual({ allowed: true, because: admins, role: "admin" });
    const onlyAcme = person(inOne(acme, "active"), inOne(core, "unknown"));
    expect(decide(onlyAcme, [acme, admins])).toEqual({ allowed: true, because: acme, role: "member" });
  });
});

it("believes the one answer that lets in, should there be several about the same entity", () => {
  for (const states of [
    ["none", "active"],
    ["active", "none"],
  ] as const) {
    const memberships = person(...states.map((state) => inOne(acme, state)));
    expect(decide(memberships, [acme]).allowed).toBe(true);
  }
});

it("keeps the kinds apart: an organisation's id is nobody's user id and no team's", () => {
  const memberships = person(inOne({ ...acme, id: 7 }, "active"));
  expect(decide(memberships, [{ ...core, id: 7 }])).toMatchObject({ allowed: false, refusal: "unknown" });
  expect(decide(memberships, [{ ...octocat, id: 7 }])).toMatchObject({ allowed: false });
  expect(decide({ ...person(), userId: 7 }, [{ ...acme, id: 7 }])).toMatchObject({ allowed: false });
});

it("does not let a former owner of a name in, nor a new one", () => {
  const renamed = person({ kind: "organization", id: 1, name: "acme", state: "active" });
  expect(decide(renamed, [acme]).allowed).toBe(false);
  const named = { ...person(), userId: 2, login: "octocat" };
  expect(decide(named, [octocat]).allowed).toBe(false);
});

describe("for every person and policy", () => {
  // Few ids, so that they meet.
  const id = fc.integer({ min: 1, max: 4 });
  const name = fc.constantFrom("acme", "octocat", "acme/core", "", "<b>");
  const kind = fc.constantFrom<EntityKind[]>("organization", "team", "user");
  const role = fc.constantFrom("member" as const, "admin" as const);
  const source = fc.constantFrom("settings" as const, "database" as const);
  const entity: fc.Arbitrary<AllowedEntity> = fc.record({ kind, id, name, role, source });
  const membership: fc.Arbitrary<Membership> = fc.record({
    kind: fc.constantFrom("organization" as const, "team" as const),
    id,
    name,
    state: fc.constantFrom(...STATES),
  });
  const memberships: fc.Arbitrary<Memberships> = fc.record({
    userId: id,
    login: name,
    of: fc.array(membership, { maxLength: 6 }),
    checkedAt: fc.nat(),
  });
  const policy = fc.array(entity, { maxLength: 6 });

  it("an empty policy refuses", () => {
    fc.assert(
      fc.property(memberships, (of) => {
        expect(decide(of, [])).toEqual({ allowed: false, refusal: "empty_policy", about: [] });
      }),
    );
  });

  it("adding an entity takes neither access nor a role away", () => {
    fc.assert(
      fc.property(memberships, policy, entity, fc.nat(), (of, entities, added, at) => {
        const before = decide(of, entities);
        const after = decide(of, entities.toSpliced(at % (entities.length + 1), 0, added));
        if (!before.allowed) return;
        expect(after.allowed).toBe(true);
        if (after.allowed && before.role === "admin") expect(after.role).toBe("admin");
      }),
    );
  });

  it("nobody gets in but by an id of the policy that is theirs", () => {
    fc.assert(
      fc.property(memberships, policy, (of, entities) => {
        const theirs = (one: AllowedEntity) =>
          one.kind === "user"
            ? one.id === of.userId
            : of.of.some((in_) => in_.kind === one.kind && in_.id === one.id && in_.state === "active");
        const decision = decide(of, entities);
        expect(decision.allowed).toBe(entities.some(theirs));
        if (decision.allowed) {
          expect(entities).toContain(decision.because);
          expect(theirs(decision.because)).toBe(true);
          expect(decision.role === "admin").toBe(entities.some((one) => theirs(one) && one.role === "admin"));
        }
      }),
    );
  });

  it("neither names nor the order or repetition of the policy's lines matter", () => {
    const answer = (of: Memberships, entities: AllowedEntity[]) => {
      const decision = decide(of, entities);
      return decision.allowed ? decision.role : decision.refusal;
    };
    fc.assert(
      fc.property(memberships, policy, name, (of, entities, other) => {
        const renamed = entities.map((one) => ({ ...one, name: other }));
        const known = { ...of, login: other, of: of.of.map((one) => ({ ...one, name: other })) };
        const expected = answer(of, entities);
        expect(answer(known, renamed)).toBe(expected);
        expect(answer(of, entities.toReversed())).toBe(expected);
        expect(answer(of, [...entities, ...entities])).toBe(expected);
      }),
    );
  });
});
