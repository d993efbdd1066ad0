import { expect, test } from "vitest";
import type { Grouping, Instance } from "../instance.ts";
import { newPerson, openPage } from "../../test/dashboards.ts";
import { exampleInstance } from "../../test/example-instance.ts";
import { ask, connected, cookiePair, type Person } from "../../test/hub.ts";
import { routes } from "../routes.ts";
import { renderBoard, renderChange, renderProofs } from "./push.tsx";

const VIEW = {
  now: 1_000_000,
  origins: { HUB_ORIGIN: "http://hub.localhost:1", INSTANCE_HOST: "{label}.hub.localhost:1" },
};
const NOBODY = { needsYou: 0, done: 0, busy: 0, active: 0, idle: 0, unreachable: 0 };

const instance = (clientId: string, more: Partial<Instance> = {}): Instance =>
  exampleInstance(clientId, { heardAt: 990_000, ...more });

const attributes = (html: string, name: string) =>
  [...html.matchAll(new RegExp(` ${name}="([^"]*)"`, "g"))].map(([, value]) => value);

const pieces = (html: string) =>
  [...html.matchAll(/<hx-partial hx-target="([^"]*)" hx-swap="([^"]*)"/g)].map(
    ([, to, how]) => `${to} ${how}`,
  );

test.each<[Grouping, string[]]>([
  ["status", ["needs-you", "done", "working", "quiet", "unreachable"]],
  // What needs the person first, then by name in any case, what has no name before all others.
  ["machine", ["Zeus", "", "atlas", "Bell"]],
  ["project", ["four", "one", "three", "two"]],
])("groups by %s", (grouping, groups) => {
  const needs = { id: "s", state: "needs_answer" as const, since: 1, project: "/p" };
  const instances = [
    instance("one", { hostname: "Bell" }),
    instance("two", { hostname: "atlas" }),
    instance("three", { hostname: "" }),
    instance("four", { hostname: "Zeus", sessions: [needs] }),
  ];
  const html = renderBoard(instances, VIEW, grouping);
  expect(attributes(html, "data-group")).toEqual(groups);
  expect(attributes(html, "data-client-id")).toHaveLength(4);
});

test("draws a card the same in every grouping", () => {
  const cards = (["status", "machine", "project"] as const).map(
    (grouping) =>
      /<li class="card".*<\/details><\/li>/s.exec(renderBoard([instance("one")], VIEW, grouping))?.[0],
  );
  expect(cards[0]).toContain("data-heard");
  expect(new Set(cards).size).toBe(1);
});

test("a change is the cards that changed, where they go, and the counts", () => {
  const html = renderChange(
    {
      isKnown: [instance("one")],
      isNew: [instance("two")],
      removed: ["old"],
      counts: { ...NOBODY, needsYou: 2 },
    },
    VIEW,
  );
  expect(pieces(html)).toEqual([
    "#card-old delete",
    "#card-one-abcdefghij outerMorph",
    "#arrivals beforeend",
    "#counts outerMorph",
  ]);
  expect(attributes(html, "data-needs")).toEqual(["2"]);
});

test("a proof of life is a small piece of a card", () => {
  const html = renderProofs([instance("one")], VIEW);
  expect(attributes(html, "data-heard")).toEqual(["990000"]);
  expect(pieces(html)).toEqual(["#proof-one-abcdefghij outerMorph"]);
  expect(html).not.toContain("<li");
  expect(html.length).toBeLessThan(400);
});

test("what is not connected proves nothing, and says why", () => {
  const gone = { connected: false, goneAt: 500_000 };
  const words = (more: Partial<Instance>) =>
    /line-text" title="([^"]*)"/.exec(
      renderBoard([instance("one", { ...gone, ...more })], VIEW, "status"),
    )?.[1];
  expect(words({ goneReason: "stopped" })).toBe("its connector was stopped");
  expect(words({ goneReason: "connection_lost" })).toBe("its process or its network broke off");
  expect(words({ goneReason: "heartbeat_timeout" })).toBe("no sign of life: asleep, cut off or frozen");
  expect(words({ goneReason: "token_revoked" })).toBe("its token was revoked");
  expect(words({ goneReason: "unauthorized" })).toBe("its token has expired");
  expect(words({ goneReason: "connection_lost", keptAway: true })).toBe("sent away by its owner");
  const html = renderBoard([instance("one", { ...gone, keptAway: true })], VIEW, "status");
  expect(attributes(html, "data-heard")).toEqual([]);
  expect(html).toContain("Let it back");
  expect(html).not.toContain("card-open");
});

async function boardOf(
  person: Person,
  path: string,
  cookie = "",
): Promise<{ groups: unknown; answer: Response }> {
  const headers = cookie === "" ? {} : { cookie: `${person.cookie}; ${cookie}` };
  const answer = await ask(path, { person, headers });
  return { groups: attributes(await answer.text(), "data-group"), answer };
}

test("the page remembers its grouping, and its socket is told in the same", async () => {
  const { person, hub } = await newPerson("grouped");
  await hub.instanceConnected(connected("one"));
  const chosen = await boardOf(person, `${routes.dashboard}?group=machine`);
  expect(chosen.groups).toEqual(["laptop"]);
  const cookie = chosen.answer.headers.getSetCookie().find((one) => one.includes("grouping")) ?? "";
  expect(cookie).toMatch(
    /^__Host-orchestrator-grouping=machine; Path=\/; Max-Age=\d+; HttpOnly; Secure; SameSite=Lax$/,
  );
  expect((await boardOf(person, routes.dashboard, cookiePair(cookie))).groups).toEqual(["laptop"]);
  for (const other of [routes.dashboard, `${routes.dashboard}?group=nonsense`]) {
    const { groups, answer } = await boardOf(person, other);
    expect(groups).toHaveLength(5);
    expect(answer.headers.getSetCookie().filter((one) => one.includes("grouping"))).toEqual([]);
  }
  const [byMachine, byStatus] = [await openPage(person, "?group=machine"), await openPage(person)];
  expect(attributes(byMachine.messages[0] ?? "", "data-group")).toEqual(["laptop"]);
  expect(attributes(byStatus.messages[0] ?? "", "data-group")).toHaveLength(5);
});
