import { expect, test } from "vitest";
import { deriveStatus, needsPerson, SESSION_STATES } from "./status.ts";
import type { ClaudeSession, SessionState } from "./instance-types.ts";

const session = (state: SessionState): ClaudeSession => ({ id: "s", project: "/p", state, since: 0 });

test.each<[SessionState, boolean, string]>([
  ["working", false, "busy"],
  ["needs_permission", true, "busy"],
  ["needs_answer", true, "busy"],
  ["done", false, "active"],
  ["failed", false, "active"],
  ["idle", false, "active"],
])("%s: needs a person: %s; with a browser connected the instance is %s", (state, needs, status) => {
  expect(needsPerson(session(state))).toBe(needs);
  expect(deriveStatus([session("idle"), session(state)], 1)).toBe(status);
});

test("without sessions at work, browsers decide", () => {
  expect([deriveStatus([], 0), deriveStatus([], 1), deriveStatus([session("done")], 0)]).toEqual([
    "idle",
    "active",
    "idle",
  ]);
});

test("a session at work is busy without a browser too", () => {
  expect(deriveStatus([session("working")], 0)).toBe("busy");
});

test("every state is in the table above", () => {
  expect(SESSION_STATES).toHaveLength(6);
});
