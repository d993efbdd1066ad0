/** A hub whose clock was ahead and is set right, as after a start without a battery; and instances whose clocks are days off. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { here, newPerson, openPage, withTunnels } from "../../test/dashboards.ts";
import { connected, instanceOf } from "../../test/hub.ts";
import { cardState } from "../instance.ts";

const HOUR_MS = 60 * 60_000;

const session = (id: string, state: "working" | "done" | "failed", since: number) => ({
  id,
  state,
  since,
  project: "/p",
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a hub's clock that is set back", () => {
  test("holds no push up", async () => {
    const { person, hub } = await newPerson("back-push");
    await hub.instanceConnected(connected("one"));
    const page = await openPage(person);
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() + HOUR_MS);
    await hub.instanceStatus("one", { status: "busy", sessions: [], at: Date.now() });
    await vi.waitFor(() => expect(page.messages.at(-1)).toContain(`data-status="busy"`));
    clock.mockRestore();
    await hub.instanceConnected(connected("two"));
    await vi.waitFor(() => expect(page.messages.at(-1)).toContain(`data-client-id="two"`));
  });

  test("keeps nobody from looking after the Tunnels", async () => {
    const { hub } = await newPerson("back-look");
    const asked: string[] = [];
    await withTunnels(hub, (label) => {
      asked.push(label);
      return here();
    });
    await hub.instanceConnected(connected("one"));
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() + HOUR_MS);
    await hub.list("any-session");
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    clock.mockRestore();
    await hub.list("any-session");
    await vi.waitFor(() => expect(asked).toHaveLength(2));
  });

  test("does not make a new connection an old one, nor its reports and proofs", async () => {
    const { hub } = await newPerson("back-connection");
    const now = Date.now();
    const ahead = now + HOUR_MS;
    const clock = vi.spyOn(Date, "now").mockReturnValue(ahead);
    await hub.instanceConnected(connected("one", { connectedAt: ahead }));
    await hub.instanceGone("one", ahead, "connection_lost", ahead + 5);
    clock.mockReturnValue(now);
    await hub.instanceConnected(connected("one", { connectedAt: now }));
    expect(await instanceOf(hub, "one")).toMatchObject({ connected: true, connectedAt: now, heardAt: now });
  });

  test("lets a connection from before it go on", async () => {
    const { hub } = await newPerson("back-goes-on");
    const now = Date.now();
    const ahead = now + HOUR_MS;
    const clock = vi.spyOn(Date, "now").mockReturnValue(ahead);
    await hub.instanceConnected(connected("one", { connectedAt: ahead }));
    clock.mockReturnValue(now);
    await withTunnels(hub, () => ({ connected: true, provenAt: now - 10 }));
    await hub.list("any-session");
    await vi.waitFor(async () => expect(await instanceOf(hub, "one")).toMatchObject({ heardAt: now - 10 }));
    await hub.instanceStatus("one", { status: "busy", sessions: [], at: now });
    expect(await instanceOf(hub, "one")).toMatchObject({ status: "busy", statusSince: now, heardAt: now });
  });
});

describe("an instance whose clock was ahead", () => {
  async function stateOf(hub: Parameters<typeof instanceOf>[0]) {
    const instance = await instanceOf(hub, "one");
    return instance === null ? null : cardState(instance).state;
  }

  test.each(["reports", "connects anew"])(
    "and was set right has what ends afterwards unseen: %s",
    async (how) => {
      const { hub } = await newPerson(`ahead-${how}`);
      const now = Date.now();
      const tell = (state: "working" | "done", since: number) => {
        const said = { status: "idle" as const, sessions: [session("a", state, since)] };
        return how === "reports"
          ? hub.instanceStatus("one", { ...said, at: Date.now() })
          : hub.instanceConnected(connected("one", said));
      };
      await hub.instanceConnected(connected("one"));
      await tell("working", now + 100 * HOUR_MS);
      await tell("done", now + 101 * HOUR_MS);
      expect(await stateOf(hub)).toBe("done");
      await hub.act("one", { action: "mark_seen" }, "ann");
      await tell("done", now + 101 * HOUR_MS);
      expect(await stateOf(hub)).toBe("idle");
      await tell("working", now);
      await tell("done", now + 1000);
      expect(await stateOf(hub)).toBe("done");
      await hub.act("one", { action: "mark_seen" }, "ann");
      expect(await stateOf(hub)).toBe("idle");
    },
  );

  test("and says late what ended before something that was seen", async () => {
    const { hub } = await newPerson("late-end");
    const report = (...sessions: ReturnType<typeof session>[]) =>
      hub.instanceStatus("one", { status: "busy", sessions, at: Date.now() });
    await hub.instanceConnected(connected("one"));
    await report(session("a", "working", 100), session("b", "done", 200));
    await hub.act("one", { action: "mark_seen" }, "ann");
    await report(session("a", "failed", 199), session("b", "done", 200));
    expect(await stateOf(hub)).toBe("failed");
  });

  test("and was restarted shows nothing again that was seen", async () => {
    const { hub } = await newPerson("seen-again");
    const sessions = [session("a", "done", 100), session("b", "failed", 200)];
    await hub.instanceConnected(connected("one", { sessions }));
    await hub.act("one", { action: "mark_seen" }, "ann");
    await hub.instanceConnected(connected("one", { sessions: [] }));
    await hub.instanceConnected(connected("one", { sessions }));
    expect(await stateOf(hub)).toBe("idle");
  });
});
