import type { ClaudeSession, SessionState } from "@ai-orchestrator/protocol";
import { describe, expect, test } from "vitest";
import {
  ACTIVITY_FILTERS,
  activityMatcher,
  boundedEntry,
  changedSessions,
  MAX_ENTRY_BYTES,
  type ActivityEntry,
  type ActivityFilter,
  type Happening,
} from "./activity.ts";

const session = (id: string, state: SessionState, more: Partial<ClaudeSession> = {}): ClaudeSession => ({
  id,
  state,
  project: "/home/ann/src/shop",
  since: 1000,
  ...more,
});

const entry = (happening: Happening, more: Partial<ActivityEntry> = {}): ActivityEntry =>
  ({ id: 1, at: 1, label: "shop-abcdefghij", title: "shop", ...happening, ...more }) as ActivityEntry;

const status = (...sessions: ClaudeSession[]): Happening => ({
  kind: "status",
  status: "busy",
  before: "idle",
  sessions,
});

const sizeOf = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).byteLength;

describe("the sessions of an entry", () => {
  test("are those whose state is another than before, the most urgent first", () => {
    const before = [
      session("a", "working"),
      session("b", "idle"),
      session("c", "working"),
      session("e", "done"),
    ];
    const now = [
      session("a", "done"),
      session("b", "working"),
      session("c", "working", { title: "renamed" }),
      session("d", "needs_permission"),
      session("f", "idle"),
    ];
    expect(changedSessions(before, now).map(({ id }) => id)).toEqual(["d", "a", "b"]);
    expect(changedSessions(now, now)).toEqual([]);
  });

  test("keep the state they have, though they ended at the beginning of time", () => {
    expect(changedSessions([], [session("a", "failed", { since: 0 })])).toMatchObject([{ state: "failed" }]);
  });
});

describe("an entry is bounded", () => {
  test("to twenty sessions, and texts that say enough", () => {
    const many = Array.from({ length: 200 }, (_, index) =>
      session(`s${index}`, "working", { title: "t".repeat(300), project: `/p/${"q".repeat(1000)}/end` }),
    );
    const bounded = boundedEntry(entry(status(...many), { title: "n".repeat(4096) }));
    if (bounded.kind !== "status") throw new Error(bounded.kind);
    expect(bounded.title).toHaveLength(100);
    expect(bounded.sessions).toHaveLength(20);
    expect(bounded.sessions[0]?.title).toHaveLength(100);
    expect(bounded.sessions[0]?.project).toHaveLength(200);
    expect(bounded.sessions[0]?.project).toMatch(/^….*\/end$/);
    expect(sizeOf(bounded)).toBeLessThanOrEqual(MAX_ENTRY_BYTES);
  });

  test.each([
    ["characters of three bytes", "\u20ac"],
    ["characters that JSON writes in six", "\u0001"],
    ["emoji", "\u{1f600}"],
    ["quotes", '"'],
  ])("to its bytes in JSON, whatever it is made of: %s", (_what, character) => {
    const many = Array.from({ length: 40 }, (_, index) =>
      session(character.repeat(60) + index, "failed", {
        title: `x${character.repeat(150)}`,
        project: character.repeat(500),
      }),
    );
    const bounded = boundedEntry(entry(status(...many), { title: `x${character.repeat(2000)}` }));
    if (bounded.kind !== "status") throw new Error(bounded.kind);
    expect(sizeOf(bounded)).toBeLessThanOrEqual(MAX_ENTRY_BYTES);
    expect(bounded.sessions.length).toBeGreaterThan(2);
    const texts = bounded.sessions.flatMap(({ title = "", project }) => [title, project]);
    for (const text of [bounded.title, ...texts]) expect(text.isWellFormed()).toBe(true);
  });

  test("in the names that people give", () => {
    const long = "a".repeat(500);
    const bounded = boundedEntry(entry({ kind: "action", action: "rename", actor: long, name: long }));
    expect(bounded).toMatchObject({ actor: `${"a".repeat(99)}…`, name: `${"a".repeat(99)}…` });
    const shorter = entry({ kind: "action", action: "forget", actor: "ann" });
    expect(boundedEntry(shorter)).toEqual(shorter);
  });
});

const ENTRIES: Record<string, ActivityEntry> = {
  connected: entry({ kind: "connected", isNew: true }),
  stopped: entry({ kind: "gone", reason: "stopped" }),
  disconnected: entry({ kind: "gone", reason: "disconnected" }),
  replaced: entry({ kind: "gone", reason: "replaced" }),
  lost: entry({ kind: "gone", reason: "connection_lost" }),
  silent: entry({ kind: "gone", reason: "heartbeat_timeout" }),
  active: entry(status()),
  finished: entry(status(session("a", "done", { title: "Fix the Basket" }))),
  failed: entry(status(session("a", "done"), session("b", "failed", { project: "/srv/Über" }))),
  renamed: entry({ kind: "action", action: "rename", actor: "Ann", name: "Till" }),
};

const found = (query: { filter: ActivityFilter; label?: string; text?: string }): string[] =>
  Object.keys(ENTRIES).filter((name) => ENTRIES[name] !== undefined && activityMatcher(query)(ENTRIES[name]));

test.each<[ActivityFilter, string[]]>([
  ["all", Object.keys(ENTRIES)],
  ["connections", ["connected", "stopped", "disconnected", "replaced", "lost", "silent"]],
  ["sessions", ["finished", "failed"]],
  ["errors", ["lost", "silent", "failed"]],
  ["actions", ["renamed"]],
])("the filter %s shows what it says", (filter, names) => {
  expect(found({ filter })).toEqual(names);
});

test("every filter is tested above, and finds something and not everything", () => {
  for (const filter of ACTIVITY_FILTERS) expect(found({ filter }).length).toBeGreaterThan(0);
});

test.each([
  ["bASKET", ["finished"]],
  ["über", ["failed"]],
  ["ann", ["finished", "failed", "renamed"]],
  ["till", ["renamed"]],
  ["shop", Object.keys(ENTRIES)],
  ["", Object.keys(ENTRIES)],
  ["nothing of this kind", []],
])("the text %j is found in titles, projects and names, in any case", (text, names) => {
  expect(found({ filter: "all", text })).toEqual(names);
});

test("filter, label and text all hold", () => {
  expect(found({ filter: "actions", label: "shop-abcdefghij", text: "ann" })).toEqual(["renamed"]);
  expect(found({ filter: "actions", label: "other-abcdefghij", text: "ann" })).toEqual([]);
  expect(found({ filter: "connections", text: "ann" })).toEqual([]);
});
