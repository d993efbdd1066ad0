import type { ClaudeSession, SessionState } from "@ai-orchestrator/protocol";
import { expect, test } from "vitest";
import { exampleInstance } from "../test/example-instance.ts";
import {
  cardState,
  countInstances,
  groupOf,
  GROUPINGS,
  inOrder,
  instanceTitle,
  laneOf,
  sessionsByUrgency,
} from "./instance.ts";

function session(state: SessionState, since = 1): ClaudeSession {
  return { id: `${state}-${since}`, state, since, project: "/p" };
}

test("a card says its most urgent session, and of equals the one that has been so for longest", () => {
  const sessions = [
    session("idle"),
    session("done", 4),
    session("working", 3),
    session("needs_answer", 9),
    session("needs_permission", 8),
    session("needs_permission", 7),
  ];
  expect(sessionsByUrgency(exampleInstance("a", { sessions })).map(({ id }) => id)).toEqual([
    "needs_permission-7",
    "needs_permission-8",
    "needs_answer-9",
    "done-4",
    "working-3",
    "idle-1",
  ]);
  expect(cardState(exampleInstance("a", { sessions }))).toEqual({ state: "needs_permission", since: 7 });
});

test.each([
  [{ status: "busy" as const }, { state: "working", since: 10 }],
  [{ status: "active" as const }, { state: "idle", since: 10 }],
  [{ sessions: [session("idle")] }, { state: "idle", since: 10 }],
  [{ sessions: [session("done", 4)] }, { state: "done", since: 4 }],
  [
    { connected: false, goneAt: 20, sessions: [session("needs_answer")] },
    { state: "unreachable", since: 20 },
  ],
])("%j reads as %j", (more, state) => {
  expect(cardState(exampleInstance("a", more))).toEqual(state);
});

test("what waits, asks or failed needs you; nothing else does", () => {
  const lanes = [
    "needs_permission",
    "needs_answer",
    "failed",
    "working",
    "done",
    "idle",
    "unreachable",
  ] as const;
  expect(lanes.map(laneOf)).toEqual([
    "needs-you",
    "needs-you",
    "needs-you",
    "working",
    "done",
    "quiet",
    "unreachable",
  ]);
});

test("what waits is ordered by how long, the rest by name", () => {
  const waiting = (id: string, since: number) =>
    exampleInstance(id, { sessions: [session("needs_answer", since)] });
  const order = inOrder([waiting("x", 900), waiting("y", 80), waiting("z", 1000)]);
  expect(order.map(({ clientId }) => clientId)).toEqual(["y", "x", "z"]);
  const quiet = inOrder([exampleInstance("b"), exampleInstance("C"), exampleInstance("a")]);
  expect(quiet.map(({ clientId }) => clientId)).toEqual(["a", "b", "C"]);
});

test("what ended stays marked until it is seen, and what ends later is marked again", () => {
  const ended = [session("done", 4), session("failed", 6), session("working", 3)];
  const states = (seenUntil: number) =>
    sessionsByUrgency(exampleInstance("a", { sessions: ended, seenUntil })).map(({ state }) => state);
  expect(states(0)).toEqual(["failed", "done", "working"]);
  expect(states(4)).toEqual(["failed", "working", "idle"]);
  expect(states(6)).toEqual(["working", "idle", "idle"]);
});

test("the most urgent come first, whatever cards are grouped by", () => {
  const sessions = (state: SessionState) => ({ sessions: [session(state)] });
  const order = inOrder([
    exampleInstance("gone", { connected: false }),
    exampleInstance("idle"),
    exampleInstance("works", sessions("working")),
    exampleInstance("done", sessions("done")),
    exampleInstance("failed", sessions("failed")),
    exampleInstance("asks", sessions("needs_answer")),
    exampleInstance("waits", sessions("needs_permission")),
  ]);
  expect(order.map(({ clientId }) => clientId)).toEqual([
    "waits",
    "asks",
    "failed",
    "done",
    "works",
    "idle",
    "gone",
  ]);
});

test("a card has a group in every grouping", () => {
  expect(GROUPINGS.map((grouping) => groupOf(exampleInstance("shop"), grouping))).toEqual([
    "quiet",
    "laptop",
    "shop",
  ]);
});

test("an instance is called by its name, else its project, else its host, else its id", () => {
  const name = "";
  const named = { name: "Web shop", project: "/srv/shop/", hostname: "h", clientId: "c" };
  expect(instanceTitle(named)).toBe("Web shop");
  expect(instanceTitle({ name, project: "/srv/shop/", hostname: "h", clientId: "c" })).toBe("shop");
  expect(instanceTitle({ name, project: "C:\\code\\shop", hostname: "h", clientId: "c" })).toBe("shop");
  expect(instanceTitle({ name, project: "/", hostname: "h", clientId: "c" })).toBe("h");
  expect(instanceTitle({ name, project: "", hostname: " ", clientId: "c" })).toBe("c");
});

test("what is unreachable counts as nothing else", () => {
  const counts = countInstances([
    exampleInstance("a", { status: "busy", sessions: [session("needs_answer")] }),
    exampleInstance("b", { status: "busy" }),
    exampleInstance("c", { status: "active", sessions: [session("failed")] }),
    exampleInstance("d"),
    exampleInstance("e", { connected: false, status: "busy", sessions: [session("needs_answer")] }),
  ]);
  expect(counts).toEqual({ needsYou: 2, done: 0, busy: 2, active: 1, idle: 1, unreachable: 1 });
});
