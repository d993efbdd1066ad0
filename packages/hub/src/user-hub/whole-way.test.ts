/** A UserHub, its Tunnels and a connector: what an owner does reaches the connector, and what becomes of it comes back. */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { ActivityEntry } from "../activity.ts";
import { activityOf } from "../../test/dashboards.ts";
import { connectFake, dial, type FakeConnector } from "../../test/fake-connector.ts";
import { instanceOf, ownerWithToken } from "../../test/hub.ts";

const OWNER = "github:1";
let token: string;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const hub = () => env.USER_HUB.getByName(OWNER);

async function connect(clientId: string): Promise<FakeConnector> {
  const connector = await connectFake(token, clientId);
  await vi.waitFor(async () => expect(await instanceOf(hub(), clientId)).toMatchObject({ connected: true }));
  return connector;
}

/** What happened to an instance, the oldest first, in words. */
async function storyOf(clientId: string): Promise<string[]> {
  const entries = await activityOf(hub());
  const words = (entry: ActivityEntry): string => {
    if (entry.kind === "gone") return `gone: ${entry.reason}`;
    return entry.kind === "action" ? `${entry.actor}: ${entry.action}` : entry.kind;
  };
  return entries
    .filter(({ label }) => label.startsWith(`${clientId}-`))
    .map(words)
    .toReversed();
}

const statusOf = async (clientId: string): Promise<number> => {
  const response = await dial(token, clientId);
  response.webSocket?.accept();
  response.webSocket?.close();
  return response.status;
};

describe("an owner", () => {
  test("disconnects an instance, which stays away until it is let back", async () => {
    const connector = await connect("laptop");
    const start = performance.now();
    expect(await hub().act("laptop", { action: "disconnect" }, "ann")).toMatchObject({
      done: { connected: false, keptAway: true, goneReason: "disconnected" },
    });
    expect(performance.now() - start).toBeLessThan(1900);
    expect(await connector.closed).toBe("disconnected");
    expect(await statusOf("laptop")).toBe(403);
    expect(await hub().act("laptop", { action: "let_back" }, "ann")).toMatchObject({
      done: { connected: false, keptAway: false },
    });
    await connect("laptop");
    expect(await instanceOf(hub(), "laptop")).toMatchObject({ connected: true, keptAway: false });
    const story = await storyOf("laptop");
    expect(story.slice(1, 3).toSorted()).toEqual(["ann: disconnect", "gone: disconnected"]);
    expect([story[0], ...story.slice(3)]).toEqual(["connected", "ann: let_back", "connected"]);
  });

  test("forgets an instance that was sent away; should it come back, it is a new one", async () => {
    await connect("desktop");
    await hub().act("desktop", { action: "disconnect" }, "ann");
    expect(await hub().act("desktop", { action: "forget" }, "ann")).toEqual({ done: null });
    expect(await instanceOf(hub(), "desktop")).toBeNull();
    await connect("desktop");
    const entries = await activityOf(hub(), { filter: "connections", text: "project" });
    expect(entries.filter(({ label }) => label.startsWith("desktop-"))[0]).toMatchObject({ isNew: true });
  });

  test("refreshes an instance, whose answer is a proof that it lives", async () => {
    const connector = await connect("server");
    const before = (await instanceOf(hub(), "server"))?.heardAt ?? 0;
    expect(await hub().act("server", { action: "refresh" }, "ann")).toMatchObject({ done: {} });
    await vi.waitFor(() =>
      expect(connector.received.at(-1)).toEqual({ type: "command", command: "refresh_status" }),
    );
    await new Promise((resolve) => setTimeout(resolve, 1100));
    connector.sendStatus({ status: "idle", sessions: [] });
    await vi.waitFor(async () =>
      expect((await instanceOf(hub(), "server"))?.heardAt).toBeGreaterThan(before + 1000),
    );
    expect(await storyOf("server")).toEqual(["connected", "ann: refresh"]);
  });

  test("learns by a refresh that an instance is silent", async () => {
    await connect("frozen");
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 91_000);
    expect(await hub().act("frozen", { action: "refresh" }, "ann")).toEqual({ refused: "unreachable" });
    expect(await instanceOf(hub(), "frozen")).toMatchObject({
      connected: false,
      goneReason: "heartbeat_timeout",
    });
    expect(await storyOf("frozen")).toEqual(["connected", "gone: heartbeat_timeout"]);
  });
});
