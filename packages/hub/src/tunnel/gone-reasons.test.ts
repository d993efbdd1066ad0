/** Why an instance is gone, as its owner's UserHub remembers it: each end has a reason of its own. */
import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { HEARTBEAT_PING } from "@ai-orchestrator/protocol";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { connectFake, type FakeConnector } from "../../test/fake-connector.ts";
import { instanceOf, instancesOf, ownerWithToken } from "../../test/hub.ts";
import { tunnelOf, view } from "../../test/viewer.ts";
import { issueInstanceToken } from "../auth/token.ts";
import { UserHub } from "../user-hub/user-hub.ts";
import { proofMaxAgeMs } from "../proof-age.ts";

const OWNER = "github:1";
let token: string;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const hub = () => env.USER_HUB.getByName(OWNER);
const sleep = async (clientId: string) =>
  evictDurableObject(await tunnelOf(OWNER, clientId), { webSockets: "hibernate" });

/** What the registry says of an instance; undefined while it takes it for connected. */
async function goneReason(clientId: string): Promise<string | null | undefined> {
  const instance = await instanceOf(hub(), clientId);
  return instance?.connected === false ? instance.goneReason : undefined;
}

async function connect(clientId: string, by = token): Promise<FakeConnector> {
  const connector = await connectFake(by, clientId);
  await expect.poll(async () => (await instanceOf(hub(), clientId))?.connected).toBe(true);
  return connector;
}

test.each([
  ["a clean exit", 1000, "stopped"],
  ["a page that goes away", 1001, "connection_lost"],
  ["an error", 1011, "connection_lost"],
  ["no code at all", undefined, "connection_lost"],
] as const)("a close for %s, awake or asleep", async (_what, code, reason) => {
  for (const state of ["awake", "asleep"]) {
    const id = `closes-${code}-${state}`;
    const { socket } = await connect(id);
    if (state === "asleep") await sleep(id);
    socket.close(code);
    await expect.poll(() => goneReason(id)).toBe(reason);
  }
});

test("what its owner, its token and its token's end did", async () => {
  const { text, row } = await issueInstanceToken(env.DB, { userId: OWNER, name: "revoked" });
  const expiring = await issueInstanceToken(env.DB, {
    userId: OWNER,
    name: "expires",
    expiresAt: Date.now() + 3_600_000,
  });
  await connect("sent-away");
  await connect("revoked", text);
  await connect("expires", expiring.text);
  await (await tunnelOf(OWNER, "sent-away")).keepAway(OWNER, "Its owner has disconnected this instance.");
  await hub().tokenRevoked(row.id);
  vi.spyOn(Date, "now").mockReturnValue(Date.now() + 3_600_000);
  await runDurableObjectAlarm(await tunnelOf(OWNER, "expires"));
  expect(await goneReason("sent-away")).toBe("disconnected");
  expect(await goneReason("revoked")).toBe("token_revoked");
  expect(await goneReason("expires")).toBe("unauthorized");
});

test("one that another connection replaced is not gone", async () => {
  const gone = vi.spyOn(UserHub.prototype, "instanceGone");
  const first = await connect("replaced");
  await sleep("replaced");
  const second = await connect("replaced");
  expect(await first.closed).toBe("replaced");
  first.socket.close();
  await view(OWNER, "replaced", "/");
  expect(await goneReason("replaced")).toBeUndefined();
  expect(gone).not.toHaveBeenCalled();
  second.socket.close(1000);
  await expect.poll(() => goneReason("replaced")).toBe("stopped");
  expect(gone).toHaveBeenCalledTimes(1);
});

test("silence, found by a dashboard's look: no sign of life since the last one, and nothing else in between", async () => {
  await connect("silent");
  await sleep("silent");
  const since = (await instanceOf(hub(), "silent"))?.heardAt;
  const gone = vi.spyOn(UserHub.prototype, "instanceGone");
  vi.spyOn(Date, "now").mockReturnValue(Date.now() + 91_000);
  await instancesOf(hub());
  await expect.poll(() => goneReason("silent")).toBe("heartbeat_timeout");
  expect((await instanceOf(hub(), "silent"))?.goneAt).toBe(since);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await goneReason("silent")).toBe("heartbeat_timeout");
  // By its Tunnel; what the look itself concludes comes too late.
  expect(gone.mock.calls.filter(([id]) => id === "silent").map(([, , reason]) => reason)[0]).toBe(
    "heartbeat_timeout",
  );
});

test("silence, found by a viewer while a dashboard looks, is the same, however late the UserHub hears of it", async () => {
  await connect("silent-too");
  vi.spyOn(Date, "now").mockReturnValue(Date.now() + 200_000);
  const original = Object.getOwnPropertyDescriptor(UserHub.prototype, "instanceGone")?.value as (
    ...end: Parameters<UserHub["instanceGone"]>
  ) => Promise<void>;
  vi.spyOn(UserHub.prototype, "instanceGone").mockImplementation(async function (this: UserHub, ...end) {
    if (end[2] === "heartbeat_timeout") await new Promise((resolve) => setTimeout(resolve, 200));
    return original.apply(this, end);
  });
  const viewed = view(OWNER, "silent-too", "/", { issuedAt: Date.now() });
  await instancesOf(hub());
  expect((await viewed).status).toBe(503);
  await expect.poll(() => goneReason("silent-too")).toBe("heartbeat_timeout");
});

test("silence, found by asking the connector for its status: nobody was asked", async () => {
  const connector = await connect("not-asked");
  const tunnel = await tunnelOf(OWNER, "not-asked");
  expect(await tunnel.refreshStatus("github:2")).toBe("away");
  expect(await tunnel.refreshStatus(OWNER)).toBe("asked");
  vi.spyOn(Date, "now").mockReturnValue(Date.now() + 91_000);
  expect(await tunnel.refreshStatus(OWNER)).toBe("away");
  expect(await tunnel.inspect(OWNER)).toBeNull();
  await expect.poll(() => goneReason("not-asked")).toBe("heartbeat_timeout");
  expect(await connector.closed).toBe("heartbeat_timeout");
  expect(connector.received.filter(({ type }) => type === "command")).toHaveLength(1);
});

test("the age of a proof can be set to less than 90 seconds, never to more", () => {
  const age = (setting?: string) =>
    proofMaxAgeMs(setting === undefined ? {} : { PROOF_MAX_AGE_SECONDS: setting });
  expect(age()).toBe(90_000);
  expect([age("1"), age("45"), age("90")]).toEqual([1000, 45_000, 90_000]);
  for (const nonsense of ["", "0", "91", "1e9", "-5", "5.5", " 5", "Infinity", "five"])
    expect([nonsense, age(nonsense)]).toEqual([nonsense, 90_000]);
});

test("a proof of a clock that was ahead and was set right proves nothing, and ends no good connection", async () => {
  const { socket } = await connectFake(token, "ahead");
  socket.send(HEARTBEAT_PING);
  const tunnel = await tunnelOf(OWNER, "ahead");
  await expect.poll(async () => (await tunnel.presence(OWNER)).provenAt).toBeGreaterThan(0);
  const now = Date.now() - 3_600_000;
  vi.spyOn(Date, "now").mockReturnValue(now);
  expect(await tunnel.presence(OWNER)).toEqual({ connected: true, provenAt: now - proofMaxAgeMs(env) });
});
