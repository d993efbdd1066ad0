import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { accessGroup, decideAccess, type AccessPerson } from "./access.ts";
import type { AccessList } from "./instance-types.ts";
import { isAccessList } from "./control.ts";

const ann: AccessPerson = { id: "7", login: "Ann", organizations: [], teams: [] };
const may = (list: AccessList | undefined, person: Partial<AccessPerson> = {}) => {
  const decision = decideAccess(list, { ...ann, ...person });
  return decision.allowed || decision.refusal;
};

describe("a list of users", () => {
  test.each<[string, AccessList, Partial<AccessPerson>]>([
    ["by name", { users: ["ann"] }, {}],
    ["by name in any case", { users: ["aNN"] }, { login: "AnN" }],
    ["one of several", { users: ["bea", "cleo", "ann"] }, {}],
    ["by id, whatever they are called", { users: ["ann:7"] }, { login: "renamed" }],
    ["by id, beside a group they are not in", { users: [":7"], organization: "acme" }, {}],
  ])("lets in %s", (_, list, person) => {
    expect(may(list, person)).toBe(true);
  });

  test.each<[string, AccessList, Partial<AccessPerson>]>([
    ["another name", { users: ["bea"] }, {}],
    ["a name that begins with theirs", { users: ["anna"] }, {}],
    ["their name with another's id", { users: ["ann:8"] }, {}],
    ["their name with no id", { users: ["ann:"] }, {}],
    ["their name with an id that is none", { users: ["ann:07", "ann:7a", "ann: 7", "ann:-7"] }, {}],
    ["letters that only look alike", { users: ["\u0410nn", "\u212aim"] }, { login: "kim" }],
    ["an empty name", { users: [""] }, { login: "" }],
    ["a pattern", { users: ["*", "a*", "."] }, {}],
  ])("keeps out who is %s", (_, list, person) => {
    expect(may(list, person)).toBe("not_on_list");
  });
});

describe("a list with an organisation or a team", () => {
  const organizations = ["Acme", "other"];
  const teams = ["acme/Core"];

  test("lets in its members, in any case", () => {
    expect(may({ organization: "aCME" }, { organizations })).toBe(true);
    expect(may({ organization: "acme", team: "core" }, { teams })).toBe(true);
    expect(may({ team: "ACME/core" }, { teams })).toBe(true);
  });

  test.each<[string, AccessList, Partial<AccessPerson>]>([
    ["in no organisation", { organization: "acme" }, {}],
    ["in another", { organization: "acme" }, { organizations: ["acme-inc", "xacme"] }],
    ["in the organisation and not in the team", { organization: "acme", team: "core" }, { organizations }],
    ["in a team of that name elsewhere", { organization: "acme", team: "core" }, { teams: ["evil/core"] }],
    [
      "in a team of a list that names no organisation",
      { team: "core", users: ["bea"] },
      { teams: ["core", "/core"] },
    ],
    ["in the team, where the organisation is asked for", { organization: "acme" }, { teams }],
    ["in an organisation called as the user", { users: ["acme"] }, { organizations }],
  ])("keeps out who is %s", (_, list, person) => {
    expect(may(list, person)).toBe("not_on_list");
  });

  test("is of the organisation that stands in the team's name", () => {
    expect(accessGroup({ organization: "other", team: "Acme/Core" })).toEqual({
      kind: "team",
      name: "acme/core",
    });
    expect(accessGroup({ organization: "Acme", team: "" })).toEqual({ kind: "organization", name: "acme" });
    expect(accessGroup({ users: ["ann"], organization: "" })).toBeUndefined();
  });
});

test("without a list everybody may, with one that names nobody nobody", () => {
  expect(may(undefined, { id: "", login: "" })).toBe(true);
  for (const list of [{}, { users: [] }, { organization: "" }, { team: "core" }])
    expect(may(list)).toBe("nobody_named");
});

test("whoever is nobody at GitHub is on no list, whatever their name", () => {
  for (const id of ["", "local", "0", "-7", "7.0", "07", "github:7", " 7", "7,7"])
    expect(
      may({ users: ["ann", "ann:7", `ann:${id}`], organization: "acme" }, { id, organizations: ["acme"] }),
    ).toBe("not_from_github");
});

test("property: a decision depends on nothing but what it says, and only a name or an id that is there lets in", () => {
  const name = fc.constantFrom(
    "ann",
    "Ann",
    "bea",
    "acme",
    "acme/core",
    "core",
    "ann:7",
    "bea:7",
    "",
    ":",
    "7",
  );
  const some = fc.array(name, { maxLength: 4 });
  fc.assert(
    fc.property(
      fc.record({ users: some, organization: name, team: name }, { requiredKeys: [] }),
      fc.record({
        id: fc.constantFrom("7", "8", "local", ""),
        login: name,
        organizations: some,
        teams: some,
      }),
      (list, person) => {
        expect(isAccessList(list)).toBe(true);
        const { allowed } = decideAccess(list, person);
        const isNamed = (list.users ?? []).some(
          (user) => user.endsWith(`:${person.id}`) || user.toLowerCase() === person.login.toLowerCase(),
        );
        const group = accessGroup(list);
        const belongs = [...person.organizations, ...person.teams].some(
          (one) => one.toLowerCase() === group?.name,
        );
        if (allowed) expect(isNamed || belongs).toBe(true);
        if (!["7", "8"].includes(person.id)) expect(allowed).toBe(false);
      },
    ),
  );
});
