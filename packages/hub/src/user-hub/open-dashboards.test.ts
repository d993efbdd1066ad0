/** What a sign-in has open ends with it: its dashboards, and what its Tunnels are told of. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { here, newPerson, openPage, withTunnels, type Hub } from "../../test/dashboards.ts";
import { admit, ask, connected, HUB, signedIn, type Person } from "../../test/hub.ts";
import { pageOpenerHeaders } from "../page-socket.ts";
import { routes } from "../routes.ts";
import { ABSOLUTE_MS, IDLE_MS } from "../auth/session.ts";
import { deleteSessions } from "../db/sessions.ts";
import { UserHub } from "./user-hub.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

afterEach(() => {
  vi.restoreAllMocks();
});

/** The id of a person's sign-in. */
const sessionOf = ({ cookie }: Person): string => /-session=([^.]+)\./.exec(cookie)?.[1] ?? "";

const labels = (...names: string[]) => names.map((name) => `${name}-abcdefghij`);

async function openedAt(hub: Hub, sessionId: string, ...instances: string[]): Promise<void> {
  for (const label of labels(...instances)) await hub.opened(sessionId, label, "ann");
}

describe("a sign-in that ends", () => {
  test("closes its dashboards, the sleeping hub's too, and tells the Tunnels it went to once", async () => {
    const { person, hub } = await newPerson("ends");
    const other = await signedIn("ends");
    const [page, otherPage] = [await openPage(person), await openPage(other)];
    const [ended, kept] = [sessionOf(person), sessionOf(other)];
    await openedAt(hub, ended, "one", "two", "one");
    await openedAt(hub, kept, "one", "three");
    await evictDurableObject(hub);
    const calls = await withTunnels(hub, here);
    await hub.sessionsEnded([ended]);
    await vi.waitFor(() => expect(page.closeCode()).toBe(4401));
    expect(otherPage.closeCode()).toBeUndefined();
    expect(calls.toSorted()).toEqual(labels("one", "two").map((label) => `end ${label} ends ${ended}`));
    await hub.sessionsEnded([ended]);
    expect(calls).toHaveLength(2);
  });

  test("several at once are told to each Tunnel in one call", async () => {
    const { hub } = await newPerson("several");
    const calls = await withTunnels(hub, here);
    await openedAt(hub, "first", "one", "two");
    await openedAt(hub, "second", "one");
    await hub.sessionsEnded(["first", "second", "unknown"]);
    expect(calls.toSorted()).toEqual([
      "end one-abcdefghij several first second",
      "end two-abcdefghij several first",
    ]);
  });

  test("a Tunnel that fails is told again, once, and keeps no other from being told", async () => {
    const error = vi.spyOn(console, "error").mockReturnValue();
    const { person, hub } = await newPerson("failing");
    const page = await openPage(person);
    const attempts: string[] = [];
    const calls = await withTunnels(hub, here, (label) => {
      const fails = label.startsWith("never") || label.startsWith("once");
      if (!fails) return {};
      const endSessions = () => {
        attempts.push(label);
        const works = label.startsWith("once") && attempts.filter((one) => one === label).length > 1;
        return works ? Promise.resolve() : Promise.reject(new Error("reset"));
      };
      return { endSessions };
    });
    await openedAt(hub, sessionOf(person), "never", "once", "good");
    await hub.sessionsEnded([sessionOf(person)]);
    await vi.waitFor(() => expect(page.closeCode()).toBe(4401));
    expect(attempts.toSorted()).toEqual(labels("never", "never", "once", "once"));
    expect(calls).toEqual([`end good-abcdefghij failing ${sessionOf(person)}`]);
    expect(error.mock.calls).toEqual([
      ['{"event":"tunnel_not_told","level":"error","label":"never-abcdefghij","error":"Error"}'],
    ]);
  });

  test("nobody waits for a Tunnel that is slow, and it is told all the same", async () => {
    const { person, hub } = await newPerson("slow");
    const slow = Promise.withResolvers<void>();
    const told: string[] = [];
    const calls = await withTunnels(hub, here, (label) =>
      label.startsWith("slow")
        ? { endSessions: (_owner, ids) => slow.promise.then(() => void told.push(...ids)) }
        : {},
    );
    await openedAt(hub, sessionOf(person), "slow", "good");
    const ended = runInDurableObject(hub, (object: UserHub) => object.sessionsEnded([sessionOf(person)]));
    await vi.waitFor(() => expect(calls).toEqual([`end good-abcdefghij slow ${sessionOf(person)}`]));
    await ended;
    expect(told).toEqual([]);
    slow.resolve();
    await vi.waitFor(() => expect(told).toEqual([sessionOf(person)]));
  });

  test("opens nothing any more, whatever cookie of it is still fresh", async () => {
    const { person, hub } = await newPerson("opens-nothing");
    const calls = await withTunnels(hub, here);
    const id = sessionOf(person);
    await hub.sessionsEnded([id]);
    // As a request that was let in a moment before.
    const headers = { upgrade: "websocket", ...pageOpenerHeaders({ id, until: Date.now() + 300_000 }) };
    expect((await hub.fetch(HUB, { headers })).status).toBe(401);
    const upgrade = (protocol: string) =>
      ask(routes.dashboardSocket, { person, headers: { upgrade: protocol, origin: HUB } });
    expect((await upgrade("websocket")).status).toBe(401);
    expect((await upgrade("h2c")).status).toBe(400);
    await openedAt(hub, id, "one");
    await hub.sessionsEnded([id]);
    expect(calls).toEqual([]);
    expect(await hub.list(id)).toBe("signed_out");
    await evictDurableObject(hub);
    expect(await hub.find(id, "one")).toBe("signed_out");
  });

  test("what expired without a word is forgotten some day", async () => {
    const { hub } = await newPerson("forgotten");
    const rows = () =>
      runInDurableObject(hub, (_hub, { storage }) => [
        ...storage.sql.exec("SELECT session_id FROM opened_instances ORDER BY session_id"),
      ]);
    const now = Date.now();
    const clock = vi.spyOn(Date, "now").mockReturnValue(now);
    await openedAt(hub, "old", "one");
    clock.mockReturnValue(now + ABSOLUTE_MS);
    await openedAt(hub, "young", "one");
    await hub.sessionsEnded(["another"]);
    expect(await rows()).toEqual([{ session_id: "young" }]);
  });
});

describe("open dashboards", () => {
  let now: number;
  let clock: { mockReturnValue(at: number): unknown };
  let admission: { mock: { calls: unknown[] }; mockResolvedValue(value: object): unknown };

  beforeEach(() => {
    now = Date.now();
    clock = vi.spyOn(Date, "now").mockReturnValue(now);
    admission = vi
      .spyOn(UserHub.prototype, "admission")
      .mockResolvedValue({ admitted: true, role: "member" });
  });

  const alarmOf = (hub: Hub) => runInDurableObject(hub, (_hub, { storage }) => storage.getAlarm());

  async function wakeAt(hub: Hub, at: number): Promise<void> {
    clock.mockReturnValue(at);
    expect(await runDurableObjectAlarm(hub)).toBe(true);
  }

  test("are asked after as soon as GitHub's answer is too old, however new they are", async () => {
    const { person, hub } = await newPerson("late");
    await admit("late", "member", now - 59 * MINUTE_MS);
    await openPage(person);
    expect(await alarmOf(hub)).toBe(now + MINUTE_MS);
  });

  test("set an alarm, and nobody's do not: an idle hub wakes for nothing", async () => {
    const { person, hub } = await newPerson("alarms");
    await hub.instanceConnected(connected("one"));
    expect((await ask(routes.dashboard, { person })).status).toBe(200);
    expect(await alarmOf(hub)).toBeNull();
    const [first, second] = [await openPage(person), await openPage(person)];
    expect(await alarmOf(hub)).toBe(now + 5 * MINUTE_MS);
    first.close();
    second.close();
    await expect.poll(() => alarmOf(hub)).toBeNull();
    expect(await runDurableObjectAlarm(hub)).toBe(false);
  });

  test("stay open while their sign-in is good, and are asked after when GitHub's answer is too old", async () => {
    const { person, hub } = await newPerson("good");
    const page = await openPage(person);
    await evictDurableObject(hub);
    await wakeAt(hub, now + 5 * MINUTE_MS);
    expect(await alarmOf(hub)).toBe(now + HOUR_MS);
    expect(admission.mock.calls).toHaveLength(0);
    await wakeAt(hub, now + HOUR_MS);
    expect(admission.mock.calls).toHaveLength(1);
    expect(page.closeCode()).toBeUndefined();
  });

  test("close when their sign-in is no more, which its Tunnels are told; others stay", async () => {
    const { person, hub } = await newPerson("no-more");
    const other = await signedIn("no-more");
    const [page, otherPage] = [await openPage(person), await openPage(other)];
    const calls = await withTunnels(hub, here);
    await openedAt(hub, sessionOf(person), "one");
    await deleteSessions(env.DB, "no-more", [sessionOf(person)]);
    await wakeAt(hub, now + 5 * MINUTE_MS);
    await vi.waitFor(() => expect(page.closeCode()).toBe(4401));
    expect(otherPage.closeCode()).toBeUndefined();
    expect(calls).toEqual([`end one-abcdefghij no-more ${sessionOf(person)}`]);
    expect(await alarmOf(hub)).toBe(now + HOUR_MS);
  });

  test("close when their person is not admitted any more", async () => {
    const { person, hub } = await newPerson("left");
    const page = await openPage(person);
    admission.mockResolvedValue({ admitted: false, reason: "not_a_member" });
    await wakeAt(hub, now + 5 * MINUTE_MS);
    expect(page.closeCode()).toBeUndefined();
    await wakeAt(hub, now + HOUR_MS);
    await vi.waitFor(() => expect(page.closeCode()).toBe(4401));
    await expect.poll(() => alarmOf(hub)).toBeNull();
  });

  test("close when nobody has used them for too long: being open is no use, looking is", async () => {
    const { person, hub } = await newPerson("unused");
    const other = await signedIn("unused");
    const [page, used] = [await openPage(person), await openPage(other)];
    const later = now + IDLE_MS - MINUTE_MS;
    await admit("unused", "member", later);
    clock.mockReturnValue(later);
    used.send("look");
    const lastUsed = () =>
      env.DB.prepare("SELECT last_used_at FROM sessions WHERE id = ?")
        .bind(sessionOf(other))
        .first("last_used_at");
    await expect.poll(lastUsed).toBe(later);
    await wakeAt(hub, now + IDLE_MS);
    await vi.waitFor(() => expect(page.closeCode()).toBe(4401));
    expect(used.closeCode()).toBeUndefined();
    // Nor does a look bring back what had ended by then.
    clock.mockReturnValue(later + IDLE_MS);
    used.send("look");
    await vi.waitFor(() => expect(used.closeCode()).toBe(4401));
  });

  test("close when nobody can ask after them for a quarter of an hour, but their sign-in has not ended", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const { person, hub } = await newPerson("unchecked");
    const page = await openPage(person);
    const calls = await withTunnels(hub, here);
    await openedAt(hub, sessionOf(person), "one");
    const away = vi.spyOn(env.DB, "prepare").mockImplementation(() => {
      throw new Error("D1 is away");
    });
    await wakeAt(hub, now + 5 * MINUTE_MS);
    expect(page.closeCode()).toBeUndefined();
    await wakeAt(hub, now + 20 * MINUTE_MS);
    await vi.waitFor(() => expect(page.closeCode()).toBe(4401));
    away.mockRestore();
    expect((await ask(routes.dashboard, { person })).status).toBe(200);
    // Its real end is still told where it went.
    expect(calls).toEqual([]);
    await hub.sessionsEnded([sessionOf(person)]);
    expect(calls).toEqual([`end one-abcdefghij unchecked ${sessionOf(person)}`]);
  });

  test("are looked at with the same check: who is not admitted any more loses them", async () => {
    const { person, hub } = await newPerson("looks");
    const [page, second] = [await openPage(person), await openPage(person)];
    admission.mockResolvedValue({ admitted: false, reason: "not_a_member" });
    clock.mockReturnValue(now + HOUR_MS);
    page.send("look");
    await vi.waitFor(() => expect([page.closeCode(), second.closeCode()]).toEqual([4401, 4401]));
    expect(await hub.list(sessionOf(person))).toBe("signed_out");
  });

  test("are shown proofs while D1 is away: what is open stays open, and who looks sees", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const { person, hub } = await newPerson("looks-on");
    await hub.instanceConnected(connected("one"));
    const page = await openPage(person);
    vi.spyOn(env.DB, "prepare").mockImplementation(() => {
      throw new Error("D1 is away");
    });
    clock.mockReturnValue(now + MINUTE_MS);
    page.send("look");
    await vi.waitFor(() => expect(page.messages.at(-1)).toContain(`data-heard="${now + MINUTE_MS}"`));
    expect(page.closeCode()).toBeUndefined();
  });
});
