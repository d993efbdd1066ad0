/** What is recorded, and what it costs: at most one entry for each report, at most one row for each entry. */
import { runInDurableObject } from "cloudflare:test";
import type { ClaudeSession, SessionState } from "@ai-orchestrator/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Inspection, StatusReport, TunnelRpc } from "../contracts.ts";
import { activityOf, away, here, newPerson, openPage, withTunnels, type Hub } from "../../test/dashboards.ts";
import { ask, connected, instancesOf } from "../../test/hub.ts";
import { routes } from "../routes.ts";
import type { UserHub } from "./user-hub.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const session = (id: string, state: SessionState, more: Partial<ClaudeSession> = {}): ClaudeSession => ({
  id,
  state,
  project: "/home/ann/src/shop",
  since: 1000,
  ...more,
});

const report = (
  status: StatusReport["status"],
  sessions: ClaudeSession[],
  at = Date.now(),
): StatusReport => ({
  status,
  sessions,
  at,
});

/** Counts the rows that every statement of the object writes from now on, by its table. */
async function countRows(hub: Hub): Promise<() => Record<string, number>> {
  const rows: Record<string, number> = {};
  await runInDurableObject(hub, (_object, { storage }) => {
    const { sql } = storage;
    const exec = sql.exec.bind(sql);
    vi.spyOn(sql, "exec").mockImplementation((query: string, ...bindings: unknown[]) => {
      const cursor = exec(query, ...bindings);
      const table = /\b(?:INTO|UPDATE|FROM)\s+(\w+)/.exec(query)?.[1] ?? query;
      if (cursor.rowsWritten > 0) rows[table] = (rows[table] ?? 0) + cursor.rowsWritten;
      return cursor;
    });
  });
  return () => {
    const counted = { ...rows };
    for (const table of Object.keys(rows)) delete rows[table];
    return counted;
  };
}

describe("rows", () => {
  test("a change is one of the instance and one of the activity, a repeated report none", async () => {
    const { hub } = await newPerson("rows");
    await hub.instanceConnected(connected("one"));
    const written = await countRows(hub);
    await hub.instanceStatus("one", report("busy", [session("a", "working")]));
    expect(written()).toEqual({ instances: 1, activity: 1 });
    for (let index = 0; index < 5; index++)
      await hub.instanceStatus("one", report("busy", [session("a", "working")], Date.now() + index * 60_000));
    expect(written()).toEqual({});
    // A new title is no change that anybody waits for.
    const renamed = [session("a", "working", { title: "Fix it" })];
    await hub.instanceStatus("one", report("busy", renamed, Date.now() + 600_000));
    expect(written()).toEqual({ instances: 1 });
    await hub.instanceGone("one", Number.MAX_SAFE_INTEGER, "stopped", Date.now());
    expect(written()).toEqual({ instances: 1, activity: 1 });
    await hub.instanceGone("one", Number.MAX_SAFE_INTEGER, "stopped", Date.now());
    expect(written()).toEqual({});
  });

  test("a connection is one of the instance and one of the activity, after the first", async () => {
    const { hub } = await newPerson("rows-connect");
    const at = Date.now() - 60_000;
    await hub.instanceConnected(connected("one", { connectedAt: at }));
    await hub.instanceGone("one", at, "connection_lost", at + 1);
    const written = await countRows(hub);
    await hub.instanceConnected(connected("one", { connectedAt: at + 3 }));
    expect(written()).toEqual({ instances: 1, activity: 1 });
    await hub.instanceConnected(connected("one", { connectedAt: at + 2 }));
    expect(written()).toEqual({});
    await hub.instanceConnected(connected("one", { connectedAt: at + 4, label: "other-abcdefghij" }));
    expect(await hub.find("any-session", "other-abcdefghij")).toMatchObject({ clientId: "one" });
  });

  test("a look writes nothing where nothing is new, and neither does a page that comes and goes", async () => {
    const { person, hub } = await newPerson("rows-look");
    const connectedAt = Date.now();
    await hub.instanceConnected(connected("one", { connectedAt }));
    const page = await openPage(person);
    const written = await countRows(hub);
    const clock = vi.spyOn(Date, "now");
    for (let minutes = 1; minutes <= 3; minutes++) {
      clock.mockReturnValue(connectedAt + minutes * 60_000);
      const messages = page.messages.length;
      page.send("look");
      await vi.waitFor(() => expect(page.messages.length).toBeGreaterThan(messages));
    }
    page.send("ping");
    await instancesOf(hub);
    await hub.find("any-session", "one");
    await activityOf(hub);
    expect(written()).toEqual({});
  });

  test("going to an instance is one of the sign-in and one of the activity, the first time", async () => {
    const { hub } = await newPerson("rows-open");
    await hub.instanceConnected(connected("one"));
    const written = await countRows(hub);
    await hub.opened("session-1", "one-abcdefghij", "ann");
    expect(written()).toEqual({ opened_instances: 1, activity: 1 });
    await hub.opened("session-1", "one-abcdefghij", "ann");
    expect(written()).toEqual({});
    expect(await activityOf(hub, { filter: "actions" })).toMatchObject([{ action: "open", actor: "ann" }]);
    await hub.opened("session-1", "nobody-abcdefghij", "ann");
    expect(await activityOf(hub, { filter: "actions" })).toHaveLength(1);
  });
});

test("an instance's day is told in its entries, the newest first", async () => {
  const { hub } = await newPerson("day");
  const at = Date.now() - 60_000;
  const absence = { cause: "asleep" as const, since: at - 100_000, until: at - 1000 };
  await hub.instanceConnected(connected("one", { connectedAt: at }));
  await hub.instanceStatus("one", report("busy", [session("a", "working"), session("b", "idle")], at + 1));
  const next = [session("a", "needs_permission"), session("b", "idle"), session("c", "failed")];
  await hub.instanceStatus("one", report("busy", next, at + 2));
  await hub.instanceStatus("one", report("active", next, at + 3));
  await hub.instanceGone("one", at, "heartbeat_timeout", at + 4);
  await hub.instanceConnected(connected("one", { connectedAt: at + 5, absence, sessions: next }));
  const entries = await activityOf(hub);
  expect(entries).toMatchObject([
    { kind: "connected", isNew: false, absence, at: at + 5 },
    { kind: "gone", reason: "heartbeat_timeout", at: at + 4 },
    { kind: "status", status: "active", before: "busy", sessions: [] },
    {
      kind: "status",
      sessions: [
        { id: "a", state: "needs_permission" },
        { id: "c", state: "failed" },
      ],
    },
    { kind: "status", status: "busy", before: "idle", sessions: [{ id: "a", state: "working" }] },
    { kind: "connected", isNew: true, label: "one-abcdefghij", title: "one" },
  ]);
  expect(entries).toHaveLength(6);
  const ids = entries.map(({ id }) => id);
  expect(ids).toEqual(ids.toSorted((a, b) => b - a));
});

test("what sessions came to while an instance was away is told when it is back", async () => {
  const { hub } = await newPerson("meanwhile");
  const at = Date.now() - 60_000;
  await hub.instanceConnected(connected("one", { connectedAt: at, sessions: [session("a", "working")] }));
  await hub.instanceGone("one", at, "connection_lost", at + 1);
  await hub.instanceConnected(connected("one", { connectedAt: at + 2, sessions: [session("a", "done")] }));
  expect(await activityOf(hub, { filter: "sessions" })).toMatchObject([
    { at: at + 2, sessions: [{ id: "a", state: "done" }] },
  ]);
});

test("an instance wrongly thought gone is connected again in the activity too, however it is heard of", async () => {
  const { hub } = await newPerson("thought-gone");
  const at = Date.now() - 60_000;
  await hub.instanceConnected(connected("one", { connectedAt: at }));
  await hub.instanceGone("one", at, "connection_lost", at + 1);
  await hub.instanceStatus("one", report("idle", [], at + 2));
  await hub.instanceGone("one", at, "connection_lost", at + 3);
  await instancesOf(hub);
  await vi.waitFor(async () => {
    const kinds = (await activityOf(hub)).map(({ kind }) => kind);
    expect(kinds).toEqual(["connected", "gone", "connected", "gone", "connected"]);
  });
});

describe("a look", () => {
  test("shows a proof of life as the piece of the card that tells it", async () => {
    const { person, hub } = await newPerson("proofs");
    const connectedAt = Date.now() - 60_000;
    await withTunnels(hub, () => ({ connected: true, provenAt: connectedAt + 50_000 }));
    await hub.instanceConnected(connected("one", { connectedAt }));
    const page = await openPage(person);
    await vi.waitFor(() => expect(page.messages).toHaveLength(2));
    expect(page.messages[1]).toContain(String(connectedAt + 50_000));
    expect(page.messages[1]).not.toContain("data-client-id");
  });

  test("leaves the reason of an end to the Tunnel that knows it", async () => {
    const { hub } = await newPerson("reasons");
    const connectedAt = Date.now() - 600_000;
    const object = await runInDurableObject(hub, (instance: UserHub) => instance);
    await hub.instanceConnected(connected("one", { connectedAt }));
    const presence = async () => {
      await object.instanceGone("one", connectedAt, "heartbeat_timeout", connectedAt + 1000);
      return away();
    };
    await withTunnels(hub, away, () => ({ presence }));
    await instancesOf(hub);
    await vi.waitFor(async () =>
      expect(await activityOf(hub, { filter: "errors" })).toMatchObject([{ reason: "heartbeat_timeout" }]),
    );
    expect(await activityOf(hub, { filter: "connections" })).toHaveLength(2);
  });

  test("says of an instance whose Tunnel knows nothing that it is gone since it was last heard of", async () => {
    const { hub } = await newPerson("heard-last");
    const connectedAt = Date.now() - 600_000;
    await withTunnels(hub, away);
    await hub.instanceConnected(connected("one", { connectedAt }));
    await hub.instanceStatus("one", report("busy", [], connectedAt + 300_000));
    await instancesOf(hub);
    await vi.waitFor(async () =>
      expect(await instancesOf(hub)).toMatchObject([
        { connected: false, goneReason: "connection_lost", goneAt: connectedAt + 300_000 },
      ]),
    );
  });

  test("asks nobody while nobody looks", async () => {
    const { hub } = await newPerson("nobody-looks");
    const presence = vi.fn<TunnelRpc["presence"]>(() => Promise.resolve(here()));
    await withTunnels(hub, here, () => ({ presence }));
    await hub.instanceConnected(connected("one"));
    await hub.instanceStatus("one", report("busy", [session("a", "working")]));
    await hub.act("one", { action: "mark_seen" }, "ann");
    await activityOf(hub);
    expect(presence).not.toHaveBeenCalled();
    await instancesOf(hub);
    expect(presence).toHaveBeenCalledTimes(1);
  });
});

test("what a connector says of itself is bounded and stripped, and nothing where it cannot be read", async () => {
  const error = vi.spyOn(console, "error").mockReturnValue();
  const { hub } = await newPerson("inspects");
  await hub.instanceConnected(connected("one"));
  const line = { at: 1, level: "info" as const, text: "up\u202e and\u0000 running\n" };
  const inspect = vi
    .fn<() => Promise<Inspection | null>>()
    .mockResolvedValue({ latencyMs: 12.5, log: [line] });
  await withTunnels(hub, here, () => ({ inspect }));
  expect(await hub.inspect("any-session", "one")).toEqual({
    latencyMs: 12.5,
    log: [{ ...line, text: "up and running" }],
  });
  const refused = [
    { latencyMs: Number.NaN, log: [] },
    { latencyMs: 1, log: [{ ...line, text: "x".repeat(301) }] },
    { latencyMs: 1, log: Array.from({ length: 201 }, () => line) },
    { latencyMs: 1, log: [{ ...line, level: "<b>" }] },
  ];
  for (const one of refused) {
    inspect.mockResolvedValueOnce(one as Inspection);
    expect(await hub.inspect("any-session", "one")).toBeNull();
  }
  inspect.mockRejectedValueOnce(new Error("reset"));
  expect(await hub.inspect("any-session", "one")).toBeNull();
  expect(error).toHaveBeenCalledTimes(refused.length + 1);
  expect(await hub.inspect("any-session", "nobody")).toBeNull();
});

test("activity and inspection answer no sign-in that has ended", async () => {
  const { person, hub } = await newPerson("asks-late");
  await hub.instanceConnected(connected("one"));
  const id = /-session=([^.]+)\./.exec(person.cookie)?.[1] ?? "";
  await ask(routes.signOut, { method: "POST", person });
  expect(await hub.activity(id, { filter: "all" })).toBe("signed_out");
  expect(await hub.inspect(id, "one")).toBe("signed_out");
});

test("a question that no page asks is refused", async () => {
  const { hub } = await newPerson("asks-badly");
  await runInDurableObject(hub, async (object: UserHub) => {
    const refused = [
      { filter: "everything" },
      { filter: "all", label: "UPPER.case" },
      { filter: "all", text: "x".repeat(201) },
      { filter: "all", before: Number.NaN },
      { filter: "all", before: 0.5 },
    ];
    for (const query of refused)
      await expect(object.activity("any-session", query as { filter: "all" })).rejects.toThrow("Invalid");
  });
});
