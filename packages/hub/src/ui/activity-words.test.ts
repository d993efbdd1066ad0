import { expect, test } from "vitest";
import type { ClaudeSession } from "@ai-orchestrator/protocol";
import type { Happening } from "../activity.ts";
import { activityText, activityWords, titleOf } from "./activity-words.ts";

const HOUR = 60 * 60_000;
const session = (state: ClaudeSession["state"], more: Partial<ClaudeSession> = {}): ClaudeSession => ({
  id: "s1",
  title: "Fix the flaky test",
  project: "/home/ann/shop",
  state,
  since: 5,
  ...more,
});
const status = (...sessions: ClaudeSession[]): Happening => ({
  kind: "status",
  status: "busy",
  before: "idle",
  sessions,
});
const absent = (cause: "asleep" | "frozen" | "network", ms: number): Happening => ({
  kind: "connected",
  isNew: false,
  absence: { cause, since: 1000, until: 1000 + ms },
});
const action = (name: Extract<Happening, { kind: "action" }>["action"]): Happening => ({
  kind: "action",
  action: name,
  actor: "ann",
});

test.each<[string, Happening]>([
  ["connected for the first time", { kind: "connected", isNew: true }],
  ["connected", { kind: "connected", isNew: false }],
  ["connected again after 8 h asleep", absent("asleep", 8 * HOUR)],
  ["connected again after 20 min frozen", absent("frozen", HOUR / 3)],
  ["connected again after 2 d without a way to the hub", absent("network", 48 * HOUR)],
  ["connected again after a moment frozen", absent("frozen", 1000)],
  ["connected again after a moment asleep", absent("asleep", -1)],
  ["its connector was stopped", { kind: "gone", reason: "stopped" }],
  ["no sign of life: asleep, cut off or frozen", { kind: "gone", reason: "heartbeat_timeout" }],
  ["its token was revoked", { kind: "gone", reason: "token_revoked" }],
  ["needs permission: Fix the flaky test", status(session("needs_permission"))],
  ["finished: Fix the flaky test", status(session("done"))],
  ["failed: Fix the flaky test", status(session("failed"))],
  ["working: shop", status(session("working", { title: "" }))],
  ["idle: s1", status(session("idle", { title: "", project: "/" }))],
  [
    "needs an answer: b · finished: a",
    status(session("done", { title: "a" }), session("needs_answer", { title: "b" })),
  ],
  ["busy: Claude is at work in it", status()],
  ["opened by ann", action("open")],
  ["disconnected by ann", action("disconnect")],
  ["asked back by ann", action("let_back")],
  ["asked for its status by ann", action("refresh")],
  ["marked as seen by ann", action("mark_seen")],
  ["forgotten by ann", action("forget")],
  ["let run on the hub's address by ann", action("trust_path")],
  ["no longer let run on the hub's address by ann", action("distrust_path")],
  ["renamed to Shop by ann", { kind: "action", action: "rename", actor: "ann", name: "Shop" }],
  ["name removed by ann", { kind: "action", action: "rename", actor: "ann", name: "" }],
  ["name removed by ann", action("rename")],
])("%s", (words, happening) => {
  expect(activityText(happening)).toBe(words);
});

test("the sign is that of what is most urgent; what a person did has none", () => {
  const stateOf = (happening: Happening) => activityWords(happening)[0].state;
  expect(stateOf(status(session("done"), session("failed")))).toBe("failed");
  expect(stateOf(status())).toBe("working");
  expect(stateOf({ kind: "status", status: "active", before: "busy", sessions: [] })).toBe("idle");
  expect(stateOf({ kind: "connected", isNew: true })).toBe("idle");
  expect(stateOf({ kind: "gone", reason: "stopped" })).toBe("unreachable");
  expect(stateOf(action("open"))).toBeNull();
});

test("an instance without a title is called by its label", () => {
  expect(titleOf({ title: "shop", label: "shop-abc" })).toBe("shop");
  expect(titleOf({ title: " ", label: "shop-abc" })).toBe("shop-abc");
});
