import { describe, expect, test, vi } from "vitest";
import { gitHubIdOf, judgeAccess, standingInGroup, type Belonging } from "./instance-access.ts";
import type { AllowedEntity, Membership, MembershipState } from "./policy.ts";

const ann = { userId: "github:7", login: "ann" };
const belonging = (standing: Belonging["standing"]) =>
  vi.fn<() => Promise<Belonging>>(() => Promise.resolve({ standing, login: "ann", until: 0 }));

describe("who may use an instance", () => {
  test("is decided by the list alone where it can be", async () => {
    const ask = belonging("member");
    expect(await judgeAccess({ users: ["ANN"] }, ann, ask)).toMatchObject({ allowed: true });
    expect(await judgeAccess({ users: ["x:7"], organization: "acme" }, ann, ask)).toMatchObject({
      allowed: true,
    });
    expect(await judgeAccess({ users: ["bea"] }, ann, ask)).toEqual({
      allowed: false,
      refusal: "not_on_list",
    });
    expect(await judgeAccess({}, ann, ask)).toEqual({ allowed: false, refusal: "nobody_named" });
    const local = { userId: "local", login: "ann" };
    expect(await judgeAccess({ users: ["ann"], organization: "acme" }, local, ask)).toEqual({
      allowed: false,
      refusal: "not_from_github",
    });
    expect(ask).not.toHaveBeenCalled();
  });

  test("is told of what the list asks for and of nothing else", async () => {
    const ask = belonging("member");
    const none = { organizations: [], teams: [] };
    expect(await judgeAccess({ organization: "Acme" }, ann, ask)).toEqual({
      ...none,
      allowed: true,
      organizations: ["acme"],
    });
    expect(await judgeAccess({ organization: "acme", team: "Core" }, ann, ask)).toEqual({
      ...none,
      allowed: true,
      teams: ["acme/core"],
    });
    expect(await judgeAccess({ users: ["ann"], team: "acme/core" }, ann, ask)).toEqual({
      ...none,
      allowed: true,
    });
  });

  test.each(["not_member", "not_known", "untold"] as const)("is not who is %s", async (standing) => {
    expect(await judgeAccess({ users: ["bea"], organization: "acme" }, ann, belonging(standing))).toEqual({
      allowed: false,
      refusal: "not_on_list",
      standing,
    });
  });

  test("is nobody of whom nothing can be asked", async () => {
    const fails = () => Promise.reject(new Error("away"));
    expect(await judgeAccess({ organization: "acme" }, ann, fails)).toMatchObject({ standing: "untold" });
  });
});

test("only people of GitHub's have its id", () => {
  expect(gitHubIdOf("github:7")).toBe("7");
  for (const id of [
    "local",
    "7",
    "github:",
    "github:0",
    "github:x",
    "github:7 ",
    "xgithub:7",
    "github:github:7",
  ])
    expect(gitHubIdOf(id)).toBeUndefined();
});

describe("a standing in an organisation or team", () => {
  const entity = (kind: AllowedEntity["kind"], id: number, name: string): AllowedEntity => ({
    kind,
    id,
    name,
    role: "member",
    source: "database",
  });
  const policy = [
    entity("organization", 1, "Acme"),
    entity("team", 2, "acme/Core"),
    entity("user", 3, "acme"),
  ];
  const told = (...of: [kind: Membership["kind"], id: number, name: string, state: MembershipState][]) => ({
    userId: 7,
    login: "ann",
    checkedAt: 0,
    of: of.map(([kind, id, name, state]) => ({ kind, id, name, state })),
  });
  const organization = { kind: "organization", name: "acme" } as const;

  test.each<[MembershipState, string]>([
    ["active", "member"],
    ["pending", "not_member"],
    ["none", "not_member"],
    ["sso_required", "untold"],
    ["not_installed", "untold"],
    ["unknown", "untold"],
  ])("%s at GitHub is %s", (state, standing) => {
    expect(standingInGroup(organization, told(["organization", 1, "Acme", state]), policy)).toBe(standing);
    const team = { kind: "team", name: "acme/core" } as const;
    expect(standingInGroup(team, told(["team", 2, "acme/Core", state]), policy)).toBe(standing);
  });

  test("is of what the hub's own allow-list names, and of its kind", () => {
    const active = told(["organization", 1, "acme", "active"], ["team", 2, "acme/core", "active"]);
    expect(standingInGroup({ kind: "organization", name: "other" }, active, policy)).toBe("not_known");
    expect(standingInGroup({ kind: "team", name: "acme" }, active, policy)).toBe("not_known");
    expect(standingInGroup({ kind: "organization", name: "acme/core" }, active, policy)).toBe("not_known");
    // Taken off the allow-list since GitHub was asked.
    expect(standingInGroup(organization, active, policy.slice(1))).toBe("not_known");
    expect(standingInGroup(organization, told(), policy)).toBe("unasked");
  });

  test("goes by what GitHub calls it now before what it was called when it was let in", () => {
    const renamed = told(["organization", 1, "acme-inc", "active"]);
    expect(standingInGroup({ kind: "organization", name: "acme-inc" }, renamed, policy)).toBe("member");
    expect(standingInGroup(organization, renamed, policy)).toBe("member");
    // Somebody else has the name now, and the hub lets them in, too.
    const both = [...policy, entity("organization", 9, "new-acme")];
    const taken = told(["organization", 1, "acme-inc", "active"], ["organization", 9, "acme", "none"]);
    expect(standingInGroup(organization, taken, both)).toBe("not_member");
    const twice = [...policy, entity("organization", 9, "acme")];
    expect(standingInGroup(organization, renamed, twice)).toBe("untold");
  });
});
