/** What its owner does to an instance: the Tunnel is told, the registry follows, the activity says who, pages see it. */
import { runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { ActivityEntry } from "../activity.ts";
import type { ActionResult, InstanceAction, TunnelRpc } from "../contracts.ts";
import { activityOf, away, here, newPerson, openPage, withTunnels, type Hub } from "../../test/dashboards.ts";
import { connected, instanceOf, instancesOf } from "../../test/hub.ts";
import type { UserHub } from "./user-hub.ts";

const LABEL = "one-abcdefghij";

afterEach(() => {
  vi.restoreAllMocks();
});

const act = (hub: Hub, action: InstanceAction, idOrLabel = "one"): Promise<ActionResult> =>
  hub.act(idOrLabel, action, "ann");

/** What its owner has done, the newest first. */
async function actionsOf(hub: Hub): Promise<string[]> {
  const entries = await activityOf(hub, { filter: "actions" });
  return entries.map((entry: ActivityEntry) =>
    entry.kind === "action" ? `${entry.actor} ${entry.action} ${entry.title}` : entry.kind,
  );
}

/** Rows that were written by this. */
async function rowsOf(hub: Hub, work: (object: UserHub) => Promise<unknown>): Promise<number> {
  return runInDurableObject(hub, async (object: UserHub, { storage: { sql } }) => {
    const before = sql.exec<{ n: number }>("SELECT total_changes() AS n").one().n;
    await work(object);
    return sql.exec<{ n: number }>("SELECT total_changes() AS n").one().n - before;
  });
}

/** The object behind a stub, for Tunnels that call it from within. */
function objectOf(hub: Hub): Promise<UserHub> {
  return runInDurableObject(hub, (object: UserHub) => object);
}

/** A person with an instance that is connected until its Tunnel sends it away. */
async function withInstance(name: string, more: Partial<TunnelRpc> = {}) {
  const { person, hub } = await newPerson(name);
  let isHere = true;
  const calls = await withTunnels(
    hub,
    () => (isHere ? here() : away()),
    () => more,
  );
  await hub.instanceConnected(connected("one"));
  const sendAway = async () => {
    await act(hub, { action: "disconnect" });
    isHere = false;
  };
  return { person, hub, calls, sendAway };
}

/** A Tunnel that answers when it is told to. */
function slowTunnel() {
  const gate = Promise.withResolvers<void>();
  const keepAway = vi.fn<TunnelRpc["keepAway"]>(() => gate.promise);
  return { keepAway, goOn: () => gate.resolve() };
}

describe("disconnecting", () => {
  test("has the Tunnel keep the instance away, and shows it", async () => {
    const { person, hub } = await newPerson("disconnects");
    const calls = await withTunnels(hub, here);
    await hub.instanceConnected(connected("one"));
    const page = await openPage(person);
    const result = await act(hub, { action: "disconnect" }, LABEL);
    expect(result).toMatchObject({
      done: { connected: false, keptAway: true, goneReason: "disconnected" },
    });
    expect(calls).toEqual([`keep away ${LABEL}`]);
    expect(await actionsOf(hub)).toEqual(["ann disconnect one"]);
    await vi.waitFor(() => expect(page.messages.at(-1)).toContain(`data-status="unreachable"`));
  });

  test("writes one row for the instance where its Tunnel tells of the end itself", async () => {
    const { hub } = await newPerson("disconnects-once");
    const start = Date.now();
    const userHub = await objectOf(hub);
    const keepAway = () => userHub.instanceGone("one", start, "disconnected", Date.now());
    await withTunnels(hub, here, () => ({ keepAway }));
    await hub.instanceConnected(connected("one", { connectedAt: start }));
    expect(await rowsOf(hub, (object) => object.act("one", { action: "disconnect" }, "ann"))).toBe(3);
    expect(await instanceOf(hub, "one")).toMatchObject({ connected: false, keptAway: true });
    const kinds = (await activityOf(hub)).map(({ kind }) => kind);
    expect(kinds.toSorted()).toEqual(["action", "connected", "gone"]);
  });

  test("keeps away an instance that is not connected, too", async () => {
    const { hub } = await newPerson("disconnects-gone");
    const calls = await withTunnels(hub, away);
    await hub.instanceConnected(connected("one", { connectedAt: 1000 }));
    await hub.instanceGone("one", 1000, "stopped", 2000);
    expect(await act(hub, { action: "disconnect" })).toMatchObject({
      done: { connected: false, keptAway: true, goneReason: "stopped", goneAt: 2000 },
    });
    expect(calls).toEqual([`keep away ${LABEL}`]);
  });

  test("twice is once, at the same time as well", async () => {
    const { hub } = await newPerson("disconnects-twice");
    const calls = await withTunnels(hub, here);
    await hub.instanceConnected(connected("one"));
    const results = await Promise.all([
      act(hub, { action: "disconnect" }),
      act(hub, { action: "disconnect" }),
    ]);
    for (const result of results) expect(result).toMatchObject({ done: { keptAway: true } });
    expect(calls).toEqual([`keep away ${LABEL}`, `keep away ${LABEL}`]);
    expect(await actionsOf(hub)).toEqual(["ann disconnect one"]);
  });

  test("and letting back at once end as the last of them says", async () => {
    const { hub } = await newPerson("changes-mind");
    const { keepAway, goOn } = slowTunnel();
    const calls = await withTunnels(hub, here, () => ({ keepAway }));
    await hub.instanceConnected(connected("one"));
    const both = [act(hub, { action: "disconnect" }), act(hub, { action: "let_back" })];
    await vi.waitFor(() => expect(keepAway).toHaveBeenCalled());
    expect(calls).toEqual([]);
    goOn();
    await Promise.all(both);
    expect(calls).toEqual([`let back ${LABEL}`]);
    expect(await instanceOf(hub, "one")).toMatchObject({ connected: false, keptAway: false });
    expect(await actionsOf(hub)).toEqual(["ann let_back one", "ann disconnect one"]);
  });

  test("is tried again where the Tunnel fails, and refused where it fails again", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const { hub } = await newPerson("disconnects-failing");
    const keepAway = vi
      .fn<TunnelRpc["keepAway"]>()
      .mockRejectedValueOnce(new Error("reset"))
      .mockRejectedValueOnce(new Error("reset"))
      .mockRejectedValueOnce(new Error("reset"))
      .mockResolvedValue();
    await withTunnels(hub, here, () => ({ keepAway }));
    await hub.instanceConnected(connected("one"));
    expect(await act(hub, { action: "disconnect" })).toEqual({ refused: "unanswered" });
    expect(await instanceOf(hub, "one")).toMatchObject({ connected: true, keptAway: false });
    expect(await actionsOf(hub)).toEqual([]);
    expect(await act(hub, { action: "disconnect" })).toMatchObject({ done: { keptAway: true } });
    expect(keepAway).toHaveBeenCalledTimes(4);
  });

  test("waits two seconds for a slow Tunnel, and says what became of it when that is known", async () => {
    const { person, hub } = await newPerson("disconnects-slowly");
    const { keepAway, goOn } = slowTunnel();
    await withTunnels(hub, here, () => ({ keepAway }));
    await hub.instanceConnected(connected("one"));
    const page = await openPage(person);
    const start = performance.now();
    expect(await act(hub, { action: "disconnect" })).toEqual({ refused: "unanswered" });
    expect(performance.now() - start).toBeLessThan(6000);
    expect(await instanceOf(hub, "one")).toMatchObject({ connected: true, keptAway: false });
    // What needs no Tunnel waits for none.
    expect(await act(hub, { action: "rename", name: "Till" })).toMatchObject({ done: { name: "Till" } });
    goOn();
    await vi.waitFor(async () =>
      expect(await instanceOf(hub, "one")).toMatchObject({ connected: false, keptAway: true }),
    );
    await vi.waitFor(() => expect(page.messages.at(-1)).toContain(`data-status="unreachable"`));
    expect(await actionsOf(hub)).toEqual(["ann disconnect Till", "ann rename one"]);
  });

  test("is known from the end of the connection, though the Tunnel's answer was lost", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const { hub } = await newPerson("disconnects-unheard");
    const start = Date.now();
    await withTunnels(hub, here, () => ({ keepAway: () => Promise.reject(new Error("lost")) }));
    await hub.instanceConnected(connected("one", { connectedAt: start }));
    expect(await act(hub, { action: "disconnect" })).toEqual({ refused: "unanswered" });
    await hub.instanceGone("one", start, "disconnected", start + 1);
    expect(await instanceOf(hub, "one")).toMatchObject({ connected: false, keptAway: true });
  });
});

describe("letting back", () => {
  test("takes the mark out, in the Tunnel and here", async () => {
    const { person, hub, calls, sendAway } = await withInstance("lets-back");
    await sendAway();
    const page = await openPage(person);
    expect(await act(hub, { action: "let_back" })).toMatchObject({
      done: { connected: false, keptAway: false },
    });
    expect(calls).toEqual([`keep away ${LABEL}`, `let back ${LABEL}`]);
    expect(await actionsOf(hub)).toEqual(["ann let_back one", "ann disconnect one"]);
    await vi.waitFor(() => expect(page.messages.length).toBeGreaterThan(1));
  });

  test("is told to the Tunnel though nothing is known of a mark, and is then worth no entry", async () => {
    const { hub } = await newPerson("lets-back-unmarked");
    const calls = await withTunnels(hub, here);
    await hub.instanceConnected(connected("one"));
    expect(await rowsOf(hub, (object) => object.act("one", { action: "let_back" }, "ann"))).toBe(0);
    expect(calls).toEqual([`let back ${LABEL}`]);
  });

  test.each(["registers", "reports"])("has happened where an instance that was kept away %s", async (how) => {
    const { hub } = await newPerson(`comes-back-${how}`);
    await hub.instanceConnected(connected("one"));
    await act(hub, { action: "disconnect" });
    // Its Tunnel decides, and has let it in.
    const at = Date.now() + 1000;
    if (how === "registers") await hub.instanceConnected(connected("one", { connectedAt: at }));
    else await hub.instanceStatus("one", { status: "idle", sessions: [], at });
    expect(await instanceOf(hub, "one")).toMatchObject({ connected: true, keptAway: false });
  });
});

describe("refreshing", () => {
  test("asks the instance, and its answer is a proof of life though nothing is new", async () => {
    const { person, hub } = await newPerson("refreshes");
    const calls = await withTunnels(hub, here);
    const start = Date.now();
    await hub.instanceConnected(connected("one", { connectedAt: start }));
    const page = await openPage(person);
    expect(await act(hub, { action: "refresh" })).toMatchObject({ done: { clientId: "one" } });
    expect(calls).toContain(`refresh ${LABEL}`);
    const before = page.messages.length;
    const report = { status: "idle" as const, sessions: [], at: start + 5000 };
    expect(await rowsOf(hub, (object) => object.instanceStatus("one", report))).toBe(0);
    await vi.waitFor(() => expect(page.messages.length).toBeGreaterThan(before));
    expect(page.messages.at(-1)).toContain("proof-");
    expect(page.messages.at(-1)).not.toContain(`data-client-id="one"`);
    expect(await instanceOf(hub, "one")).toMatchObject({ heardAt: start + 5000 });
  });

  test("is worth one entry a minute for each instance", async () => {
    const { hub } = await newPerson("refreshes-often");
    const now = Date.now();
    const clock = vi.spyOn(Date, "now").mockReturnValue(now);
    await hub.instanceConnected(connected("one"));
    await hub.instanceConnected(connected("two"));
    for (const later of [0, 1, 59_999]) {
      clock.mockReturnValue(now + later);
      await act(hub, { action: "refresh" });
    }
    expect(await actionsOf(hub)).toEqual(["ann refresh one"]);
    await act(hub, { action: "refresh" }, "two");
    clock.mockReturnValue(now + 60_001);
    await act(hub, { action: "refresh" });
    expect(await actionsOf(hub)).toEqual(["ann refresh one", "ann refresh two", "ann refresh one"]);
  });

  test("corrects what is known of an instance that is not there", async () => {
    const { hub } = await newPerson("refreshes-nobody");
    await hub.instanceConnected(connected("one"));
    await withTunnels(hub, away, () => ({ refreshStatus: () => Promise.resolve("away" as const) }));
    expect(await act(hub, { action: "refresh" })).toEqual({ refused: "unreachable" });
    expect(await instanceOf(hub, "one")).toMatchObject({ connected: false, goneReason: "connection_lost" });
    expect(await actionsOf(hub)).toEqual([]);
  });
});

describe("renaming", () => {
  test("keeps what can be seen of a name, and takes it away again", async () => {
    const { person, hub } = await newPerson("renames");
    await hub.instanceConnected(connected("one"));
    const page = await openPage(person);
    const rename = (name: string) => act(hub, { action: "rename", name });
    expect(await rename("  <b>T\u202eill\u0000 1\n ")).toMatchObject({ done: { name: "<b>Till 1" } });
    await vi.waitFor(() => expect(page.messages.at(-1)).toContain("&lt;b&gt;Till 1"));
    expect(
      await rowsOf(hub, (object) => object.act("one", { action: "rename", name: "<b>Till 1" }, "ann")),
    ).toBe(0);
    expect(await rename(" \u200b\u2060 ")).toMatchObject({ done: { name: "" } });
    const entries = await activityOf(hub, { filter: "actions" });
    expect(entries).toMatchObject([
      { action: "rename", title: "<b>Till 1", name: "", actor: "ann" },
      { action: "rename", title: "one", name: "<b>Till 1", actor: "ann" },
    ]);
  });

  test("refuses what is too long, and takes what just fits", async () => {
    const { hub } = await newPerson("renames-long");
    await hub.instanceConnected(connected("one"));
    const rename = (name: string) => act(hub, { action: "rename", name });
    expect(await rename("x".repeat(81))).toEqual({ refused: "bad_name" });
    expect(await instanceOf(hub, "one")).toMatchObject({ name: "" });
    expect(await rename(` ${"x".repeat(80)} `)).toMatchObject({ done: { name: "x".repeat(80) } });
  });

  test("outlives a new connection", async () => {
    const { hub } = await newPerson("renames-kept");
    await hub.instanceConnected(connected("one"));
    await act(hub, { action: "rename", name: "Till" });
    await hub.instanceConnected(connected("one", { connectedAt: Date.now() + 1000 }));
    expect(await instanceOf(hub, "one")).toMatchObject({ name: "Till" });
  });
});

test("marking as seen goes up to the newest of the sessions that ended, and is noted once", async () => {
  const { person, hub } = await newPerson("sees");
  const sessions = [
    { id: "a", state: "done" as const, since: 100, project: "/p" },
    { id: "b", state: "failed" as const, since: 300, project: "/p" },
    { id: "c", state: "working" as const, since: 500, project: "/p" },
  ];
  await hub.instanceConnected(connected("one", { sessions }));
  const page = await openPage(person);
  expect(await act(hub, { action: "mark_seen" })).toMatchObject({ done: { seenUntil: 300 } });
  await vi.waitFor(() => expect(page.messages.length).toBeGreaterThan(1));
  expect(await rowsOf(hub, (object) => object.act("one", { action: "mark_seen" }, "ann"))).toBe(0);
  expect(await actionsOf(hub)).toEqual(["ann mark_seen one"]);
  // One that ended later has not been seen.
  const more = [...sessions, { id: "d", state: "done" as const, since: 400, project: "/p" }];
  await hub.instanceStatus("one", { status: "busy", sessions: more, at: Date.now() + 1 });
  expect(await act(hub, { action: "mark_seen" })).toMatchObject({ done: { seenUntil: 400 } });
});

describe("path mode", () => {
  test("is allowed and taken back at the Tunnel, is written down once, and tells it of every sign-in that ends", async () => {
    const { hub, calls } = await withInstance("trusts");
    for (const action of ["trust_path", "trust_path"] as const)
      expect(await act(hub, { action })).toMatchObject({ done: { pathTrusted: true } });
    await hub.sessionsEnded(["s1", "s2"]);
    for (const action of ["distrust_path", "distrust_path"] as const)
      expect(await act(hub, { action })).toMatchObject({ done: { pathTrusted: false } });
    await hub.sessionsEnded(["s3"]);
    expect(calls).toEqual([
      `trust ${LABEL}`,
      `trust ${LABEL}`,
      `end ${LABEL} trusts s1 s2`,
      `distrust ${LABEL}`,
      `distrust ${LABEL}`,
    ]);
    expect(await actionsOf(hub)).toEqual(["ann distrust_path one", "ann trust_path one"]);
  });

  test("is not said to be allowed where the Tunnel has not answered, and ends with a card that is forgotten", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const { hub } = await withInstance("trusts-not");
    const failing = () => Promise.reject(new Error("reset"));
    await withTunnels(hub, away, () => ({ trustPath: failing }));
    expect(await act(hub, { action: "trust_path" })).toEqual({ refused: "unanswered" });
    expect(await instanceOf(hub, "one")).toMatchObject({ pathTrusted: false });
    // It has heard it, though it could not say so: it is told otherwise.
    const heard: boolean[] = [];
    const deaf = (_owner: string, isTrusted: boolean) => {
      heard.push(isTrusted);
      return isTrusted ? failing() : Promise.resolve();
    };
    await withTunnels(hub, away, () => ({ trustPath: deaf }));
    expect(await act(hub, { action: "trust_path" })).toEqual({ refused: "unanswered" });
    expect([heard, (await instanceOf(hub, "one"))?.pathTrusted]).toEqual([[true, true, false], false]);
    const calls = await withTunnels(hub, away);
    await act(hub, { action: "trust_path" });
    const { connectedAt = 0 } = (await instanceOf(hub, "one")) ?? {};
    await hub.instanceGone("one", connectedAt, "stopped", Date.now());
    expect(await act(hub, { action: "forget" })).toEqual({ done: null });
    expect(calls).toEqual([`trust ${LABEL}`, `let back ${LABEL}`, `distrust ${LABEL}`]);
  });
});

describe("forgetting", () => {
  test("takes the mark out of the Tunnel with the card", async () => {
    const { person, hub, calls, sendAway } = await withInstance("forgets-kept");
    await sendAway();
    const page = await openPage(person);
    expect(await act(hub, { action: "forget" })).toEqual({ done: null });
    expect(calls).toEqual([`keep away ${LABEL}`, `let back ${LABEL}`]);
    expect(await instancesOf(hub)).toEqual([]);
    await vi.waitFor(() => expect(page.messages.at(-1)).toContain(`hx-swap="delete"`));
    expect(await actionsOf(hub)).toEqual(["ann forget one", "ann disconnect one"]);
    expect(await act(hub, { action: "forget" })).toEqual({ refused: "unknown" });
  });

  test("is refused where the mark would stay, or the instance is back by then", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const { hub } = await newPerson("forgets-not");
    await hub.instanceConnected(connected("one"));
    await act(hub, { action: "disconnect" });
    await withTunnels(hub, here, () => ({ letBack: () => Promise.reject(new Error("reset")) }));
    expect(await act(hub, { action: "forget" })).toEqual({ refused: "unanswered" });
    expect(await instanceOf(hub, "one")).toMatchObject({ keptAway: true });
    const object = await objectOf(hub);
    const letBack = () => object.instanceConnected(connected("one", { connectedAt: Date.now() + 1000 }));
    await withTunnels(hub, away, () => ({ letBack }));
    expect(await act(hub, { action: "forget" })).toEqual({ refused: "connected" });
    expect(await instanceOf(hub, "one")).toMatchObject({ connected: true });
  });

  test("of a whole crowd at once forgets each once", async () => {
    const { hub } = await newPerson("forgets-crowd");
    await hub.instanceConnected(connected("one", { connectedAt: 1000 }));
    await hub.instanceGone("one", 1000, "stopped", 2000);
    const results = await Promise.all(Array.from({ length: 5 }, () => act(hub, { action: "forget" })));
    expect(results.filter((result) => "done" in result)).toHaveLength(1);
    expect(results.filter((result) => "refused" in result && result.refused === "unknown")).toHaveLength(4);
    expect(await actionsOf(hub)).toEqual(["ann forget one"]);
  });
});

test.each<InstanceAction>([
  { action: "disconnect" },
  { action: "let_back" },
  { action: "refresh" },
  { action: "mark_seen" },
  { action: "forget" },
  { action: "rename", name: "x" },
])("nothing is done to an instance that nobody knows: %j", async (action) => {
  const { hub } = await newPerson(`unknown-${action.action}`);
  const calls = await withTunnels(hub, here);
  expect(await act(hub, action, "nobody")).toEqual({ refused: "unknown" });
  expect(calls).toEqual([]);
  expect(await activityOf(hub)).toEqual([]);
});

test("what is no action is not taken for one", async () => {
  const { hub } = await newPerson("acts-badly");
  await hub.instanceConnected(connected("one"));
  await runInDurableObject(hub, async (object: UserHub) => {
    for (const action of [{ action: "explode" }, { action: "rename" }, { action: "rename", name: 7 }])
      await expect(object.act("one", action as InstanceAction, "ann")).rejects.toThrow("Invalid");
  });
});
