import { readFileSync } from "node:fs";
import type { ClaudeSession } from "@ai-orchestrator/protocol";
import { describe, expect, test } from "vitest";
import { readFromBrowser, readFromUpstream } from "./frames.ts";
import { parseEntry, type RegistryEntry } from "./registry.ts";
import { type Observation, SessionTable } from "./sessions.ts";

type Witness = "browser" | "upstream" | "registry" | "running";

const socket = Symbol("socket");
const project = "/home/dev/project";
const app = "00000000-0000-4000-8000-000000000001";

/** One recorded moment as the connector would have seen it. What a real claudecodeui and Claude Code sent is in `recordings/`. */
function observationsOf(line: { at: number; from: Witness; is: unknown }): Observation[] {
  const { at, from, is } = line;
  if (from === "browser") return readFromBrowser(JSON.stringify(is), socket, at);
  if (from === "upstream") return readFromUpstream(JSON.stringify(is), at);
  if (from === "running") {
    const runs = (is as { sessionId: string; startedAt: number }[]).map((run) => ({
      id: run.sessionId,
      startedAt: run.startedAt,
    }));
    return [{ type: "running", runs, at }];
  }
  const entries = (is as object[])
    .map((entry) => parseEntry(JSON.stringify(entry)))
    .filter((entry) => entry !== undefined);
  return [{ type: "registry", entries, at }];
}

/** Plays a recording to those who were there, and returns the states of its session, without repetitions. */
function play(name: string, witnesses: Witness[], before: Observation[] = []) {
  const table = new SessionTable();
  for (const observation of before) table.observe(observation);
  const states: string[] = [];
  const text = readFileSync(new URL(`recordings/${name}.jsonl`, import.meta.url), "utf8").trim();
  for (const line of text
    .split("\n")
    .map((part) => JSON.parse(part) as { at: number; from: Witness; is: unknown })) {
    if (!witnesses.includes(line.from)) continue;
    for (const observation of observationsOf(line)) table.observe(observation);
    expect(table.sessions().length).toBeLessThan(2);
    const state = table.sessions().find(({ id }) => id === app)?.state ?? "-";
    if (states.at(-1) !== state) states.push(state);
  }
  return { states, table };
}

const claudeId = (name: string) =>
  /"registry".*?"sessionId":"([\w-]+)"/.exec(
    readFileSync(new URL(`recordings/${name}.jsonl`, import.meta.url), "utf8"),
  )?.[1] ?? "";

describe("recorded: a permission asked for and given", () => {
  test.each<[string, Witness[]]>([
    ["every witness", ["browser", "upstream", "registry", "running"]],
    ["frames alone", ["browser", "upstream"]],
    ["frames and the list of runs", ["browser", "upstream", "running"]],
    ["frames and the registry", ["browser", "upstream", "registry"]],
  ])("%s", (_, witnesses) => {
    const { states, table } = play("permission", witnesses);
    expect(states.filter((state) => state !== "-")).toEqual([
      "working",
      "needs_permission",
      "working",
      "idle",
    ]);
    table.observe({ type: "viewing", socket, ids: [] });
    expect(table.sessions()).toEqual([]);
  });

  test("nobody at a browser: it stays done until a person opens it", () => {
    const known: Observation = { type: "alias", claudeId: claudeId("permission"), id: app };
    const { states, table } = play("permission", ["registry", "running"], [known]);
    expect(states.filter((state) => state !== "-")).toEqual([
      "working",
      "needs_permission",
      "working",
      "done",
    ]);
    expect(table.sessions()).toMatchObject([{ id: app, project }]);
    table.observe({ type: "viewing", socket, ids: [app] });
    expect(table.sessions()).toMatchObject([{ id: app, state: "idle" }]);
  });

  test("the registry alone, for a claude that claudecodeui knows nothing about", () => {
    const known: Observation = { type: "alias", claudeId: claudeId("permission"), id: app };
    const { states } = play("permission", ["registry"], [known]);
    expect(states.filter((state) => state !== "-")).toEqual([
      "idle",
      "working",
      "needs_permission",
      "working",
      "done",
    ]);
  });
});

test("recorded: a question is not a permission", () => {
  const { states } = play("question", ["browser", "upstream", "registry", "running"]);
  expect(states.filter((state) => state !== "-")).toEqual(["working", "needs_answer", "working", "idle"]);
});

test("recorded: text that strays in after an abort does not make it busy again", () => {
  const { states } = play("abort", ["browser", "upstream", "registry", "running"]);
  expect(states.filter((state) => state !== "-")).toEqual(["working", "idle"]);
});

const entry = (change: Partial<RegistryEntry> = {}): RegistryEntry => ({
  claudeId: "c",
  cwd: project,
  title: undefined,
  state: "working",
  at: 1_000,
  terminal: true,
  startedAt: 500,
  ...change,
});

function tableOf(...observations: Observation[]): SessionTable {
  const table = new SessionTable();
  for (const observation of observations) table.observe(observation);
  return table;
}

const alias: Observation = { type: "alias", claudeId: "c", id: "a" };
const registry = (entries: RegistryEntry[], at: number): Observation => ({ type: "registry", entries, at });
const only = (table: SessionTable): ClaudeSession | undefined => table.sessions()[0];

describe("the registry", () => {
  test("an entry is left out until it is known whose it is", () => {
    const table = tableOf(registry([entry()], 1_100));
    expect(table.sessions()).toEqual([]);
    expect(table.unresolved()).toHaveLength(1);
    table.observe(alias);
    expect(only(table)).toEqual({ id: "a", project, state: "working", since: 1_000 });
  });

  test("one that stood for itself moves to claudecodeui's id when that becomes known", () => {
    const table = tableOf(registry([entry()], 1_100), { ...alias, id: "c" });
    expect(only(table)?.id).toBe("c");
    table.observe(alias);
    expect(table.sessions().map(({ id }) => id)).toEqual(["a"]);
  });

  test("a claude in a terminal that has nothing to do is idle, and was seen there when it ended", () => {
    const table = tableOf(
      alias,
      registry([entry()], 1_100),
      registry([entry({ state: "idle", at: 2_000 })], 2_100),
    );
    expect(only(table)).toMatchObject({ state: "idle", since: 2_000 });
    table.observe(registry([], 3_000));
    expect(table.sessions()).toEqual([]);
  });

  test("news from before the end that frames have seen is void", () => {
    const table = tableOf(
      alias,
      { type: "started", id: "a", at: 900 },
      registry([entry({ terminal: false })], 1_100),
      { type: "ended", id: "a", outcome: "done", at: 2_000 },
      registry([entry({ terminal: false })], 2_010),
    );
    expect(only(table)?.state).toBe("done");
    table.observe(registry([entry({ terminal: false, at: 2_500 })], 2_600));
    expect(only(table)?.state).toBe("working");
  });

  test("a question answered where no frame passes is answered", () => {
    const asked: Observation = { type: "asked", id: "a", request: "r", state: "needs_permission", at: 1_200 };
    const table = tableOf(
      alias,
      { type: "started", id: "a", at: 900 },
      asked,
      registry([entry({ at: 1_190 })], 1_300),
    );
    expect(only(table)?.state).toBe("needs_permission");
    table.observe(registry([entry({ at: 9_000 })], 9_100));
    expect(only(table)?.state).toBe("working");
  });
});

describe("the list of runs", () => {
  const running = (ids: string[], at: number): Observation => ({
    type: "running",
    runs: ids.map((id) => ({ id, startedAt: 500 })),
    at,
  });

  test("starts and ends sessions nobody here has seen", () => {
    const table = tableOf(running(["a"], 600));
    expect(only(table)).toMatchObject({ state: "working", since: 500 });
    table.observe(running([], 700));
    expect(only(table)).toMatchObject({ state: "done", since: 700 });
  });

  test("an answer asked for before the end was seen does not bring it back", () => {
    const table = tableOf(
      { type: "viewing", socket, ids: ["a"] },
      { type: "started", id: "a", at: 500 },
      { type: "ended", id: "a", outcome: "done", at: 1_000 },
      running(["a"], 990),
    );
    expect(only(table)?.state).toBe("idle");
  });

  test("does not end what has only just been sent, and ends what it has not had for a while", () => {
    const table = tableOf({ type: "started", id: "a", at: 1_000 }, running([], 1_005));
    expect(only(table)?.state).toBe("working");
    table.observe(running([], 3_000));
    expect(only(table)?.state).toBe("done");
  });

  test("where it is not to be had, nothing follows from that", () => {
    const table = tableOf(
      { type: "started", id: "a", at: 1_000 },
      { type: "running", runs: undefined, at: 9_000 },
    );
    expect(only(table)?.state).toBe("working");
  });
});

describe("how it ended", () => {
  const ended = (outcome: "done" | "failed" | "idle"): Observation[] => [
    { type: "started", id: "a", at: 1 },
    { type: "ended", id: "a", outcome, at: 2 },
  ];

  test("open in a browser: done was seen, failed stays until the next move", () => {
    const viewing: Observation = { type: "viewing", socket, ids: ["a"] };
    expect(only(tableOf(viewing, ...ended("done")))?.state).toBe("idle");
    const failed = tableOf(viewing, ...ended("failed"));
    expect(only(failed)).toMatchObject({ state: "failed", since: 2 });
    failed.observe({ type: "started", id: "a", at: 3 });
    expect(only(failed)).toMatchObject({ state: "working", since: 3 });
  });

  test("what a person stopped is over", () => {
    expect(tableOf(...ended("idle")).sessions()).toEqual([]);
  });

  test("a run whose browser left is over when its process is", () => {
    const table = tableOf({ type: "viewing", socket, ids: ["a"] }, { type: "started", id: "a", at: 1 });
    table.observe({ type: "viewing", socket, ids: [] });
    expect(only(table)?.state).toBe("working");
    table.observe(registry([], 5));
    expect(only(table)?.state).toBe("done");
  });
});

test("several questions at once: it waits until the last is answered", () => {
  const asked = (request: string): Observation => ({
    type: "asked",
    id: "a",
    request,
    state: "needs_permission",
    at: 10,
  });
  const table = tableOf({ type: "started", id: "a", at: 1 }, asked("r"), asked("s"));
  table.observe({ type: "answered", id: "a", request: "s", at: 20 });
  expect(only(table)?.state).toBe("needs_permission");
  table.observe({ type: "answered", id: "a", request: "r", at: 30 });
  expect(only(table)).toMatchObject({ state: "working", since: 30 });
});

test("the hub is told the busy ones first, and never more than fifty", () => {
  const table = tableOf({ type: "started", id: "busy", at: 1 });
  for (let number = 0; number < 80; number++) {
    table.observe({ type: "started", id: `s${number}`, at: 2 });
    table.observe({ type: "ended", id: `s${number}`, outcome: "done", at: 3 });
  }
  expect(table.sessions()).toHaveLength(50);
  expect(table.sessions()[0]?.id).toBe("busy");
  expect(table.sessions()[1]?.id).toBe("s79");
});

test("titles are taken over and cut, and the one for no title is none", () => {
  const table = tableOf({ type: "started", id: "a", at: 1 });
  table.observe({ type: "described", id: "a", title: "Untitled Session", project: "/p" });
  expect(only(table)?.title).toBeUndefined();
  expect(table.undescribed()).toEqual(["a"]);
  table.observe({ type: "described", id: "a", title: "x".repeat(999), project: undefined });
  expect(only(table)).toMatchObject({ title: "x".repeat(300), project: "/p" });
  expect(table.undescribed()).toEqual([]);
});
