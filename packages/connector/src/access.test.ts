import type { AccessList } from "@ai-orchestrator/protocol";
import { describe, expect, test } from "vitest";
import { AccessGuard } from "./access.ts";
import type { HeaderList } from "./adapter.ts";

const fieldsOf = (id: string, login: string, ...more: HeaderList): HeaderList => [
  ["accept", "*/*"],
  ["x-orchestrator-user-id", id],
  ["x-orchestrator-username", login],
  ...more,
];
const ANN = fieldsOf("7", "ann");

function guard(list: AccessList | undefined) {
  const said: string[] = [];
  const made = new AccessGuard(list, (message) => said.push(message));
  return { said, made, check: (fields: HeaderList) => made.check(fields)?.code ?? "allowed" };
}

describe("what the hub says of who asks", () => {
  test("lets in whom the list names, by name, id, organisation or team", () => {
    expect(guard({ users: ["ANN"] }).check(ANN)).toBe("allowed");
    expect(guard({ users: ["x:7"] }).check(ANN)).toBe("allowed");
    const member = fieldsOf("7", "ann", ["x-orchestrator-organizations", "other, Acme"]);
    expect(guard({ organization: "acme" }).check(member)).toBe("allowed");
    expect(guard({ organization: "acme", team: "core" }).check(member)).toBe("denied");
    const inTeam = fieldsOf("7", "ann", ["x-orchestrator-teams", "acme/core"]);
    expect(guard({ organization: "acme", team: "core" }).check(inTeam)).toBe("allowed");
  });

  test.each<[string, HeaderList]>([
    ["is nothing", [["accept", "*/*"]]],
    ["is half of it", [["x-orchestrator-username", "ann"]]],
    ["is half of it the other way", [["x-orchestrator-user-id", "7"]]],
    ["is somebody else", fieldsOf("8", "bea")],
    ["is the local user", fieldsOf("local", "local")],
    ["is a user of that name who is nobody at GitHub", fieldsOf("local", "ann")],
    ["is said twice", [...ANN, ["x-orchestrator-user-id", "8"]]],
    ["is said twice the same", [...ANN, ...ANN]],
    ["is a list of names", fieldsOf("7", "bea,ann")],
  ])("keeps out whoever it %s of", (_, fields) => {
    expect(guard({ users: ["ann"] }).check(fields)).toBe("denied");
  });

  test("memberships said twice are none", () => {
    const twice = fieldsOf(
      "7",
      "bea",
      ["x-orchestrator-organizations", "x"],
      ["x-orchestrator-organizations", "acme"],
    );
    expect(guard({ organization: "acme" }).check(twice)).toBe("denied");
  });
});

test("without a list nobody is asked who they are", () => {
  const { check, said } = guard(undefined);
  expect(check([])).toBe("allowed");
  expect(said).toEqual([]);
});

test("a list of nobody lets nobody in", () => {
  expect(guard({}).check(ANN)).toBe("denied");
});

test("what is refused is counted each time and said once for each person", () => {
  const { made, check, said } = guard({ users: ["ann"] });
  for (let count = 0; count < 50; count++) {
    check(fieldsOf("8", "bea"));
    check(fieldsOf("local", "local"));
    check([]);
    check(ANN);
  }
  expect(made.refused).toBe(150);
  expect(said).toEqual([
    "bea (GitHub id 8) was refused: not on the list of who may use this instance.",
    "The user local of the hub was refused: not signed in with GitHub, and this instance is for a list of GitHub's people.",
    "Somebody of whom the hub did not say who they are was refused: not signed in with GitHub, and this instance is for a list of GitHub's people.",
  ]);
  for (let id = 100; id < 3000; id++) check(fieldsOf(String(id), `user-${id}`));
  expect(said).toHaveLength(1000);
  expect(made.refused).toBe(150 + 2900);
});

test("a list that no hub would take is refused when it is given", () => {
  const long = { users: Array.from({ length: 101 }, () => "ann") };
  expect(() => guard(long)).toThrow(RangeError);
  expect(() => guard({ organization: "x".repeat(161) })).toThrow(RangeError);
});
