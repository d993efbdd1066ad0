/** How a version 1 client gets in, both ways, and what makes it give up, try again, or go. */
import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import {
  answered,
  connectVersionOne,
  dialVersionOne,
  METADATA,
  openClient,
  type VersionOneClient,
} from "../../../test/version-one-client.ts";
import { connectFake } from "../../../test/fake-connector.ts";
import { admit, instanceOf, ownerWithToken } from "../../../test/hub.ts";
import { tunnelOf } from "../../../test/viewer.ts";
import { createInstanceToken, issueInstanceToken } from "../../auth/token.ts";
import { revokeToken } from "../../db/tokens.ts";
import { upsertUser } from "../../db/users.ts";
import { UserHub } from "../../user-hub/user-hub.ts";

const OWNER = "github:1";
let token: string;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const hub = () => env.USER_HUB.getByName(OWNER);
const from = (ip: string) => ({ "cf-connecting-ip": ip });
const register = (client_id: string, user_token = token, metadata: object = METADATA) => ({
  type: "register",
  client_id,
  user_token,
  metadata,
});
/** Dials with nothing in the URL; `ip` is a network of its own, so that no test uses up another's attempts. */
const dialBare = async (ip: string) => openClient(await dialVersionOne({}, from(ip)));
const tally = (statuses: number[]) =>
  Object.fromEntries(
    [...new Set(statuses)].map((one) => [one, statuses.filter((status) => status === one).length]),
  );

async function registeredBare(clientId: string, ip: string): Promise<VersionOneClient> {
  const client = await dialBare(ip);
  client.send(register(clientId));
  await answered(client, "registered");
  return client;
}

describe("registering", () => {
  test("with token and client id in the URL", async () => {
    const client = await connectVersionOne(token, "by-url");
    expect(client.received).toEqual([{ type: "registered", success: true }]);
    expect(await instanceOf(hub(), "by-url")).toMatchObject({
      connected: true,
      protocol: 1,
      hostname: "box",
      project: "/srv/shop",
      platform: "linux",
      status: "active",
      sessions: [],
      software: { name: "version 1 client", version: "1.8.0" },
    });
  });

  test("with neither, and the token in the message only; what comes right behind it is not lost", async () => {
    const client = await dialBare("192.0.2.1");
    client.send({ type: "later" });
    client.send(register("by-message"));
    client.send({ type: "status_update", client_id: "by-message", status: "busy" });
    expect(await answered(client, "registered")).toEqual({ type: "registered", success: true });
    await expect.poll(async () => (await instanceOf(hub(), "by-message"))?.status).toBe("busy");
    const row = await env.DB.prepare("SELECT last_client_id FROM tokens").first();
    expect(row).toEqual({ last_client_id: "by-message" });
  });

  test("with what forks leave out, and more than they should", async () => {
    const bare = openClient(await dialVersionOne({ token, client_id: "sparse" }));
    bare.send({ type: "register" });
    expect(await answered(bare, "registered")).toEqual({ type: "registered", success: true });
    expect(await instanceOf(hub(), "sparse")).toMatchObject({ hostname: "", project: "", status: "idle" });
    const odd = { hostname: "h".repeat(5000), project: null, status: "thinking", version: 3, extra: [{}] };
    const rich = openClient(await dialVersionOne({ token, client_id: "rich" }));
    rich.send({ ...register("rich", token, odd), capabilities: ["everything"] });
    expect(await answered(rich, "registered")).toEqual({ type: "registered", success: true });
    expect(await instanceOf(hub(), "rich")).toMatchObject({ hostname: "h".repeat(255), status: "idle" });
  });

  test("does not make a version 2 connector's dial one of version 1", async () => {
    const later = await dialVersionOne({ client_id: "x" }, { "sec-websocket-protocol": "orchestrator.v3" });
    expect(later.status).toBe(426);
    expect((await dialVersionOne({ client_id: "x" }, { authorization: `Bearer ${token}` })).status).toBe(426);
    expect((await dialVersionOne({ token, client_id: "x" }, { upgrade: "" })).status).toBe(426);
  });
});

describe("a client that cannot be let in until a person helps is told to give up", () => {
  const refusal = async (client: VersionOneClient, clientId: string, text: string) => {
    client.send(register(clientId, text));
    const { success, message } = await answered(client, "registered");
    return { success, message, code: await client.closed };
  };

  test("a token that is not good, in the URL or in the message", async () => {
    const revoked = await issueInstanceToken(env.DB, { userId: OWNER, name: "test" });
    await revokeToken(env.DB, { id: revoked.row.id, userId: OWNER });
    const admin = await issueInstanceToken(env.DB, { userId: OWNER, name: "test", scopes: ["admin"] });
    for (const [text, message] of [
      ["orc_x", "This is no token of a hub, or a part of it is missing."],
      [await createInstanceToken(), "This hub does not know the token."],
      [revoked.text, "The token was revoked."],
      [admin.text, "The token is not for instances: it lacks the scope connect."],
    ] as const) {
      const wanted = { success: false, message, code: 4401 };
      const byUrl = await dialVersionOne({ token: text, client_id: "bad" }, from("192.0.2.10"));
      expect(await refusal(openClient(byUrl), "bad", text)).toEqual(wanted);
      expect(await refusal(await dialBare("192.0.2.11"), "bad", text)).toEqual(wanted);
    }
    expect(await instanceOf(hub(), "bad")).toBeNull();
  });

  test("without a token, without a client id, with one that is none, with another than in the URL", async () => {
    const missing = "register: a user_token and a client_id are needed, there or in the URL.";
    for (const [query, message, why] of [
      [{}, { type: "register", client_id: "a" }, missing],
      [{}, { type: "register", user_token: token }, missing],
      [{}, { type: "register", user_token: token, client_id: "my laptop" }, /^register: client_id/],
      [{ token, client_id: "my laptop" }, { type: "register" }, /^client_id: 1 to 128/],
      [{ token, client_id: "named" }, register("other"), /differs/],
      [{ token, client_id: "named" }, { type: "register", user_token: 7 }, /^register: user_token/],
    ] as const) {
      const client = openClient(await dialVersionOne(query, from("192.0.2.12")));
      client.send(message);
      expect(await answered(client, "registered")).toMatchObject({
        success: false,
        message: typeof why === "string" ? why : (expect.stringMatching(why) as unknown),
      });
      expect(await client.closed).toBe(4401);
    }
  });
});

describe("a client that may be let in later tries again", () => {
  test("whose owner may not use the hub now", async () => {
    await upsertUser(env.DB, { id: "github:404", login: "left", name: "Left" });
    const { text } = await issueInstanceToken(env.DB, { userId: "github:404", name: "test" });
    const admission = vi.spyOn(UserHub.prototype, "admission");
    admission.mockResolvedValue({ admitted: false, reason: "not_a_member" });
    const byUrl = await dialVersionOne({ token: text, client_id: "left" }, from("192.0.2.20"));
    expect([byUrl.status, byUrl.headers.get("retry-after")]).toEqual([403, "300"]);
    const client = await dialBare("192.0.2.20");
    client.send(register("left", text));
    expect(await client.closed).toBe(4503);
    expect(client.received).toEqual([
      { type: "error", message: expect.stringContaining("may not use this hub now") as unknown },
    ]);
    await admit("github:404");
    expect((await dialVersionOne({ token: text, client_id: "left" })).status).toBe(101);
  });

  test("that its owner has sent away, until it is let back, across evictions", async () => {
    const client = await registeredBare("away", "192.0.2.21");
    const tunnel = await tunnelOf(OWNER, "away");
    await tunnel.keepAway(OWNER, "Its owner has disconnected this instance.");
    expect(await client.closed).toBe(4410);
    expect(client.of("command")).toEqual([{ type: "command", command: "disconnect" }]);
    for (let round = 0; round < 2; round++) {
      const refused = await dialVersionOne({ token, client_id: "away" });
      // Read, because an object with an answer on its way is not evicted.
      expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining("disconnected")]);
      const again = await dialBare("192.0.2.21");
      again.send(register("away"));
      expect(await again.closed).toBe(4410);
      expect(again.of("registered")).toEqual([]);
      expect(again.of("error")).toHaveLength(1);
      await evictDurableObject(tunnel);
    }
    await tunnel.letBack(OWNER);
    await registeredBare("away", "192.0.2.21");
    expect(await instanceOf(hub(), "away")).toMatchObject({ connected: true });
  });

  test("that dials too often", async () => {
    const dials = Array.from({ length: 30 }, () => dialVersionOne({ token, client_id: "storm" }));
    const answers = await Promise.all(dials);
    expect(tally(answers.map(({ status }) => status))).toEqual({ 101: 20, 429: 10 });
    const late = await dialBare("192.0.2.22");
    late.send(register("storm"));
    expect(await late.closed).toBe(4429);
  });
});

describe("limits", () => {
  test("bad tokens of one place are counted exactly, in the URL and in messages together; a good one is let in beside them", async () => {
    const here = from("192.0.2.30");
    const bad = await createInstanceToken();
    const byUrl = await Promise.all(
      Array.from({ length: 15 }, () => dialVersionOne({ token: bad, client_id: "bad" }, here)),
    );
    expect(tally(byUrl.map(({ status }) => status))).toEqual({ 101: 15 });
    const codes = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const client = openClient(await dialVersionOne({}, here));
        client.send(register("bad", bad));
        return client.closed;
      }),
    );
    expect(tally(codes)).toEqual({ 4401: 5, 4429: 5 });
    expect((await dialVersionOne({ token: bad, client_id: "bad" }, here)).status).toBe(429);
    expect((await dialVersionOne({ token, client_id: "beside" }, here)).status).toBe(101);
    await registeredBare("beside-2", "192.0.2.30");
  });

  test("no more than 60 of a place may be open without anybody knowing whose they are", async () => {
    const here = from("192.0.2.31");
    const dials = await Promise.all(Array.from({ length: 65 }, () => dialVersionOne({}, here)));
    expect(tally(dials.map(({ status }) => status))).toEqual({ 101: 60, 429: 5 });
    expect(dials.find(({ status }) => status === 429)?.headers.get("retry-after")).toBe("10");
    expect((await dialVersionOne({ token, client_id: "by-url-2" }, here)).status).toBe(101);
    expect((await dialVersionOne({}, from("192.0.2.32"))).status).toBe(101);
  });

  test("whoever is held open to be told to give up counts among them, whatever it is for", async () => {
    const { text } = await issueInstanceToken(env.DB, { userId: OWNER, name: "test", scopes: ["admin"] });
    for (const [ip, query] of [
      ["192.0.2.35", { token, client_id: "a b" }],
      ["192.0.2.36", { token: text, client_id: "x" }],
    ] as const) {
      const dials = await Promise.all(Array.from({ length: 65 }, () => dialVersionOne(query, from(ip))));
      expect(tally(dials.map(({ status }) => status))).toEqual({ 101: 60, 429: 5 });
    }
  });

  test("no page in a browser dials, or uses up what its address may", async () => {
    for (const origin of ["https://evil.example", "null", "http://hub.localhost:8787"])
      for (const query of [{}, { token, client_id: "page" }])
        expect((await dialVersionOne(query, { ...from("192.0.2.37"), origin })).status).toBe(403);
  });

  test("who says nothing, or not enough, is closed after ten seconds", { timeout: 20_000 }, async () => {
    const silent = [
      await dialBare("192.0.2.33"),
      openClient(await dialVersionOne({ token: "orc_x", client_id: "x" }, from("192.0.2.33"))),
      openClient(await dialVersionOne({ token, client_id: "silent" })),
    ];
    silent[0]?.send({ type: "ping", client_id: "x" });
    const began = performance.now();
    expect(await Promise.all(silent.map(({ closed }) => closed))).toEqual([4408, 4408, 4408]);
    expect(performance.now() - began).toBeGreaterThan(8000);
    expect(silent.map(({ received }) => received.map(({ type }) => type))).toEqual([
      ["error"],
      ["error"],
      ["error"],
    ]);
  });

  test("who talks much before it is known, or binary, or no JSON, is closed", async () => {
    const many = Array.from({ length: 40 }, () => JSON.stringify({ type: "later" }));
    for (const [said, code] of [
      [["x".repeat(70_000)], 4413],
      [many, 4413],
      [["garbage"], 4400],
      [["[]"], 4400],
      [[new ArrayBuffer(8)], 4400],
    ] as const) {
      const client = await dialBare("192.0.2.34");
      for (const one of said) client.send(one);
      expect(await client.closed).toBe(code);
    }
  });
});

describe("one who is in", () => {
  test("gives way to the newest of its name, whatever version that speaks, and the newest stays", async () => {
    const first = await connectVersionOne(token, "newest");
    const second = await registeredBare("newest", "192.0.2.40");
    expect(await first.closed).toBe(4409);
    expect(first.of("error")).toHaveLength(1);
    const third = await connectFake(token, "newest");
    expect(await second.closed).toBe(4409);
    expect(await instanceOf(hub(), "newest")).toMatchObject({ connected: true, protocol: 2 });
    const fourth = await connectVersionOne(token, "newest");
    expect(await third.closed).toBe("replaced");
    expect(await instanceOf(hub(), "newest")).toMatchObject({ connected: true, protocol: 1 });
    fourth.socket.close(1000, "");
    await expect.poll(async () => (await instanceOf(hub(), "newest"))?.goneReason).toBe("stopped");
  });

  test("is told to give up where two programs of one name replace each other again and again, the older first", async () => {
    const heard: { type: unknown; code: number }[] = [];
    let current = await connectVersionOne(token, "contested");
    for (let round = 0; round < 5; round++) {
      const next = await connectVersionOne(token, "contested");
      const code = await current.closed;
      heard.push({ type: current.received.at(-1)?.["type"], code });
      if (round === 1)
        await evictDurableObject(await tunnelOf(OWNER, "contested"), { webSockets: "hibernate" });
      current = next;
    }
    const [again, givesUp] = [
      { type: "error", code: 4409 },
      { type: "registered", code: 4401 },
    ];
    expect(heard).toEqual([again, again, again, givesUp, givesUp]);
    expect(await instanceOf(hub(), "contested")).toMatchObject({ connected: true });
  });

  test("looks again when it is asked to", async () => {
    const client = await registeredBare("refreshed", "192.0.2.41");
    expect(await hub().act("refreshed", { action: "refresh" }, "ann")).toHaveProperty("done");
    expect(await answered(client, "command")).toEqual({ type: "command", command: "refresh_status" });
  });

  test("gives up when its token is revoked", async () => {
    const other = await issueInstanceToken(env.DB, { userId: OWNER, name: "test" });
    const client = await connectVersionOne(other.text, "revoked");
    await hub().tokenRevoked(other.row.id);
    expect(await client.closed).toBe(4403);
    expect(client.of("registered").at(-1)).toMatchObject({ success: false });
  });

  test("is gone when its socket is, held by the Worker or not", async () => {
    const relayed = await registeredBare("gone", "192.0.2.42");
    relayed.socket.close(1001, "bye");
    await expect.poll(async () => (await instanceOf(hub(), "gone"))?.connected).toBe(false);
  });
});
