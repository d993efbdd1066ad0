/** What a sign-in has open through a Tunnel ends with it: at once where somebody says so, by alarm where nobody does. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { Stream } from "@ai-orchestrator/protocol";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { connectFake, type FakeApplication, type FakeConnector } from "../../test/fake-connector.ts";
import { admit, ownerWithToken } from "../../test/hub.ts";
import { openWebSocket, tunnelOf, view, type ViewerRequest } from "../../test/viewer.ts";
import { ABSOLUTE_MS, IDLE_MS } from "../auth/session.ts";
import { readViewerCookie } from "../auth/viewer.ts";
import { createSession, deleteSessions } from "../db/sessions.ts";
import { instanceLabel } from "../origins.ts";
import { UserHub } from "../user-hub/user-hub.ts";
import { attachmentOf } from "./attachments.ts";

const OWNER = "github:1";
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
let token: string;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const connect = (clientId: string, application?: FakeApplication): Promise<FakeConnector> =>
  connectFake(token, clientId, application);
const look = (clientId: string, path: string, init?: ViewerRequest) => view(OWNER, clientId, path, init);
/** The status of an answer that is read to its end: an object with one on its way is not evicted. */
async function statusOf(clientId: string, sessionId: string, path = "/"): Promise<number> {
  const answer = await look(clientId, path, { sessionId });
  await answer.text();
  return answer.status;
}
const open = (clientId: string, sessionId: string, issuedAt = Date.now()) =>
  openWebSocket(OWNER, clientId, { sessionId, issuedAt });
const tunnel = (clientId: string) => tunnelOf(OWNER, clientId);
const end = async (clientId: string, ...ids: string[]) => (await tunnel(clientId)).endSessions(OWNER, ids);
const sleep = async (clientId: string) =>
  evictDurableObject(await tunnel(clientId), { webSockets: "hibernate" });
const navigation = { accept: "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
const REMOVAL = /^__Host-orchestrator-viewer=; Path=\/; Max-Age=0;/;

/** Streams forever; `open` has the streams that were begun. */
function streaming(): FakeApplication & { open: Stream[] } {
  const streams: Stream[] = [];
  return {
    open: streams,
    http(stream) {
      streams.push(stream);
      stream.respond({ status: 200, headers: [["content-type", "text/event-stream"]] });
      stream.write(new TextEncoder().encode("data: 1\n\n"));
    },
  };
}

async function firstChunk(response: Response): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  if (!response.body) throw new Error("no body");
  const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("data: 1\n\n");
  return reader;
}

/** What a body goes on with, apart from the comments that the hub writes into one that is silent. */
async function afterComments(body: ReadableStreamDefaultReader<Uint8Array>) {
  for (;;) {
    const read = await body.read();
    if (read.done || new TextDecoder().decode(read.value).replaceAll(":\n\n", "") !== "") return read;
  }
}

describe("a sign-in that ends", () => {
  it("loses its sockets, and no other does", async () => {
    await connect("sockets", { message: (text, reply) => reply(`echo ${text}`) });
    const [mine, also, other] = [
      await open("sockets", "ends"),
      await open("sockets", "ends"),
      await open("sockets", "stays"),
    ];
    await end("sockets", "ends");
    expect(await mine.closed).toBe(1008);
    expect(await also.closed).toBe(1008);
    other.socket.send("still");
    expect(await other.next()).toBe("echo still");
  });

  it("loses them while the object sleeps, too", async () => {
    const connector = await connect("asleep");
    const [mine, other] = [await open("asleep", "ends"), await open("asleep", "stays")];
    await sleep("asleep");
    await end("asleep", "ends");
    expect(await mine.closed).toBe(1008);
    await sleep("asleep");
    other.socket.send("still");
    expect(await other.next()).toBe("still");
    expect(connector.connection.streamCount).toBe(1);
  });

  it("loses its answers in progress, whose upstream is told, and no other does", async () => {
    const application = streaming();
    const connector = await connect("answers", application);
    const mine = await firstChunk(await look("answers", "/", { sessionId: "ends" }));
    const other = await firstChunk(await look("answers", "/", { sessionId: "stays" }));
    await end("answers", "ends");
    await expect(mine.read()).rejects.toThrow();
    await expect.poll(() => connector.connection.streamCount).toBe(1);
    application.open[1]?.write(new TextEncoder().encode("data: 2\n\n"));
    expect(new TextDecoder().decode((await other.read()).value)).toBe("data: 2\n\n");
    await other.cancel();
  });

  it("loses an answer that a slow browser has not read to its end", async () => {
    await connect("slow", {
      http(stream) {
        stream.respond({ status: 200, headers: [] });
        stream.write(new Uint8Array(300_000));
        stream.end();
      },
    });
    const response = await look("slow", "/", { sessionId: "ends" });
    await end("slow", "ends");
    await expect(response.arrayBuffer()).rejects.toThrow();
  });

  it("gets no answer to what it has asked, nor a socket it has asked for", async () => {
    const waiting: Stream[] = [];
    const connector = await connect("waiting", { http: (stream) => void waiting.push(stream) });
    const upload = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array(10));
        return new Promise(() => undefined);
      },
    });
    const asked = [
      look("waiting", "/", { sessionId: "ends" }),
      look("waiting", "/", { sessionId: "ends", method: "POST", body: upload }),
      look("waiting", "/", { sessionId: "ends", headers: navigation }),
    ];
    await expect.poll(() => waiting.length).toBe(3);
    await end("waiting", "ends");
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([401, 401, 302]);
    await expect.poll(() => connector.connection.streamCount).toBe(0);
  });

  it("gets no socket that its instance was about to accept", async () => {
    const connector = await connect("handshake");
    // An instance that does not answer at once.
    const heldBack: { stream: Stream; head: { kind: string } }[] = [];
    await connectFake(token, "handshake-held", {
      webSocket: (stream) => void heldBack.push({ stream, head: { kind: "websocket" } }),
    });
    const asked = look("handshake-held", "/ws", { sessionId: "ends", headers: { upgrade: "websocket" } });
    await expect.poll(() => heldBack.length).toBe(1);
    await end("handshake-held", "ends");
    expect((await asked).status).toBe(401);
    heldBack[0]?.stream.respond({ status: 101, headers: [] });
    expect(await statusOf("handshake-held", "stays")).toBe(200);
    expect(connector.connection.streamCount).toBe(0);
  });

  it("is refused from then on: a page goes to the sign-in, anything else is told, and the cookie goes", async () => {
    await connect("refused");
    await open("refused", "stays");
    await end("refused", "ends");
    const label = await instanceLabel(OWNER, "refused");
    for (const round of ["at once", "after an eviction"]) {
      const page = await look("refused", "/deep?q=1", { sessionId: "ends", headers: navigation });
      expect([round, page.status]).toEqual([round, 302]);
      const location = new URL(page.headers.get("location") ?? "");
      expect(location.origin + location.pathname).toBe(`http://hub.localhost:8787/open/${label}`);
      expect(location.searchParams.get("next")).toBe("/deep?q=1");
      expect(page.headers.getSetCookie()).toContainEqual(expect.stringMatching(REMOVAL));
      for (const init of [{}, { method: "POST", body: "x" }, { headers: { upgrade: "websocket" } }]) {
        const answer = await look("refused", "/", { sessionId: "ends", ...init });
        expect(answer.status).toBe(401);
        expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(REMOVAL)]);
        expect(answer.headers.get("cache-control")).toBe("no-store");
        expect(await answer.json()).toMatchObject({ error: { code: "sign_in_required" } });
      }
      const ready = await look("refused", "/.orchestrator/ready", { sessionId: "ends" });
      expect(ready.status).toBe(401);
      expect(await statusOf("refused", "stays")).toBe(200);
      expect(await statusOf("refused", "stays", "/.orchestrator/ready")).toBe(204);
      await sleep("refused");
    }
  });

  it("is refused also where the instance was away when it ended, and while it is away", async () => {
    const first = await connect("away");
    expect(await statusOf("away", "ends")).toBe(200);
    first.socket.close(1000, "stopped");
    await expect.poll(async () => await statusOf("away", "ends")).toBe(503);
    await end("away", "ends");
    expect(await statusOf("away", "ends")).toBe(401);
    await evictDurableObject(await tunnel("away"));
    await connect("away");
    expect(await statusOf("away", "ends")).toBe(401);
    expect(await statusOf("away", "stays")).toBe(200);
  });

  it("stays refused when the instance connects anew at that moment", async () => {
    await connect("again");
    const mine = await open("again", "ends");
    const again = connect("again");
    await end("again", "ends");
    await again;
    expect([1008, 1012]).toContain(await mine.closed);
    expect(await statusOf("again", "ends")).toBe(401);
  });

  it("ends by its owner's hub only", async () => {
    await connect("foreign");
    const mine = await open("foreign", "s");
    await (await tunnel("foreign")).endSessions("github:2", ["s"]);
    mine.socket.send("still");
    expect(await mine.next()).toBe("still");
    expect((await look("foreign", "/")).status).toBe(200);
    expect(await (await tunnel("foreign")).isReady("github:2", "s")).toBe(false);
  });

  it("is remembered for as long as its cookie may be fresh, and no longer", async () => {
    await connect("pruned");
    const object = await tunnel("pruned");
    const remembered = () =>
      runInDurableObject(object, (_tunnel, { storage }) => [
        ...(storage.kv.get<Map<string, number>>("endedSessions") ?? []),
      ]);
    const now = Date.now();
    const clock = vi.spyOn(Date, "now").mockReturnValue(now);
    await end("pruned", "first");
    const issuedAt = now + 3 * MINUTE_MS;
    const status = async () => (await look("pruned", "/", { sessionId: "first", issuedAt })).status;
    clock.mockReturnValue(now + 6 * MINUTE_MS - 1);
    expect(await status()).toBe(401);
    await end("pruned", "second");
    expect((await remembered()).map(([id]) => id)).toEqual(["first", "second"]);
    clock.mockReturnValue(now + 6 * MINUTE_MS);
    // Past the Tunnel's memory; the instance has sent no heartbeat for as long.
    expect(await status()).toBe(503);
    await end("pruned", "third");
    expect((await remembered()).map(([id]) => id)).toEqual(["second", "third"]);
  });

  it("an instance's answer cannot pass for the hub's own", async () => {
    await connect("pretends", {
      http: (stream) => stream.respond({ status: 200, headers: [["x-orchestrator-signed-out", "1"]] }, true),
    });
    const answer = await look("pretends", "/");
    expect(answer.status).toBe(200);
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  it("costs a request nothing: no read of D1, no row, and one read of the storage in the object's life", async () => {
    await connect("counted");
    await end("counted", "someone");
    await evictDurableObject(await tunnel("counted"), { webSockets: "hibernate" });
    const prepare = vi.spyOn(env.DB, "prepare");
    const changes = async () =>
      runInDurableObject(
        await tunnel("counted"),
        (_tunnel, { storage }) => storage.sql.exec("SELECT total_changes() AS n").one()["n"],
      );
    const reads = await runInDurableObject(await tunnel("counted"), (_tunnel, { storage }) =>
      vi.spyOn(Object.getPrototypeOf(storage.kv) as SyncKvStorage, "get"),
    );
    const before = await changes();
    for (let round = 0; round < 5; round++) expect(await statusOf("counted", "s", `/${round}`)).toBe(200);
    expect(await changes()).toBe(before);
    expect(prepare).not.toHaveBeenCalled();
    expect(reads.mock.calls.map(([key]) => key).toSorted()).toEqual(["access", "endedSessions", "owner"]);
    expect(await alarmOf("counted")).toBeNull();
  });
});

async function alarmOf(clientId: string): Promise<number | null> {
  return runInDurableObject(await tunnel(clientId), (_tunnel, { storage }) => storage.getAlarm());
}

it("nobody has to ask: what was deleted without a word ends by itself", async () => {
  await connect("by-itself");
  const mine = await open("by-itself", "deleted", Date.now() - 5 * MINUTE_MS + 500);
  expect(await mine.closed).toBe(1008);
  expect(await statusOf("by-itself", "deleted")).toBe(401);
});

it("a cookie that is issued anew is as old as the check of its sign-in, however long the answer took", async () => {
  const now = Date.now();
  const clock = vi.spyOn(Date, "now").mockReturnValue(now);
  await connect("renewed", {
    http(stream) {
      clock.mockReturnValue(now + 2 * MINUTE_MS);
      stream.respond({ status: 204, headers: [] }, true);
    },
  });
  const expiresAt = now + ABSOLUTE_MS;
  const nobody = { secret: "renewed", userAgent: "", ip: null, place: null };
  await createSession(env.DB, { id: "renewed", userId: OWNER, now, expiresAt, ...nobody });
  const answer = await look("renewed", "/", { sessionId: "renewed", issuedAt: now - 6 * MINUTE_MS });
  const cookie =
    /^__Host-orchestrator-viewer=([^;]+);/.exec(answer.headers.get("set-cookie") ?? "")?.[1] ?? "";
  const label = await instanceLabel(OWNER, "renewed");
  expect(await readViewerCookie(env, label, cookie)).toMatchObject({ until: now + 5 * MINUTE_MS });
});

describe("asking after sign-ins", () => {
  let now: number;
  let clock: { mockReturnValue(at: number): unknown };
  let admission: {
    mock: { calls: unknown[] };
    mockResolvedValue(value: object): unknown;
    mockReturnValue(value: Promise<object>): unknown;
  };

  beforeEach(async () => {
    now = Date.now();
    clock = vi.spyOn(Date, "now").mockReturnValue(now);
    admission = vi
      .spyOn(UserHub.prototype, "admission")
      .mockResolvedValue({ admitted: true, role: "member" });
    await admit(OWNER, "member", now);
    for (const id of ["one", "two"]) {
      await deleteSessions(env.DB, OWNER, [id]);
      await startSession(id);
    }
  });

  async function startSession(id: string): Promise<void> {
    const expiresAt = now + ABSOLUTE_MS;
    const nobody = { secret: id, userAgent: "", ip: null, place: null };
    await createSession(env.DB, { id, userId: OWNER, now, expiresAt, ...nobody });
  }

  /** Lets the alarm go off at a time of its own. */
  async function wakeAt(clientId: string, at: number): Promise<void> {
    clock.mockReturnValue(at);
    expect(await runDurableObjectAlarm(await tunnel(clientId))).toBe(true);
  }

  it("sets no alarm while nobody has anything open, and none again once nobody has", async () => {
    await connect("idle");
    expect(await statusOf("idle", "one")).toBe(200);
    expect(await alarmOf("idle")).toBeNull();
    const [first, second] = [await open("idle", "one", now), await open("idle", "two", now)];
    expect(await alarmOf("idle")).toBe(now + 5 * MINUTE_MS);
    first.socket.close(1000, "");
    await first.closed;
    expect(await alarmOf("idle")).toBe(now + 5 * MINUTE_MS);
    second.socket.close(1000, "");
    await expect.poll(() => alarmOf("idle")).toBeNull();
    expect(await runDurableObjectAlarm(await tunnel("idle"))).toBe(false);
  });

  it("sets none again after its instance has gone, while the object sleeps too", async () => {
    const connector = await connect("leaves");
    await open("leaves", "one", now);
    await sleep("leaves");
    connector.socket.close(1000, "stopped");
    await expect.poll(() => alarmOf("leaves")).toBeNull();
  });

  it("writes the alarm when the first due changes, not for each socket", async () => {
    await connect("frugal");
    const set = await spyOnAlarm("frugal");
    const sockets = [];
    for (let count = 0; count < 5; count++) sockets.push(await open("frugal", "one", now + count));
    expect(set()).toEqual([now + 5 * MINUTE_MS]);
    for (const { socket, closed } of sockets.slice(1)) {
      socket.close(1000, "");
      await closed;
    }
    expect(set()).toEqual([now + 5 * MINUTE_MS]);
  });

  it("keeps what is good, and comes back when GitHub's answer is too old", async () => {
    await connect("good");
    const mine = await open("good", "one", now);
    for (const [at, next] of [
      [5 * MINUTE_MS, HOUR_MS],
      [HOUR_MS, HOUR_MS + MINUTE_MS],
    ] as const) {
      await sleep("good");
      await wakeAt("good", now + at);
      expect(await alarmOf("good")).toBe(now + next);
    }
    expect(admission.mock.calls).toHaveLength(1);
    mine.socket.send("still");
    expect(await mine.next()).toBe("still");
    // What came from the browser did not bring the old due back.
    expect(await alarmOf("good")).toBe(now + HOUR_MS + MINUTE_MS);
  });

  it("ends what was deleted without a word, refuses it, and keeps the others", async () => {
    await connect("deleted");
    const [mine, other] = [await open("deleted", "one", now), await open("deleted", "two", now)];
    await deleteSessions(env.DB, OWNER, ["one"]);
    await sleep("deleted");
    await wakeAt("deleted", now + 5 * MINUTE_MS);
    expect(await mine.closed).toBe(1008);
    expect(await statusOf("deleted", "one")).toBe(401);
    other.socket.send("still");
    expect(await other.next()).toBe("still");
    expect(await alarmOf("deleted")).toBe(now + HOUR_MS);
  });

  it("closes what nobody could ask after for a quarter of an hour, and refuses nothing that is good again", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    await connect("unchecked");
    const mine = await open("unchecked", "one", now);
    const away = vi.spyOn(env.DB, "prepare").mockImplementation(() => {
      throw new Error("D1 is away");
    });
    await wakeAt("unchecked", now + 5 * MINUTE_MS);
    expect(mine.closeCode()).toBeUndefined();
    await wakeAt("unchecked", now + 20 * MINUTE_MS);
    expect(await mine.closed).toBe(1008);
    away.mockRestore();
    // Let in; only the instance has sent no heartbeat for as long.
    expect(await statusOf("unchecked", "one")).toBe(503);
    expect(await alarmOf("unchecked")).toBeNull();
  });

  it("ends who is not admitted any more", async () => {
    await connect("left");
    const mine = await open("left", "one", now);
    await wakeAt("left", now + 5 * MINUTE_MS);
    expect(await alarmOf("left")).toBe(now + HOUR_MS);
    admission.mockResolvedValue({ admitted: false, reason: "not_a_member" });
    await wakeAt("left", now + HOUR_MS);
    expect(await mine.closed).toBe(1008);
    await expect.poll(() => alarmOf("left")).toBeNull();
  });

  it("is not woken for what it is asking after already", async () => {
    await connect("asking");
    await admit(OWNER, "member", now - HOUR_MS);
    await open("asking", "one", now - 4 * MINUTE_MS);
    const set = await spyOnAlarm("asking");
    const answer = Promise.withResolvers<object>();
    admission.mockReturnValue(answer.promise);
    const woken = wakeAt("asking", now + MINUTE_MS);
    await expect.poll(() => admission.mock.calls.length).toBe(1);
    await open("asking", "two", now + MINUTE_MS);
    answer.resolve({ admitted: true, role: "member" });
    await woken;
    expect(set()).toEqual([now + 2 * MINUTE_MS]);
  });

  it("ends who is idle: a socket that is only open is no use, one whose page sends is", async () => {
    await connect("silent");
    const [silent, talks] = [await open("silent", "one", now), await open("silent", "two", now)];
    const later = now + IDLE_MS - MINUTE_MS;
    await admit(OWNER, "member", later);
    clock.mockReturnValue(later);
    talks.socket.send("hello");
    await talks.next();
    await sleep("silent");
    await wakeAt("silent", later);
    expect(await alarmOf("silent")).toBe(now + IDLE_MS);
    await wakeAt("silent", now + IDLE_MS);
    expect(await silent.closed).toBe(1008);
    expect(talks.closeCode()).toBeUndefined();
    expect(await alarmOf("silent")).toBe(later + HOUR_MS);
  });

  describe("long answers", () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    /** Lets time pass for the object's timers. */
    async function pass(clientId: string, ms: number): Promise<void> {
      clock.mockReturnValue(Date.now() + ms);
      await runInDurableObject(await tunnel(clientId), () => vi.advanceTimersByTime(ms) && undefined);
    }

    it("are asked after, short ones are not", async () => {
      await connect("long", streaming());
      const body = await firstChunk(await look("long", "/", { sessionId: "one", issuedAt: now }));
      await pass("long", MINUTE_MS - 1);
      expect(await alarmOf("long")).toBeNull();
      await pass("long", 1);
      expect(await alarmOf("long")).toBe(now + 5 * MINUTE_MS);
      await wakeAt("long", now + 5 * MINUTE_MS);
      expect(await alarmOf("long")).toBe(now + HOUR_MS);
      await deleteSessions(env.DB, OWNER, ["one"]);
      await wakeAt("long", now + HOUR_MS);
      await expect(afterComments(body)).rejects.toThrow();
      await expect.poll(() => alarmOf("long")).toBeNull();
    });

    it("are long sooner where they are due sooner", async () => {
      await connect("sooner", streaming());
      const issuedAt = now - 5 * MINUTE_MS + 20_000;
      const body = await firstChunk(await look("sooner", "/", { sessionId: "one", issuedAt }));
      await pass("sooner", 19_999);
      expect(await alarmOf("sooner")).toBeNull();
      await pass("sooner", 1);
      expect(await alarmOf("sooner")).toBe(now + 20_000);
      await body.cancel();
    });

    it("take the alarm out when they come to their end", async () => {
      const application = streaming();
      await connect("finishes", application);
      const body = await firstChunk(await look("finishes", "/", { sessionId: "one", issuedAt: now }));
      await pass("finishes", MINUTE_MS);
      expect(await alarmOf("finishes")).toBe(now + 5 * MINUTE_MS);
      application.open[0]?.end();
      expect((await afterComments(body)).done).toBe(true);
      await expect.poll(() => alarmOf("finishes")).toBeNull();
    });

    it("leave no timer behind", async () => {
      await connect("tidy");
      const before = vi.getTimerCount();
      expect(await statusOf("tidy", "one")).toBe(200);
      await expect.poll(() => vi.getTimerCount()).toBe(before);
      // Nor does a request that no frame can carry.
      const headers = { "x-large": "v".repeat(70_000) };
      for (const upgrade of [{}, { upgrade: "websocket" }]) {
        expect((await look("tidy", "/", { headers: { ...headers, ...upgrade } })).status).toBe(413);
        await expect.poll(() => vi.getTimerCount()).toBe(before);
      }
    });
  });

  it("knows whose a socket is by its attachment alone", async () => {
    await connect("labelled");
    await open("labelled", "one", now);
    await runInDurableObject(await tunnel("labelled"), (_tunnel, state) => {
      const [socket] = state.getWebSockets("session:one");
      const attachment = socket && attachmentOf(socket);
      expect(attachment).toMatchObject({
        kind: "viewer",
        sessionId: "one",
        checkAt: now + 5 * MINUTE_MS,
        usedAt: now,
      });
    });
  });

  async function spyOnAlarm(clientId: string): Promise<() => number[]> {
    const times: number[] = [];
    await runInDurableObject(await tunnel(clientId), (_tunnel, { storage }) => {
      const setAlarm = storage.setAlarm.bind(storage);
      storage.setAlarm = (at) => {
        times.push(Number(at));
        return setAlarm(at);
      };
    });
    return () => times;
  }
});
