import fc from "fast-check";
import { expect, test } from "vitest";
import { observeChat, readFromBrowser, readFromUpstream } from "./frames.ts";
import type { Observation } from "./sessions.ts";

const socket = Symbol("socket");
const upstream = (frame: object) => readFromUpstream(JSON.stringify(frame), 7);

test("a page that comes back learns what runs and what is asked; so does this", () => {
  const pendingPermissions = [{ requestId: "r", toolName: "AskUserQuestion" }];
  expect(
    upstream({ kind: "chat_subscribed", sessionId: "a", isProcessing: true, pendingPermissions }),
  ).toEqual([
    { type: "started", id: "a", at: 7 },
    { type: "asked", id: "a", request: "r", state: "needs_answer", at: 7 },
  ]);
  expect(upstream({ kind: "chat_subscribed", sessionId: "a", isProcessing: false })).toEqual([
    { type: "ended", id: "a", outcome: "idle", at: 7 },
  ]);
});

test.each([
  [{ success: true }, "done"],
  [{ success: false }, "failed"],
  [{ success: false, aborted: true }, "idle"],
  [{}, "done"],
])("complete %j ends as %s", (fields, outcome) => {
  expect(upstream({ kind: "complete", sessionId: "a", ...fields })).toEqual([
    { type: "ended", id: "a", outcome, at: 7 },
  ]);
});

test("a refused message did not start anything; one refused because something runs does not end that", () => {
  const refused = { kind: "protocol_error", sessionId: "a", error: "no" };
  expect(upstream({ ...refused, code: "SESSION_NOT_FOUND" })).toMatchObject([
    { type: "ended", outcome: "idle" },
  ]);
  expect(upstream({ ...refused, code: "RUN_IN_PROGRESS" })).toEqual([]);
});

test("an edited message starts an answer as a new one does", () => {
  const frame = JSON.stringify({ type: "chat.edit-send", sessionId: "a", anchorId: "x", content: "hi" });
  expect(readFromBrowser(frame, socket, 1)).toContainEqual({ type: "started", id: "a", at: 1 });
});

test("frames inside which another's name is quoted mean nothing", () => {
  expect(upstream({ kind: "text", sessionId: "a", content: '{"kind":"complete","sessionId":"a"}' })).toEqual(
    [],
  );
  expect(
    readFromBrowser(JSON.stringify({ type: "chat.abort", sessionId: "a", x: '"chat.send"' }), socket, 1),
  ).toEqual([]);
});

test("finds the kind of a frame that begins with a long input", () => {
  const input = { command: "x".repeat(20_000) };
  const frame = { kind: "permission_request", input, requestId: "r", sessionId: "a", toolName: "Bash" };
  expect(upstream(frame)).toHaveLength(1);
  expect(upstream({ input, requestId: "r", sessionId: "a", kind: "permission_request" })).toHaveLength(1);
});

test("says who views what, and that it left", () => {
  const seen: Observation[] = [];
  const observer = observeChat(
    socket,
    () => 1,
    (observations) => seen.push(...observations),
  );
  observer.fromBrowser?.(
    JSON.stringify({ type: "chat.subscribe", sessions: [{ sessionId: "a" }, { sessionId: "b" }] }),
  );
  observer.closed?.();
  expect(seen).toEqual([
    { type: "viewing", socket, ids: ["a", "b"] },
    { type: "viewing", socket, ids: [] },
  ]);
});

test("nothing that passes can throw", () => {
  const kinds = fc.constantFrom(
    "complete",
    "permission_request",
    "chat_subscribed",
    "session_upserted",
    "chat.send",
  );
  const frames = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .tuple(kinds, fc.dictionary(fc.string(), fc.jsonValue()))
      .map(([kind, rest]) => JSON.stringify({ kind, type: kind, ...rest })),
  );
  fc.assert(
    fc.property(frames, (text) => {
      expect(() => [readFromUpstream(text, 1), readFromBrowser(text, socket, 1)]).not.toThrow();
    }),
  );
});
