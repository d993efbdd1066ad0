/** Connections end when their token does, by the Tunnel's alarm: not before, and with nobody having to ask. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { encodeControl } from "@ai-orchestrator/protocol";
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { connectFake, dial, registerMessage } from "../../test/fake-connector.ts";
import { admit } from "../../test/hub.ts";
import { openWebSocket, tunnelOf, view } from "../../test/viewer.ts";
import { issueInstanceToken } from "../auth/token.ts";
import { upsertUser } from "../db/users.ts";
import { Tunnel } from "./tunnel.ts";

const OWNER = "github:1";
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
let now: number;
let clock: { mockReturnValue(at: number): unknown };

beforeAll(async () => {
  await upsertUser(env.DB, { id: OWNER, login: "ann", name: "Ann" });
  await admit(OWNER);
});
beforeEach(() => {
  now = Date.now();
  clock = vi.spyOn(Date, "now").mockReturnValue(now);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const tunnel = (clientId: string) => tunnelOf(OWNER, clientId);
const sleep = async (clientId: string) =>
  evictDurableObject(await tunnel(clientId), { webSockets: "hibernate" });

async function tokenUntil(expiresAt: number | null): Promise<{ text: string; id: string }> {
  const { text, row } = await issueInstanceToken(env.DB, { userId: OWNER, name: "test", expiresAt });
  return { text, id: row.id };
}

async function alarmOf(clientId: string): Promise<number | null> {
  return runInDurableObject(await tunnel(clientId), (_tunnel, { storage }) => storage.getAlarm());
}

async function wakeAt(clientId: string, at: number): Promise<void> {
  clock.mockReturnValue(at);
  expect(await runDurableObjectAlarm(await tunnel(clientId))).toBe(true);
}

it("a token without an end sets no alarm; one with an end ends its connection then, and tells it what to do", async () => {
  const forever = await tokenUntil(null);
  await connectFake(forever.text, "forever");
  expect(await alarmOf("forever")).toBeNull();

  const { text } = await tokenUntil(now + HOUR_MS);
  const connector = await connectFake(text, "ends");
  expect(await alarmOf("ends")).toBe(now + HOUR_MS);
  await sleep("ends");
  await wakeAt("ends", now + HOUR_MS - 1);
  expect(await alarmOf("ends")).toBe(now + HOUR_MS);
  await wakeAt("ends", now + HOUR_MS);
  expect(await connector.closed).toBe("unauthorized");
  const goodbye = connector.received.at(-1);
  expect(goodbye).toMatchObject({ type: "go_away", code: "unauthorized" });
  expect(goodbye?.type === "go_away" && goodbye.message).toMatch(/has expired.*Tokens page/);
  await expect.poll(() => alarmOf("ends")).toBeNull();
  expect((await view(OWNER, "ends", "/")).status).toBe(503);
});

it("nobody has to ask: it ends by itself", async () => {
  vi.restoreAllMocks();
  const connector = await connectFake((await tokenUntil(Date.now() + 700)).text, "by-itself");
  expect(await connector.closed).toBe("unauthorized");
});

it("an end that no clock of the platform reaches is no end now", async () => {
  const { text } = await tokenUntil(Date.UTC(9999, 0, 1));
  const connector = await connectFake(text, "far");
  const alarm = vi.spyOn(Tunnel.prototype, "alarm");
  expect(await alarmOf("far")).toBe(Date.UTC(2200, 0, 1));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(alarm).not.toHaveBeenCalled();
  expect(connector.received.some(({ type }) => type === "go_away")).toBe(false);
});

it("browsers of an instance whose token ends are told at once", async () => {
  const { text } = await tokenUntil(now + MINUTE_MS);
  await connectFake(text, "with-browser");
  const browser = await openWebSocket(OWNER, "with-browser", { issuedAt: now });
  await wakeAt("with-browser", now + MINUTE_MS);
  expect(await browser.closed).toBe(1012);
});

it("a connection that is gone, or has come anew with another token, wakes nobody", async () => {
  const { text } = await tokenUntil(now + HOUR_MS);
  const connector = await connectFake(text, "gone");
  connector.socket.close(1000, "stopped");
  await expect.poll(() => alarmOf("gone")).toBeNull();

  const former = await connectFake(text, "anew");
  await connectFake((await tokenUntil(now + 2 * HOUR_MS)).text, "anew");
  expect(await former.closed).toBe("replaced");
  await expect.poll(() => alarmOf("anew")).toBe(now + 2 * HOUR_MS);
});

it("a rotated token ends what is connected with it, and nothing else, even while the object sleeps", async () => {
  const [rotated, other] = [await tokenUntil(null), await tokenUntil(null)];
  const connector = await connectFake(rotated.text, "rotated");
  const kept = await connectFake(other.text, "kept");
  const expires = async (clientId: string, at: number) =>
    (await tunnel(clientId)).tokenExpires(OWNER, rotated.id, at);
  for (const clientId of ["rotated", "kept"]) await sleep(clientId);
  await (await tunnel("rotated")).tokenExpires("github:2", rotated.id, now);
  for (const clientId of ["rotated", "kept"]) await expires(clientId, now + HOUR_MS);
  expect(await alarmOf("rotated")).toBe(now + HOUR_MS);
  expect(await alarmOf("kept")).toBeNull();
  await sleep("rotated");
  await wakeAt("rotated", now + HOUR_MS);
  expect(await connector.closed).toBe("unauthorized");
  // At once, where that is over.
  await (await tunnel("kept")).tokenExpires(OWNER, other.id, now);
  expect(await kept.closed).toBe("unauthorized");
});

it("what a connection in memory writes of itself does not bring the old end back", async () => {
  const { text, id } = await tokenUntil(null);
  await connectFake(text, "awake");
  await (await tunnel("awake")).tokenExpires(OWNER, id, now + HOUR_MS);
  expect(await (await view(OWNER, "awake", "/")).text()).toBe("hello");
  await sleep("awake");
  await wakeAt("awake", now + MINUTE_MS);
  expect(await alarmOf("awake")).toBe(now + HOUR_MS);
});

it("of two who rotate a token at once the one who lets it live longer does not have the last word", async () => {
  const { text, id } = await tokenUntil(null);
  const connector = await connectFake(text, "shorter");
  const owner = env.USER_HUB.getByName(OWNER);
  await owner.tokenExpires(id, now + MINUTE_MS);
  await owner.tokenExpires(id, now + HOUR_MS);
  expect(await alarmOf("shorter")).toBe(now + MINUTE_MS);
  // One that registers only now is told the same.
  await connectFake(text, "shorter-too");
  await expect.poll(() => alarmOf("shorter-too")).toBe(now + MINUTE_MS);
  await wakeAt("shorter", now + MINUTE_MS);
  expect(await connector.closed).toBe("unauthorized");
});

it("what is due first wakes it: a token before a sign-in, a sign-in before a token", async () => {
  const { text } = await tokenUntil(now + 2 * MINUTE_MS);
  await connectFake(text, "token-first");
  await openWebSocket(OWNER, "token-first", { issuedAt: now });
  expect(await alarmOf("token-first")).toBe(now + 2 * MINUTE_MS);
  await connectFake((await tokenUntil(now + HOUR_MS)).text, "session-first");
  await openWebSocket(OWNER, "session-first", { issuedAt: now });
  expect(await alarmOf("session-first")).toBe(now + 5 * MINUTE_MS);
});

it("whoever still registers is sent away like the rest: by the owner, a revoked and an expired token", async () => {
  const registering = async (text: string, clientId: string) => {
    const { webSocket: socket } = await dial(text, clientId);
    if (!socket) throw new Error("refused");
    socket.accept();
    const closed = new Promise<number>((resolve) => {
      socket.addEventListener("close", ({ code }) => {
        resolve(code);
      });
    });
    return { socket, closed };
  };
  const { text, id } = await tokenUntil(null);
  const disconnected = await registering(text, "disconnected");
  await (await tunnel("disconnected")).disconnect(OWNER, "going_away", "later");
  disconnected.socket.send(encodeControl(registerMessage("disconnected")));
  expect(await disconnected.closed).toBe(4503);
  const revoked = await registering(text, "revoked");
  await (await tunnel("revoked")).disconnectToken(OWNER, id);
  expect(await revoked.closed).toBe(4403);
  const expired = await registering(text, "expired");
  await (await tunnel("expired")).tokenExpires(OWNER, id, now);
  expect(await expired.closed).toBe(4401);
  for (const clientId of ["disconnected", "revoked", "expired"])
    expect((await view(OWNER, clientId, "/")).status).toBe(503);
});
