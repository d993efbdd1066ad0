import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import type { TunnelRpc } from "../contracts.ts";
import { away, here, newPerson, openPage, withTunnels, type Hub } from "../../test/dashboards.ts";
import { ask, connected, instanceOf, instancesOf, signedIn } from "../../test/hub.ts";
import { routes } from "../routes.ts";
import { MAX_INSTANCES } from "./registry.ts";
import type { UserHub } from "./user-hub.ts";

const attribute = (html: string, name: string): string[] =>
  [...html.matchAll(new RegExp(` ${name}="([^"]*)"`, "g"))].map(([, value = ""]) => value);

async function states(hub: Hub): Promise<Record<string, string>> {
  const list = await instancesOf(hub);
  return Object.fromEntries(
    list.map((item) => [item.clientId, item.connected ? item.status : "unreachable"]),
  );
}

const working = (since: number) => ({
  id: "s",
  state: "working" as const,
  since,
  project: "/p",
  title: "Fix it",
});

test("a page is told everything when it connects, and each change as the cards it touches", async () => {
  const { person, hub } = await newPerson("changes");
  await hub.instanceConnected(connected("one"));
  const page = await openPage(person);
  expect(attribute(page.messages[0] ?? "", "data-client-id")).toEqual(["one"]);

  await hub.instanceConnected(connected("two"));
  await vi.waitFor(() => expect(page.messages).toHaveLength(2));
  expect(attribute(page.messages[1] ?? "", "data-client-id")).toEqual(["two"]);
  expect(attribute(page.messages[1] ?? "", "hx-target")).toContain("#arrivals");

  await hub.instanceStatus("one", { status: "busy", sessions: [working(1)], at: Date.now() });
  await vi.waitFor(() => expect(page.messages).toHaveLength(3));
  const change = page.messages[2] ?? "";
  expect(attribute(change, "hx-target")).toContain("#card-one-abcdefghij");
  expect(attribute(change, "data-lane")).toEqual(["working"]);
  expect(attribute(change, "data-status")).toEqual(["busy"]);
  expect(change).toContain("Fix it");
});

test("every open page is told", async () => {
  const { person, hub } = await newPerson("two-pages");
  const pages = [await openPage(person), await openPage(person)];
  await hub.instanceConnected(connected("one"));
  for (const page of pages) {
    await vi.waitFor(() => expect(page.messages[1]).toContain(`data-client-id="one"`));
  }
});

test("a burst becomes few messages, and the last word is in them", async () => {
  const { person, hub } = await newPerson("burst");
  await hub.instanceConnected(connected("one"));
  const page = await openPage(person);
  // From within: how long a call takes on its way is no part of it.
  await runInDurableObject(hub, async (object: UserHub) => {
    for (let index = 1; index <= 40; index++) {
      const status = index % 2 === 0 ? "busy" : "active";
      await object.instanceStatus("one", { status, sessions: [], at: Date.now() });
    }
  });
  await vi.waitFor(() => expect(attribute(page.messages.at(-1) ?? "", "data-status")).toEqual(["busy"]));
  expect(page.messages.length).toBeLessThan(20);
});

test("a page that connects while a new card waits to be sent gets it once", async () => {
  const { person, hub } = await newPerson("meanwhile");
  const first = await openPage(person);
  await hub.instanceConnected(connected("zero"));
  await vi.waitFor(() => expect(first.messages).toHaveLength(2));
  await hub.instanceConnected(connected("one"));
  const second = await openPage(person);
  await vi.waitFor(() => expect(first.messages).toHaveLength(3));
  expect(attribute(first.messages[2] ?? "", "data-client-id")).toEqual(["one"]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(second.messages.flatMap((html) => attribute(html, "data-client-id"))).toEqual(["one", "zero"]);
});

test("a report that says nothing new is neither written nor sent", async () => {
  const { person, hub } = await newPerson("same");
  await hub.instanceConnected(connected("one", { status: "busy", sessions: [working(1)] }));
  const page = await openPage(person);
  const rowsWritten = (): Promise<number> =>
    runInDurableObject(hub, async (object: UserHub, state) => {
      const before = state.storage.sql.exec("SELECT total_changes() AS n").one()["n"] as number;
      await object.instanceStatus("one", { status: "busy", sessions: [working(1)], at: Date.now() });
      return (state.storage.sql.exec("SELECT total_changes() AS n").one()["n"] as number) - before;
    });
  expect(await rowsWritten()).toBe(0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(page.messages).toHaveLength(1);
});

test("the end of a connection that was replaced is ignored, and so is an older connection", async () => {
  const { hub } = await newPerson("replaced");
  await hub.instanceConnected(connected("one", { connectedAt: 2000, status: "active" }));
  await hub.instanceGone("one", 1000, "replaced", 3000);
  expect(await states(hub)).toEqual({ one: "active" });
  await hub.instanceConnected(connected("one", { connectedAt: 1000, status: "busy" }));
  expect(await states(hub)).toEqual({ one: "active" });
  await hub.instanceGone("one", 2000, "connection_lost", 3000);
  expect(await states(hub)).toEqual({ one: "unreachable" });
  await hub.instanceStatus("one", { status: "busy", sessions: [], at: 2500 });
  expect(await states(hub)).toEqual({ one: "unreachable" });
});

test("what is remembered and the open pages outlive an eviction", async () => {
  const { person, hub } = await newPerson("evicted");
  await hub.instanceConnected(connected("one"));
  const page = await openPage(person);
  await evictDurableObject(hub);
  await withTunnels(hub, here);
  await hub.instanceStatus("one", { status: "busy", sessions: [], at: Date.now() });
  await vi.waitFor(() => expect(attribute(page.messages[1] ?? "", "data-status")).toEqual(["busy"]));
  expect(await states(hub)).toEqual({ one: "busy" });
});

test("a heartbeat of a page is answered by the platform, while the object is evicted too", async () => {
  const { person, hub } = await newPerson("heartbeat");
  const page = await openPage(person);
  await evictDurableObject(hub);
  page.send("ping");
  await vi.waitFor(() => expect(page.messages[1]).toBe("pong"));
});

test("an instance whose Tunnel has lost it is unreachable as soon as somebody looks", async () => {
  const person = await signedIn("crashed");
  const hub = env.USER_HUB.getByName("crashed");
  await withTunnels(hub, away);
  await hub.instanceConnected(connected("one"));
  const page = await openPage(person);
  await vi.waitFor(() =>
    expect(attribute(page.messages.at(-1) ?? "", "data-status")).toEqual(["unreachable"]),
  );
});

test("an instance wrongly thought gone is back when somebody looks, and is asked for its status", async () => {
  const hub = env.USER_HUB.getByName("returned");
  const calls = await withTunnels(hub, here);
  await hub.instanceConnected(connected("one", { connectedAt: Date.now() - 1000 }));
  await hub.instanceGone("one", Date.now(), "connection_lost", Date.now() - 500);
  await instancesOf(hub);
  await vi.waitFor(() => expect(calls).toEqual(["refresh one-abcdefghij"]));
  expect(await states(hub)).toEqual({ one: "idle" });
});

test("revoking a token closes what is connected with it, and what connects with it afterwards", async () => {
  const hub = env.USER_HUB.getByName("revoking");
  const calls = await withTunnels(hub, here);
  await hub.instanceConnected(connected("one", { tokenId: "leaked" }));
  await hub.instanceConnected(connected("two", { tokenId: "good" }));
  await hub.tokenRevoked("leaked");
  expect(calls).toEqual(["disconnect one-abcdefghij revoking leaked"]);
  await hub.instanceConnected(connected("late", { tokenId: "leaked" }));
  expect(calls).toContain("disconnect late-abcdefghij revoking leaked");
});

test("a revoked token is forgotten once nothing knows it any more", async () => {
  const { hub } = await newPerson("revokes-often");
  const DAY_MS = 24 * 60 * 60_000;
  const kept = () =>
    runInDurableObject(hub, (_hub, { storage }) =>
      [...storage.sql.exec("SELECT token_id FROM revoked_tokens ORDER BY token_id")].map(
        ({ token_id: id }) => id,
      ),
    );
  const now = Date.now();
  const clock = vi.spyOn(Date, "now").mockReturnValue(now);
  await hub.tokenRevoked("first");
  clock.mockReturnValue(now + 90 * DAY_MS);
  await hub.tokenRevoked("second");
  expect(await kept()).toEqual(["first", "second"]);
  clock.mockReturnValue(now + 90 * DAY_MS + 1);
  await hub.tokenRevoked("third");
  expect(await kept()).toEqual(["second", "third"]);
  clock.mockRestore();
});

test("a Tunnel that could not be told that a token was revoked is told when its instance is next heard of", async () => {
  const error = vi.spyOn(console, "error").mockReturnValue();
  const hub = env.USER_HUB.getByName("not-told");
  const disconnectToken = vi.fn<TunnelRpc["disconnectToken"]>().mockRejectedValue(new Error("reset"));
  await withTunnels(hub, here, () => ({ disconnectToken }));
  await hub.instanceConnected(connected("one", { tokenId: "leaked" }));
  await hub.instanceStatus("one", { status: "busy", sessions: [], at: Date.now() });
  expect(disconnectToken).not.toHaveBeenCalled();
  await hub.tokenRevoked("leaked");
  expect(disconnectToken).toHaveBeenCalledTimes(2);
  error.mockRestore();
  disconnectToken.mockResolvedValue();
  await hub.instanceStatus("one", { status: "busy", sessions: [], at: Date.now() });
  expect(disconnectToken).toHaveBeenLastCalledWith("not-told", "leaked");
  expect(disconnectToken).toHaveBeenCalledTimes(3);
});

test("signing out closes the pages of that sign-in and no others", async () => {
  const { person } = await newPerson("signs-out");
  const other = await signedIn("signs-out");
  const [page, otherPage] = [await openPage(person), await openPage(other)];
  const response = await ask(routes.signOut, { method: "POST", person });
  expect(response.status).toBe(303);
  await vi.waitFor(() => expect(page.closeCode()).toBe(4401));
  expect(page.messages.at(-1)).toBe("signed-out");
  expect(otherPage.closeCode()).toBeUndefined();
});

test("a page whose sign-in has ended is closed when someone looks at it", async () => {
  const { person } = await newPerson("expired");
  const page = await openPage(person);
  await env.DB.prepare("DELETE FROM sessions WHERE user_id = 'expired'").run();
  page.send("look");
  await vi.waitFor(() => expect(page.closeCode()).toBe(4401));
});

test("only an instance that is not connected can be forgotten", async () => {
  const { person, hub } = await newPerson("forgets");
  await hub.instanceConnected(connected("one", { connectedAt: 1000 }));
  const page = await openPage(person);
  expect(await hub.act("one", { action: "forget" }, "ann")).toEqual({ refused: "connected" });
  await hub.instanceGone("one", 1000, "stopped", Date.now() + 1000);
  expect(await hub.act("one", { action: "forget" }, "ann")).toEqual({ done: null });
  await vi.waitFor(() => expect(page.messages.at(-1)).toContain(`hx-swap="delete"`));
  expect(await instancesOf(hub)).toEqual([]);
});

test("what an instance says of itself is bounded and stripped of what cannot be seen", async () => {
  const { hub } = await newPerson("hostile");
  const metadata = { hostname: "a\u202eb\u0000c\n", project: "/p\u2066", platform: "linux" };
  await hub.instanceConnected(connected("one", { metadata }));
  expect(await instanceOf(hub, "one")).toMatchObject({ hostname: "abc", project: "/p" });
  const refused = [
    connected("two", { label: "UPPER.case" }),
    connected("two", { metadata: { ...metadata, hostname: "x".repeat(256) } }),
    connected("two words"),
    connected("two", { connectedAt: Number.NaN }),
  ];
  for (const instance of refused) {
    await runInDurableObject(hub, (object: UserHub) =>
      expect(object.instanceConnected(instance)).rejects.toThrow("Invalid"),
    );
  }
  expect(await instanceOf(hub, "two")).toBeNull();
});

test(
  "a full registry forgets who has been gone for longest, and never who is connected",
  { timeout: 30_000 },
  async () => {
    const { person, hub } = await newPerson("many");
    await runInDurableObject(hub, async (object: UserHub) => {
      for (let index = 0; index < MAX_INSTANCES + 5; index++) {
        await object.instanceConnected(connected(`c${index}`, { connectedAt: 1000 + index }));
        if (index < 10) await object.instanceGone(`c${index}`, 1000 + index, "stopped", 1000 + index);
      }
      const ids = (await instancesOf(object)).map((instance) => instance.clientId);
      expect(ids).toHaveLength(MAX_INSTANCES);
      expect(ids).not.toContain("c4");
      expect(ids).toContain("c5");
    });
    const calls = await withTunnels(hub, here);
    const page = await openPage(person);
    await runInDurableObject(hub, async (object: UserHub) => {
      for (let index = 0; index < 6; index++) await object.instanceConnected(connected(`late${index}`));
      expect(await instanceOf(object, "late4")).not.toBeNull();
      expect(await instanceOf(object, "late5")).toBeNull();
      expect(await instanceOf(object, "c10")).not.toBeNull();
    });
    expect(calls.filter((call) => call.startsWith("too_many_instances"))).toEqual([
      "too_many_instances late5-abcdefghij",
    ]);
    // Who made room has no card any more.
    await vi.waitFor(() =>
      expect(page.messages.join("")).toContain(`hx-target="#card-c9-abcdefghij" hx-swap="delete"`),
    );
  },
);

test("a full registry does not forget who was sent away or is allowed path mode: without a card nobody could change that", async () => {
  const { hub } = await newPerson("many-away");
  await withTunnels(hub, here);
  await runInDurableObject(hub, async (object: UserHub) => {
    for (let index = 0; index < MAX_INSTANCES; index++)
      await object.instanceConnected(connected(`c${index}`, { connectedAt: 1000 + index }));
    await object.instanceGone("c0", 1000, "disconnected", 5000);
    for (const [id, at] of [
      ["c1", 1001],
      ["c2", 1002],
    ] as const)
      await object.instanceGone(id, at, "stopped", 5000);
    await object.act("c1", { action: "trust_path" }, "ann");
    await object.instanceConnected(connected("late"));
    expect(await instanceOf(object, "c0")).toMatchObject({ keptAway: true });
    expect(await instanceOf(object, "c1")).toMatchObject({ pathTrusted: true });
    expect(await instanceOf(object, "c2")).toBeNull();
  });
});

test("an instance that calls itself as another's label takes nothing from it", async () => {
  const { person, hub } = await newPerson("same-name");
  const label = "one-abcdefghij";
  await hub.instanceConnected(connected("one"));
  await hub.instanceConnected(connected(label));
  expect(await instanceOf(hub, label)).toMatchObject({ clientId: "one" });
  expect(await instanceOf(hub, `${label}-abcdefghij`)).toMatchObject({ clientId: label });
  const calls = await withTunnels(hub, here);
  await hub.act(label, { action: "disconnect" }, "ann");
  expect(calls).toEqual([`keep away ${label}`]);
  const opened = await ask(routes.open(label), { person, headers: { accept: "text/html" } });
  expect(opened.status).toBe(302);
});

test(
  "many instances with many sessions of the longest texts leave the dashboard whole",
  { timeout: 60_000 },
  async () => {
    const { person, hub } = await newPerson("long");
    const sessions = Array.from({ length: 200 }, (_, index) => ({
      ...working(index),
      id: `${index}`,
      title: "\u4e2d".repeat(300),
      project: "\u4e2d".repeat(1024),
    }));
    for (let index = 0; index < 80; index++)
      await hub.instanceConnected(connected(`c${index}`, { sessions }));
    const answer = await ask(routes.dashboard, { person });
    expect(answer.status).toBe(200);
    const page = await answer.text();
    expect(attribute(page, "data-client-id")).toHaveLength(80);
    expect(page).toContain(`title="198 more"`);
    expect((await instanceOf(hub, "c7"))?.sessions).toEqual(sessions);
  },
);
