/** Pairing in workerd: the object and the door, without a connector or a browser. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { pairingFingerprint, parsePairingCode } from "@ai-orchestrator/protocol";
import { beforeEach, describe, expect, test } from "vitest";
import { admit, HUB, signedIn } from "../../test/hub.ts";
import {
  dialPending,
  dialPendingV1,
  openPending,
  openPendingV1,
  pairingOf,
  SAYS,
  startPairing,
} from "../../test/pending.ts";
import { verifyInstanceToken } from "../auth/token.ts";
import { listTokens } from "../db/tokens.ts";
import { randomSecret } from "../secrets.ts";
import type { PairingPerson } from "./contract.ts";
import type { PairingRecord } from "./record.ts";

const from = { ip: "192.0.2.7", place: "Zürich, CH" };
const ann: PairingPerson = { userId: "ann", login: "ann", from };
const bob: PairingPerson = { userId: "bob", login: "bob", from };

beforeEach(async () => {
  await env.DB.batch(["tokens", "audit_log"].map((table) => env.DB.prepare(`DELETE FROM ${table}`)));
  for (const { userId } of [ann, bob]) await signedIn(userId);
});

const recordOf = (code: string) =>
  runInDurableObject(pairingOf(code), (_, { storage }) => storage.kv.get<PairingRecord>("pairing"));

const stored = (code: string) =>
  runInDurableObject(pairingOf(code), async (_, { storage }) => [
    ...storage.kv.list(),
    await storage.getAlarm(),
  ]);

/** Lets its time pass, and its alarm go off. */
async function pass(code: string, change: (record: PairingRecord) => Partial<PairingRecord>): Promise<void> {
  await runInDurableObject(pairingOf(code), (_, { storage }) => {
    const record = storage.kv.get<PairingRecord>("pairing");
    if (record !== undefined) storage.kv.put("pairing", { ...record, ...change(record) });
  });
  await runDurableObjectAlarm(pairingOf(code));
}

async function startVersion1() {
  const pending = await openPendingV1();
  pending.say({ type: "pending_register", hostname: "box", project: "/p", platform: "linux" });
  return { pending, ...(await pending.heard("pending_registered")) };
}

/** Approves in the object itself, whose failure would count as one of the test's if it came by RPC. */
const failed = (stub: ReturnType<typeof pairingOf>, person: PairingPerson) =>
  runInDurableObject(stub, async (object) =>
    object.approve(person).then(
      () => false,
      () => true,
    ),
  );

const audited = async () =>
  (
    await env.DB.prepare("SELECT action, login, subject, reason, ip, place FROM audit_log ORDER BY id").all()
  ).results.filter(({ action }) => action !== "sign_in");

describe("an instance without a token", () => {
  test("has a code, a link and a fingerprint of its secret; approved, it has a token that is good", async () => {
    const { pending, code, url, fingerprint, expires_in: seconds } = await startPairing();
    expect(parsePairingCode(code)).toBe(code);
    expect(url).toBe(`${HUB}/pair?code=${code}`);
    expect(fingerprint).toBe(await pairingFingerprint(pending.secret));
    expect(seconds).toBeGreaterThan(590);

    expect(await pairingOf(code).look("ann")).toMatchObject({
      state: "asks",
      request: {
        code,
        hostname: "buildbox",
        project: "/home/ann/src/shop",
        platform: "linux",
        software: { name: "connector", version: "0.1.0" },
        clientId: "buildbox-abc123",
        fingerprint,
        isWaiting: true,
        names: null,
      },
    });
    expect(await pairingOf(code).approve(ann)).toBe("delivered");
    const { token, client_id: clientId, user } = await pending.heard("token_granted");
    expect([clientId, user]).toEqual(["buildbox-abc123", "ann"]);
    expect(await verifyInstanceToken(env.DB, token)).toMatchObject({
      ok: { userId: "ann", scopes: ["connect"], expiresAt: null },
    });
    pending.say({ type: "token_received" });
    expect((await pending.closed).code).toBe(1000);
    const [row] = await listTokens(env.DB, "ann");
    expect(row?.name).toBe("buildbox");
    expect(await audited()).toEqual([
      {
        action: "pairing_approved",
        login: "ann",
        subject: `buildbox (${fingerprint})`,
        reason: null,
        ...from,
      },
      { action: "token_created", login: "ann", subject: `buildbox (${row?.id})`, reason: "pairing", ...from },
    ]);
  });

  test("leaves nothing in the object from which a token or its secret could be read", async () => {
    const { pending, code } = await startPairing();
    const before = JSON.stringify(await stored(code));
    await pairingOf(code).approve(ann);
    const { token } = await pending.heard("token_granted");
    const after = JSON.stringify(await stored(code));
    for (const text of [before, after]) {
      expect(text).not.toContain(pending.secret);
      expect(text).not.toContain(token);
      expect(text).not.toContain("orc_");
    }
  });

  test("finds its code again with its secret: after a loss, and after the hub has forgotten all but what it stored", async () => {
    const first = await startPairing();
    first.pending.socket.close();
    const second = await startPairing({ secret: first.pending.secret });
    expect(second.code).toBe(first.code);
    await evictDurableObject(pairingOf(first.code));
    const third = await startPairing({ secret: first.pending.secret });
    expect(third.code).toBe(first.code);
    expect(third.expires_in).toBeLessThanOrEqual(first.expires_in);
    expect(await pairingOf(first.code).approve(ann)).toBe("delivered");
    await third.pending.heard("token_granted");
    expect(second.pending.received.map(({ type }) => type)).toEqual(["pending_registered"]);
  });

  test("cannot say of itself later that it is somebody else", async () => {
    const { pending, code } = await startPairing();
    await startPairing({ secret: pending.secret }, { ...SAYS, hostname: "other", client_id: "other" });
    const look = await pairingOf(code).look("ann");
    expect(look).toMatchObject({ request: { hostname: "buildbox", clientId: "buildbox-abc123" } });
  });

  test("gets its token while it sleeps in hibernation, and is woken by nothing else", async () => {
    const { pending, code } = await startPairing();
    await evictDurableObject(pairingOf(code), { webSockets: "hibernate" });
    pending.socket.send("orchestrator.v2.ping");
    expect(await pairingOf(code).approve(ann)).toBe("delivered");
    await pending.heard("token_granted");
  });

  test("has nothing of what people would not see in what it says of itself", async () => {
    const { code } = await startPairing({}, { ...SAYS, hostname: "a\u202eb\u0007c", project: "\u0000/x" });
    expect(await pairingOf(code).look("ann")).toMatchObject({ request: { hostname: "abc", project: "/x" } });
  });
});

describe("approving", () => {
  test("while the connector is away makes no token; it has one when it is back", async () => {
    const { pending, code } = await startPairing();
    pending.socket.close();
    await expect.poll(async () => (await pairingOf(code).look("ann")).state).toBe("asks");
    await expect
      .poll(async () => {
        const look = await pairingOf(code).look("ann");
        return look.state === "asks" && look.request.isWaiting;
      })
      .toBe(false);
    expect(await pairingOf(code).approve(ann)).toBe("waits");
    expect(await listTokens(env.DB, "ann")).toEqual([]);
    await evictDurableObject(pairingOf(code));
    const back = await startPairing({ secret: pending.secret });
    const { token } = await back.pending.heard("token_granted");
    expect(await verifyInstanceToken(env.DB, token)).toHaveProperty("ok");
    expect(await listTokens(env.DB, "ann")).toHaveLength(1);
  });

  test("leaves one good token where the first did not arrive", async () => {
    const { pending, code } = await startPairing();
    await pairingOf(code).approve(ann);
    const { token: lost } = await pending.heard("token_granted");
    pending.socket.close();
    const back = await startPairing({ secret: pending.secret });
    const { token } = await back.pending.heard("token_granted");
    expect(await verifyInstanceToken(env.DB, lost)).toEqual({ refused: "revoked" });
    expect(await verifyInstanceToken(env.DB, token)).toHaveProperty("ok");
    expect(await listTokens(env.DB, "ann")).toHaveLength(1);
  });

  test("by two people at once: one of them wins, and there is one token", async () => {
    const { pending, code } = await startPairing();
    const stub = pairingOf(code);
    const done = await Promise.all([stub.approve(ann), stub.approve(bob), stub.deny(bob), stub.approve(ann)]);
    expect(done.toSorted()).toEqual(["delivered", "none", "none", "none"]);
    const { user } = await pending.heard("token_granted");
    expect(user).toBe(done[0] === "delivered" ? "ann" : "bob");
    expect([...(await listTokens(env.DB, "ann")), ...(await listTokens(env.DB, "bob"))]).toHaveLength(1);
  });

  test("works once: neither the code nor the secret is worth anything afterwards", async () => {
    const { pending, code } = await startPairing();
    await pairingOf(code).approve(ann);
    await pending.heard("token_granted");
    pending.say({ type: "token_received" });
    await pending.closed;
    expect(await pairingOf(code).approve(bob)).toBe("none");
    expect(await pairingOf(code).look("bob")).toEqual({ state: "none" });
    expect(await pairingOf(code).look("ann")).toMatchObject({ state: "approved", isDelivered: true });
    const again = await dialPending({ secret: pending.secret });
    expect([again.status, await again.json()]).toEqual([
      410,
      {
        error: {
          code: "pairing_over",
          message: "This pairing is over. Ask for a new code, with a new secret.",
        },
      },
    ]);
    expect(await listTokens(env.DB, "ann")).toHaveLength(1);
  });

  test.each(["audit_log", "tokens"])(
    "while the database's %s is away is nothing yet: who presses again is heard",
    async (table) => {
      const waiting = [await startPairing(), await startVersion1()] as const;
      await env.DB.prepare(`ALTER TABLE ${table} RENAME TO away`).run();
      for (const { code } of waiting) expect(await failed(pairingOf(code), ann)).toBe(true);
      await env.DB.prepare(`ALTER TABLE away RENAME TO ${table}`).run();
      for (const { code, pending } of waiting) {
        expect(await pairingOf(code).look("bob")).toMatchObject({ state: "asks" });
        expect(await pairingOf(code).approve(ann)).toBe("delivered");
        expect(
          await verifyInstanceToken(env.DB, (await pending.heard("token_granted")).token),
        ).toHaveProperty("ok");
      }
    },
  );

  test("that cannot be carried out when the connector is back has it come again", async () => {
    const { pending, code } = await startPairing();
    pending.socket.close();
    await expect
      .poll(async () => pairingOf(code).look("ann"))
      .toMatchObject({ request: { isWaiting: false } });
    await pairingOf(code).approve(ann);
    await env.DB.prepare("ALTER TABLE tokens RENAME TO away").run();
    const { pending: back } = await startPairing({ secret: pending.secret });
    expect((await back.closed).code).toBe(4500);
    await env.DB.prepare("ALTER TABLE away RENAME TO tokens").run();
    const { pending: again } = await startPairing({ secret: pending.secret });
    expect(await verifyInstanceToken(env.DB, (await again.heard("token_granted")).token)).toHaveProperty(
      "ok",
    );
  });

  test("by somebody who may not use the hub any more when the connector is back gives it nothing", async () => {
    const { pending, code } = await startPairing();
    pending.socket.close();
    await expect
      .poll(async () => pairingOf(code).look("ann"))
      .toMatchObject({ request: { isWaiting: false } });
    await pairingOf(code).approve(ann);
    await env.DB.prepare("UPDATE admissions SET allowed = 0 WHERE user_id = 'ann'").run();
    const back = await openPending({ secret: pending.secret });
    back.say(SAYS);
    expect((await back.heard("authorization_denied")).reason).toContain("may not use this hub");
    expect(await listTokens(env.DB, "ann")).toEqual([]);
    await admit("ann");
  });
});

test("denying tells the connector, writes it down, and is for good", async () => {
  const { pending, code, fingerprint } = await startPairing();
  expect(await pairingOf(code).deny(bob)).toBe("denied");
  expect((await pending.heard("authorization_denied")).reason).toBe("It was denied at the hub.");
  await pending.closed;
  expect(await pairingOf(code).approve(ann)).toBe("none");
  expect(await pairingOf(code).look("bob")).toMatchObject({ state: "denied", hostname: "buildbox" });
  expect((await dialPending({ secret: pending.secret })).status).toBe(410);
  expect(await audited()).toEqual([
    { action: "pairing_denied", login: "bob", subject: `buildbox (${fingerprint})`, reason: null, ...from },
  ]);
});

describe("time", () => {
  test("is ten minutes, kept by an alarm; then it says so, and the code and the secret are worth nothing", async () => {
    const { pending, code } = await startPairing();
    const { since = 0, until } = (await recordOf(code)) ?? {};
    expect(until).toBe(since + 600_000);
    expect((await stored(code)).at(-1)).toBe(until);
    await runDurableObjectAlarm(pairingOf(code));
    expect(pending.received.map(({ type }) => type)).toEqual(["pending_registered"]);

    await pass(code, () => ({ until: Date.now() }));
    expect((await pending.heard("authorization_timeout")).message).toContain("ten minutes");
    expect((await pending.closed).code).toBe(1000);
    expect(await pairingOf(code).look("ann")).toEqual({ state: "none" });
    expect(await pairingOf(code).approve(ann)).toBe("none");
    expect((await dialPending({ secret: pending.secret })).status).toBe(410);
    expect(await listTokens(env.DB, "ann")).toEqual([]);
  });

  test("that is over counts before the alarm has gone off", async () => {
    const { code } = await startPairing();
    await runInDurableObject(pairingOf(code), (_, { storage }) => {
      const record = storage.kv.get<PairingRecord>("pairing");
      storage.kv.put("pairing", { ...record, until: Date.now() });
    });
    expect(await pairingOf(code).look("ann")).toEqual({ state: "none" });
    expect(await pairingOf(code).approve(ann)).toBe("none");
  });

  test("is forgotten a day later, to the last byte", async () => {
    const { code, pending } = await startPairing();
    await pass(code, () => ({ until: Date.now() }));
    await pending.closed;
    await pass(code, () => ({ until: Date.now() - 24 * 60 * 60_000 }));
    expect(await stored(code)).toEqual([null]);
  });

  test("does not wait for what does not say who it is within ten seconds", async () => {
    const secret = randomSecret();
    const pending = await openPending({ secret });
    const { code } = await codeOf(secret);
    const late = Date.now() - 10_000;
    await runInDurableObject(pairingOf(code), (_, state) => {
      const [socket] = state.getWebSockets();
      socket?.serializeAttachment({ ...socket.deserializeAttachment(), openedAt: late });
    });
    await runDurableObjectAlarm(pairingOf(code));
    expect((await pending.closed).code).toBe(4408);
    await expect.poll(() => stored(code)).toEqual([null]);
  });
});

/** What the hub makes of a secret. */
async function codeOf(secret: string): Promise<{ code: string }> {
  const { pairingCodeOf } = await import("@ai-orchestrator/protocol");
  const { signBytes } = await import("../auth/keys.ts");
  return { code: pairingCodeOf(await signBytes(env, "pairing-code", secret)) };
}

describe("the door", () => {
  test("takes 30 new pairings from one place in ten minutes, and those that come back besides", async () => {
    const address = "198.51.100.30";
    const secrets = Array.from({ length: 34 }, () => randomSecret());
    const answers = await Promise.all(secrets.map((secret) => dialPending({ secret, address })));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 101)).toHaveLength(30);
    const refused = answers.find(({ status }) => status === 429);
    expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThan(500);
    for (const { webSocket } of answers) webSocket?.accept();
    const known = secrets[statuses.indexOf(101)] ?? "";
    const back = await dialPending({ secret: known, address });
    expect(back.status).toBe(101);
    back.webSocket?.accept();
    expect((await dialPending({ address: "198.51.100.31" })).status).toBe(101);
    expect((await dialPendingV1("", address)).status).toBe(429);
  });

  test.each([
    ["no secret", { authorization: "" }, 401],
    ["a short secret", { authorization: `Pairing ${"A".repeat(42)}` }, 401],
    ["a token", { authorization: `Bearer orc_${"A".repeat(49)}` }, 401],
    ["another protocol", { "sec-websocket-protocol": "chat" }, 426],
    ["no upgrade", { upgrade: "" }, 426],
    ["a page of somewhere", { origin: "https://evil.example" }, 403],
    ["a page of the hub's own", { origin: HUB }, 403],
  ])("refuses %s", async (_what, headers, status) => {
    const response = await dialPending({ headers });
    expect([response.status, response.webSocket]).toEqual([status, null]);
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  test("lets nobody through who dials one pairing again and again", async () => {
    const secret = randomSecret();
    const statuses = [];
    for (let count = 0; count < 22; count++) {
      const { status, webSocket } = await dialPending({ secret });
      webSocket?.accept();
      statuses.push(status);
    }
    expect(statuses).toEqual([...Array<number>(20).fill(101), 429, 429]);
  });

  test.each([
    ["no JSON", "{"],
    ["bytes", new Uint8Array([1, 2])],
    ["a host name of 300 characters", JSON.stringify({ ...SAYS, hostname: "x".repeat(300) })],
    ["a client id with spaces", JSON.stringify({ ...SAYS, client_id: "a b" })],
    ["that a token has come which was not sent", '{"type":"token_received"}'],
  ])("closes a socket that says %s, and promises it nothing", async (_what, data) => {
    const pending = await openPending();
    pending.socket.send(data);
    expect((await pending.closed).code).toBe(4400);
    const { code } = await codeOf(pending.secret);
    await expect.poll(() => stored(code)).toEqual([null]);
  });

  test("closes a socket that talks and talks", async () => {
    const { pending } = await startPairing();
    for (let count = 0; count < 60; count++) pending.say({ type: "later" });
    expect((await pending.closed).code).toBe(4429);
  });
});

describe("version 1", () => {
  const says = {
    type: "pending_register",
    pending_id: "p-1",
    hostname: "box",
    project: "/p",
    platform: "linux",
  };

  test("says no secret; the hub gives it its client id with the token, and forgets it when it goes", async () => {
    const pending = await openPendingV1();
    pending.say(says);
    const { code, pending_id: pendingId } = await pending.heard("pending_registered");
    expect(pendingId).toBe("p-1");
    pending.say({ type: "ping" });
    expect(await pairingOf(code).look("ann")).toMatchObject({
      request: { fingerprint: null, software: null },
    });
    expect(await pairingOf(code).approve(ann)).toBe("delivered");
    const { client_id: clientId, token } = await pending.heard("token_granted");
    expect(clientId).toMatch(/^box-[a-z]{8}$/);
    expect(await verifyInstanceToken(env.DB, token)).toHaveProperty("ok");
    expect((await pending.closed).code).toBe(1000);

    const left = await openPendingV1();
    left.say(says);
    const { code: other } = await left.heard("pending_registered");
    left.socket.close();
    await expect.poll(() => stored(other)).toEqual([null]);
  });

  test("appears for the people it names, on their dashboards and nowhere else, and goes from there", async () => {
    const pending = await openPendingV1("?user=ANN,somebody");
    pending.say(says);
    const { code } = await pending.heard("pending_registered");
    const asksOf = async (userId: string) => {
      const notices = await env.USER_HUB.getByName(userId).pairings("any");
      return notices === "signed_out" ? [] : notices.map((notice) => notice.code);
    };
    await expect.poll(() => asksOf("ann")).toEqual([code]);
    expect(await asksOf("bob")).toEqual([]);
    await pairingOf(code).deny(ann);
    expect(await asksOf("ann")).toEqual([]);
    expect((await pending.heard("authorization_denied")).reason).toBe("It was denied at the hub.");
  });

  test("cannot flood the dashboard of somebody it names", async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => openPendingV1("?user=bob")));
    for (const pending of all) {
      pending.say(says);
      await pending.heard("pending_registered");
    }
    const hub = env.USER_HUB.getByName("bob");
    const count = async () => (await hub.pairings("any")).length;
    await expect.poll(count).toBe(5);
    for (const pending of all) pending.socket.close();
    await expect.poll(count).toBe(0);
    for (let index = 0; index < 8; index++) {
      const notice = {
        code: `CODE-${index}`,
        hostname: "h",
        project: "p",
        since: 0,
        until: Date.now() + 60_000,
      };
      await hub.pairingAsks(notice);
    }
    // Five of these ten minutes' ten are gone.
    expect(await count()).toBe(5);
    for (let index = 0; index < 8; index++) await hub.pairingOver(`CODE-${index}`);
    await hub.pairingAsks({
      code: "LAST",
      hostname: "h",
      project: "p",
      since: 0,
      until: Date.now() + 60_000,
    });
    expect(await count()).toBe(0);
  });

  test.each([`?user=${"x".repeat(200)}`, `?org=${"x".repeat(200)}`, `?user=${"x,".repeat(30)}`])(
    "is refused with names that are none: %s",
    async (query) => {
      expect((await dialPendingV1(query)).status).toBe(400);
    },
  );
});
