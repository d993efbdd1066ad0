/** An instance that its owner has sent away stays away until they let it back, whatever happens in between. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { encodeControl } from "@ai-orchestrator/protocol";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { connectFake, dial, registerMessage } from "../../test/fake-connector.ts";
import { ownerWithToken } from "../../test/hub.ts";
import { tunnelOf, view } from "../../test/viewer.ts";
import { issueInstanceToken } from "../auth/token.ts";
import { revokeToken } from "../db/tokens.ts";
import { SocketTag } from "./attachments.ts";
import { UserHub } from "../user-hub/user-hub.ts";

const OWNER = "github:1";
const MESSAGE = "Its owner has disconnected this instance.";
let token: string;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const keepAway = async (clientId: string, owner = OWNER) =>
  (await tunnelOf(OWNER, clientId)).keepAway(owner, MESSAGE);
const letBack = async (clientId: string, owner = OWNER) => (await tunnelOf(OWNER, clientId)).letBack(owner);
const evict = async (clientId: string) => evictDurableObject(await tunnelOf(OWNER, clientId));
const dialsCounted = async (clientId: string) =>
  runInDurableObject(
    await tunnelOf(OWNER, clientId),
    (_, { storage }) => (storage.kv.get<number[]>("dials") ?? []).length,
  );

/** Of an answer that is read to its end: an object with one on its way is not evicted. */
async function statusOf(clientId: string): Promise<number> {
  const answer = await view(OWNER, clientId, "/");
  await answer.text();
  return answer.status;
}

async function refusalOf(clientId: string, by = token) {
  const response = await dial(by, clientId);
  if (response.webSocket) {
    response.webSocket.accept();
    response.webSocket.close();
    return { status: response.status };
  }
  const { error } = await response.json<{ error: { code: string } }>();
  return { status: response.status, code: error.code, retryAfter: response.headers.get("retry-after") };
}
const SENT_AWAY = { status: 403, code: "disconnected", retryAfter: "60" };

/** A connector that has dialled and not registered. */
async function dialled(clientId: string) {
  const { webSocket: socket } = await dial(token, clientId);
  if (!socket) throw new Error("refused");
  socket.accept();
  const closed = new Promise<number>((resolve) =>
    socket.addEventListener("close", ({ code }) => resolve(code)),
  );
  return { socket, closed };
}

test("is told to leave, and its dials are refused across evictions until it is let back", async () => {
  const connector = await connectFake(token, "away");
  await keepAway("away");
  expect(await connector.closed).toBe("disconnected");
  expect(connector.received.at(-1)).toEqual({ type: "go_away", code: "disconnected", message: MESSAGE });
  expect(await statusOf("away")).toBe(503);
  expect(await refusalOf("away")).toEqual(SENT_AWAY);
  await evict("away");
  expect(await refusalOf("away")).toEqual(SENT_AWAY);
  await letBack("away");
  await evict("away");
  await connectFake(token, "away");
  expect(await statusOf("away")).toBe(200);
});

test("costs nothing while it asks: no dial is counted, no use of its token noted, no UserHub woken", async () => {
  await connectFake(token, "asks");
  const before = await dialsCounted("asks");
  await keepAway("asks");
  const gone = vi.spyOn(UserHub.prototype, "instanceGone");
  const getByName = vi.spyOn(env.USER_HUB, "getByName");
  const prepare = vi.spyOn(env.DB, "prepare");
  for (let count = 0; count < 30; count++) expect(await refusalOf("asks")).toEqual(SENT_AWAY);
  expect(await dialsCounted("asks")).toBe(before);
  expect(getByName).not.toHaveBeenCalled();
  expect(gone).not.toHaveBeenCalled();
  expect(prepare.mock.calls.filter(([sql]) => !/^\s*SELECT/i.test(sql))).toEqual([]);
});

test("leaves also where it has dialled and not registered yet", async () => {
  await connectFake(token, "registering");
  const waiting = await dialled("registering");
  await keepAway("registering");
  expect(await waiting.closed).toBe(4410);
  // What it had on its way then.
  await runInDurableObject(await tunnelOf(OWNER, "registering"), async (instance, state) => {
    for (const socket of state.getWebSockets(SocketTag.connector))
      await instance.webSocketMessage(socket, encodeControl(registerMessage("registering")));
  });
  expect((await (await tunnelOf(OWNER, "registering")).presence(OWNER)).connected).toBe(false);
});

test("a dial that comes at the same moment ends with it, whichever is first", async () => {
  await connectFake(token, "racing");
  const races = Array.from({ length: 6 }, async (_, round) => {
    if (round % 2 === 0) return (await Promise.all([dial(token, "racing"), keepAway("racing")]))[0];
    return (await Promise.all([keepAway("racing"), dial(token, "racing")]))[1];
  });
  for (const response of await Promise.all(races)) {
    if (response.status === 403) continue;
    const socket = response.webSocket;
    if (!socket) throw new Error(`unexpected: ${response.status}`);
    const closed = new Promise<number>((resolve) =>
      socket.addEventListener("close", ({ code }) => resolve(code)),
    );
    socket.accept();
    socket.send(encodeControl(registerMessage("racing")));
    expect(await closed).toBe(4410);
  }
  expect((await (await tunnelOf(OWNER, "racing")).presence(OWNER)).connected).toBe(false);
  expect(await refusalOf("racing")).toEqual(SENT_AWAY);
});

test("a dial while the UserHub is slow to hear of it comes too late", async () => {
  await connectFake(token, "slow");
  const told = Promise.withResolvers<void>();
  vi.spyOn(UserHub.prototype, "instanceGone").mockReturnValue(told.promise);
  const kept = keepAway("slow");
  await expect.poll(async () => (await view(OWNER, "slow", "/")).status).toBe(503);
  expect(await refusalOf("slow")).toEqual(SENT_AWAY);
  told.resolve();
  await kept;
});

test("nobody but its owner sends it away or lets it back, not even before there is one", async () => {
  await letBack("foreign");
  await keepAway("foreign", "github:2");
  const connector = await connectFake(token, "foreign");
  await keepAway("foreign", "github:2");
  expect(connector.received.map(({ type }) => type)).toEqual(["registered"]);
  expect((await view(OWNER, "foreign", "/")).status).toBe(200);
  await keepAway("foreign");
  await letBack("foreign", "github:2");
  expect(await refusalOf("foreign")).toEqual(SENT_AWAY);
});

test("a token revoked meanwhile is refused as such; another token does not bring it back", async () => {
  const [first, second] = [
    await issueInstanceToken(env.DB, { userId: OWNER, name: "first" }),
    await issueInstanceToken(env.DB, { userId: OWNER, name: "second" }),
  ];
  await connectFake(first.text, "revoked");
  await keepAway("revoked");
  await revokeToken(env.DB, { id: first.row.id, userId: OWNER });
  await env.USER_HUB.getByName(OWNER).tokenRevoked(first.row.id);
  expect(await refusalOf("revoked", first.text)).toEqual({
    status: 401,
    code: "unauthorized",
    retryAfter: null,
  });
  expect(await refusalOf("revoked", second.text)).toEqual(SENT_AWAY);
  await letBack("revoked");
  expect((await refusalOf("revoked", first.text)).status).toBe(401);
  expect(await refusalOf("revoked", second.text)).toEqual({ status: 101 });
});
