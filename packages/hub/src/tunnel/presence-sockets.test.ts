/** The mark's socket: says whether the instance is connected, sleeps, and ends with the sign-in. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { HEARTBEAT_PING, HEARTBEAT_PONG } from "@ai-orchestrator/protocol";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { connectFake } from "../../test/fake-connector.ts";
import { ownerWithToken } from "../../test/hub.ts";
import { openWebSocket, tunnelOf, view, type ViewerRequest } from "../../test/viewer.ts";
import { createSession, deleteSessions } from "../db/sessions.ts";
import { instanceRoutes } from "../routes.ts";
import { attachmentOf, SocketTag } from "./attachments.ts";
import { Tunnel } from "./tunnel.ts";

const OWNER = "github:1";
const MINUTE_MS = 60_000;
const upgrade = { upgrade: "websocket" };
let token: string;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const ask = (
  clientId: string,
  init: ViewerRequest = { headers: upgrade },
  path: string = instanceRoutes.presence,
) => view(OWNER, clientId, path, init);
const sleep = async (clientId: string) =>
  evictDurableObject(await tunnelOf(OWNER, clientId), { webSockets: "hibernate" });

interface Mark {
  socket: WebSocket;
  /** Everything it was told, in order. */
  said: string[];
  closeCode: () => number | undefined;
}

async function openMark(clientId: string, init: ViewerRequest = {}): Promise<Mark> {
  const { webSocket: socket, status } = await ask(clientId, { ...init, headers: upgrade });
  if (!socket) throw new Error(`refused: ${status}`);
  const said: string[] = [];
  let closeCode: number | undefined;
  socket.addEventListener("message", ({ data }) => void said.push(String(data)));
  socket.addEventListener("close", ({ code }) => void (closeCode = code));
  socket.accept();
  await expect.poll(() => said.length).toBeGreaterThan(0);
  return { socket, said, closeCode: () => closeCode };
}

/** An instance that was there once. */
async function awayInstance(clientId: string): Promise<void> {
  const connector = await connectFake(token, clientId);
  connector.socket.close(1000, "stopped");
  await expect
    .poll(async () => (await (await tunnelOf(OWNER, clientId)).presence(OWNER)).connected)
    .toBe(false);
}

/** Round trips: whatever was sent before has arrived after this. */
async function settled(mark: Mark): Promise<void> {
  const before = mark.said.length;
  mark.socket.send(HEARTBEAT_PING);
  await expect.poll(() => mark.said.length).toBeGreaterThan(before);
  expect(mark.said.pop()).toBe(HEARTBEAT_PONG);
}

describe("what it says", () => {
  it("is where the instance is, at once and on every change, and nothing else", async () => {
    const first = await connectFake(token, "changes");
    const mark = await openMark("changes");
    expect(mark.said).toEqual(["connected"]);
    first.sendStatus({ status: "busy", sessions: [] });
    await view(OWNER, "changes", "/");
    first.socket.close(1000, "stopped");
    await expect.poll(() => mark.said).toEqual(["connected", "away"]);
    await connectFake(token, "changes");
    await expect.poll(() => mark.said).toEqual(["connected", "away", "connected"]);
    // One that takes the other's place is no change.
    const third = await connectFake(token, "changes");
    await settled(mark);
    expect(mark.said).toHaveLength(3);
    await (await tunnelOf(OWNER, "changes")).keepAway(OWNER, "away");
    expect(await third.closed).toBe("disconnected");
    await expect.poll(() => mark.said).toEqual(["connected", "away", "connected", "away"]);
  });

  it("is there while the instance is away, and after the object has slept", async () => {
    await awayInstance("was-here");
    const mark = await openMark("was-here");
    expect(mark.said).toEqual(["away"]);
    await sleep("was-here");
    const connector = await connectFake(token, "was-here");
    await expect.poll(() => mark.said).toEqual(["away", "connected"]);
    await sleep("was-here");
    connector.socket.close(1000, "stopped");
    await expect.poll(() => mark.said).toEqual(["away", "connected", "away"]);
  });

  it("is no older than the proof: who opens it finds out that nobody is behind the connection", async () => {
    await connectFake(token, "silent");
    const before = await openMark("silent");
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 91_000);
    const after = await openMark("silent", { issuedAt: Date.now() });
    expect(after.said).toEqual(["away"]);
    await expect.poll(() => before.said).toEqual(["connected", "away"]);
  });

  it("is made sure of for who looks, also where the object sleeps: an instance that fell silent is away", async () => {
    await connectFake(token, "falls-silent");
    const [looking, other] = [await openMark("falls-silent"), await openMark("falls-silent")];
    await sleep("falls-silent");
    looking.socket.send("look");
    await settled(looking);
    expect(looking.said).toEqual(["connected"]);
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 91_000);
    looking.socket.send("look");
    for (const mark of [looking, other]) await expect.poll(() => mark.said).toEqual(["connected", "away"]);
  });

  it("does not depend on what the page sends: a heartbeat is answered asleep, all else is not heard", async () => {
    await connectFake(token, "talks");
    const mark = await openMark("talks");
    await sleep("talks");
    const message = vi.spyOn(Tunnel.prototype, "webSocketMessage");
    await settled(mark);
    expect(message).not.toHaveBeenCalled();
    for (const noise of ["connected", "{}", "x".repeat(100_000)]) mark.socket.send(noise);
    mark.socket.send(new Uint8Array(1000));
    await settled(mark);
    expect(mark.said).toEqual(["connected"]);
    expect(mark.closeCode()).toBeUndefined();
    expect((await view(OWNER, "talks", "/")).status).toBe(200);
  });

  it(
    "open and silent, it lets the object fall asleep by itself and wakes it for nothing",
    { timeout: 30_000 },
    async () => {
      await connectFake(token, "idle");
      const mark = await openMark("idle");
      const tunnel = await tunnelOf(OWNER, "idle");
      await runInDurableObject(tunnel, (instance) => Object.assign(instance, { marked: true }) && true);
      const alarm = vi.spyOn(Tunnel.prototype, "alarm");
      await new Promise((resolve) => setTimeout(resolve, 12_000));
      expect(await runInDurableObject(tunnel, (instance) => "marked" in instance)).toBe(false);
      expect(alarm).not.toHaveBeenCalled();
      await settled(mark);
    },
  );
});

describe("who may open it", () => {
  it("is whoever may look, from this very origin, by an upgrade; nothing of it reaches the instance", async () => {
    const reached: string[] = [];
    await connectFake(token, "doors", {
      http: (stream, { target }) => {
        reached.push(target);
        stream.respond({ status: 200, headers: [] }, true);
      },
    });
    const status = async (init: ViewerRequest, path?: string) => (await ask("doors", init, path)).status;
    expect(await status({ headers: { ...upgrade, origin: "http://hub.localhost:8787" } })).toBe(403);
    expect(await status({ headers: upgrade, user: "github:2" })).toBe(404);
    expect(await status({})).toBe(404);
    expect(await status({ method: "POST" })).toBe(404);
    expect(await status({ headers: { upgrade: "h2c" } })).toBe(404);
    expect(await status({ headers: upgrade }, "/.orchestrator/other")).toBe(404);
    expect(await status({ headers: upgrade }, "/.orchestrator/presence/more")).toBe(404);
    expect((await ask("never", { headers: upgrade })).status).toBe(404);
    expect(await status({ headers: upgrade, issuedAt: Date.now() - 10 * MINUTE_MS })).toBe(401);
    expect(await status({ headers: upgrade })).toBe(101);
    expect(reached).toEqual([]);
  });

  it("are 64 tabs; one more closes the oldest", async () => {
    await connectFake(token, "crowd");
    const marks: Mark[] = [];
    for (let count = 0; count < 64; count++) marks.push(await openMark("crowd"));
    const [first, second] = marks;
    await new Promise((resolve) => setTimeout(resolve, 5));
    await openMark("crowd");
    await expect.poll(() => first?.closeCode()).toBe(1013);
    await runInDurableObject(await tunnelOf(OWNER, "crowd"), (_, state) => {
      const open = state.getWebSockets(SocketTag.presence).filter(({ readyState }) => readyState === 1);
      expect(open).toHaveLength(64);
      for (const socket of open) expect(JSON.stringify(attachmentOf(socket)).length).toBeLessThan(300);
    });
    if (second) await settled(second);
    expect(second?.closeCode()).toBeUndefined();
  });
});

describe("its sign-in", () => {
  it("takes it along when it ends, asleep too, and no other", async () => {
    await awayInstance("signed-out");
    const [mine, other] = [
      await openMark("signed-out", { sessionId: "ends" }),
      await openMark("signed-out", { sessionId: "stays" }),
    ];
    await sleep("signed-out");
    await (await tunnelOf(OWNER, "signed-out")).endSessions(OWNER, ["ends"]);
    await expect.poll(() => mine.closeCode()).toBe(1008);
    await settled(other);
    const again = await ask("signed-out", { headers: upgrade, sessionId: "ends" });
    expect(again.status).toBe(401);
  });

  it("is asked after by alarm, as for what is proxied; being told is no use of it", async () => {
    const now = Date.now();
    const session = {
      userId: OWNER,
      userAgent: "",
      ip: null,
      place: null,
      now,
      expiresAt: now + 60 * MINUTE_MS,
    };
    for (const id of ["lives", "dies"])
      await createSession(env.DB, { ...session, id, secret: `secret-${id}` });
    await awayInstance("watched");
    const [lives, dies] = [
      await openMark("watched", { sessionId: "lives" }),
      await openMark("watched", { sessionId: "dies" }),
    ];
    const tunnel = await tunnelOf(OWNER, "watched");
    const alarmAt = () => runInDurableObject(tunnel, (_, { storage }) => storage.getAlarm());
    const due = await alarmAt();
    expect(due).toBeGreaterThan(now + 4 * MINUTE_MS);
    await deleteSessions(env.DB, OWNER, ["dies"]);
    await sleep("watched");
    vi.spyOn(Date, "now").mockReturnValue((due ?? 0) + MINUTE_MS);
    expect(await runDurableObjectAlarm(tunnel)).toBe(true);
    await expect.poll(() => dies.closeCode()).toBe(1008);
    expect(await alarmAt()).toBeGreaterThan(due ?? 0);
    vi.restoreAllMocks();
    const row = await env.DB.prepare("SELECT last_used_at FROM sessions WHERE id = 'lives'").first();
    expect(row).toEqual({ last_used_at: now });
    lives.socket.close(1000, "");
    // Nobody looks any more: nothing is due.
    await expect.poll(alarmAt).toBeNull();
  });

  it("beside a proxied socket of the same tab is asked after once", async () => {
    const now = Date.now();
    await createSession(env.DB, {
      id: "both",
      secret: "secret-both",
      userId: OWNER,
      userAgent: "",
      ip: null,
      place: null,
      now,
      expiresAt: now + 60 * MINUTE_MS,
    });
    await connectFake(token, "both", { message: (text, reply) => reply(`echo ${text}`) });
    const mark = await openMark("both", { sessionId: "both" });
    const browser = await openWebSocket(OWNER, "both", { sessionId: "both" });
    const tunnel = await tunnelOf(OWNER, "both");
    const due = await runInDurableObject(tunnel, (_, { storage }) => storage.getAlarm());
    vi.spyOn(Date, "now").mockReturnValue((due ?? 0) + MINUTE_MS);
    const prepare = vi.spyOn(env.DB, "prepare");
    await runDurableObjectAlarm(tunnel);
    expect(prepare.mock.calls.filter(([sql]) => /FROM sessions/.test(sql))).toHaveLength(1);
    vi.restoreAllMocks();
    browser.socket.send("x");
    expect(await browser.next()).toBe("echo x");
    await settled(mark);
  });
});
