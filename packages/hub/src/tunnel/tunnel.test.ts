/** The Tunnel in workerd: who may register, who may look, and what survives when the object is evicted. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { issueInstanceToken } from "../auth/token.ts";
import { createSession, deleteSessions } from "../db/sessions.ts";
import { upsertUser } from "../db/users.ts";
import { instanceLabel } from "../origins.ts";
import { admit, instanceOf, instancesOf } from "../../test/hub.ts";
import { connectFake, dial, registerMessage } from "../../test/fake-connector.ts";
import {
  openWebSocket as openAs,
  tunnelOf as tunnelAs,
  view as viewAs,
  type ViewerRequest,
} from "../../test/viewer.ts";
import { encodeControl, type Stream } from "@ai-orchestrator/protocol";
import { attach, attachmentOf, SocketTag } from "./attachments.ts";

const OWNER = "github:1";
let token: string;
let tokenId: string;

beforeAll(async () => {
  await upsertUser(env.DB, { id: OWNER, login: "ann", name: "Ann" }, Date.now());
  await admit(OWNER);
  await upsertUser(env.DB, { id: "github:2", login: "bob", name: "Bob" }, Date.now());
  ({
    text: token,
    row: { id: tokenId },
  } = await issueInstanceToken(env.DB, { userId: OWNER, name: "test" }));
});

/** A request of a signed-in viewer to an instance. */
const view = (clientId: string, path: string, init?: ViewerRequest) => viewAs(OWNER, clientId, path, init);
const openWebSocket = (clientId: string) => openAs(OWNER, clientId);
const tunnelOf = (clientId: string) => tunnelAs(OWNER, clientId);

describe("registering", () => {
  it.each([
    ["no token", { authorization: "" }, 401],
    ["an unknown token", { authorization: `Bearer orc_${"x".repeat(49)}` }, 401],
    ["no subprotocol", { "sec-websocket-protocol": "" }, 426],
  ])("refuses %s", async (_what, headers, status) => {
    const response = await dial(token, "refused", headers);
    expect(response.status).toBe(status);
    expect(await response.json()).toHaveProperty("error.message");
  });

  it("refuses a client_id that is not one", async () => {
    for (const id of ["", "a b", "x".repeat(129), "é"]) expect((await dial(token, id)).status).toBe(400);
  });

  it("tells the connector where people open it, and the UserHub that it is there", async () => {
    const connector = await connectFake(token, "My-Laptop");
    const label = await instanceLabel(OWNER, "My-Laptop");
    expect(connector.received[0]).toMatchObject({
      type: "registered",
      instance: { label, url: `http://${label}.hub.localhost:8787` },
    });
    expect(label).toMatch(/^my-laptop-[a-z2-7]{10}$/);
    await expect
      .poll(async () => (await instancesOf(env.USER_HUB.getByName(OWNER))).map((instance) => instance.label))
      .toContain(label);
  });

  it("ends a connection whose messages are malformed, out of order or foreign", async () => {
    for (const message of [
      "not json",
      "{}",
      '{"type":"register"}',
      encodeControl({ type: "status_update", status: "idle", sessions: [] }),
      encodeControl(registerMessage("another-id")),
      new Uint8Array([0x30, 0, 0, 0, 0, 0, 0, 1]),
    ]) {
      const socket = (await dial(token, "malformed")).webSocket;
      if (!socket) throw new Error("refused");
      socket.accept();
      const closed = new Promise<number>((resolve) =>
        socket.addEventListener("close", ({ code }) => resolve(code)),
      );
      socket.send(message);
      expect(await closed).toBe(4400);
    }
  });

  it("refuses a protocol version it does not speak", async () => {
    const socket = (await dial(token, "versions")).webSocket;
    socket?.accept();
    const closed = new Promise<number>((resolve) =>
      socket?.addEventListener("close", ({ code }) => resolve(code)),
    );
    socket?.send(encodeControl({ ...registerMessage("versions"), protocol: 3 }));
    expect(await closed).toBe(4426);
  });

  it("the newest connection wins and the older is told so", async () => {
    const older = await connectFake(token, "twice");
    const browser = await openWebSocket("twice");
    await connectFake(token, "twice", {
      http: (stream) => stream.respond({ status: 201, headers: [] }, true),
    });
    expect(await older.closed).toBe("replaced");
    expect(older.received.at(-1)).toMatchObject({ type: "go_away", code: "replaced" });
    expect(await browser.closed).toBe(1012);
    expect((await view("twice", "/")).status).toBe(201);
    await expect.poll(() => connected("twice")).toBe(true);
  });

  it("is replaced also while the object sleeps, and no browser lands on another's stream", async () => {
    await connectFake(token, "asleep-twice", { message: (text, reply) => reply(`old ${text}`) });
    const first = await openWebSocket("asleep-twice");
    first.socket.send("x");
    expect(await first.next()).toBe("old x");
    await evictDurableObject(await tunnelOf("asleep-twice"), { webSockets: "hibernate" });
    const seen: string[] = [];
    await connectFake(token, "asleep-twice", { message: (text) => void seen.push(text) });
    expect(await first.closed).toBe(1012);
    const second = await openWebSocket("asleep-twice");
    second.socket.send("mine");
    await expect.poll(() => seen).toEqual(["mine"]);
  });

  it("a browser's socket of a connection that is gone is closed, whatever its stream's id", async () => {
    await connectFake(token, "orphans", { message: (text, reply) => reply(text) });
    const browser = await openWebSocket("orphans");
    const tunnel = await tunnelOf("orphans");
    await evictDurableObject(tunnel, { webSockets: "hibernate" });
    await runInDurableObject(tunnel, (_instance, state) => {
      for (const socket of state.getWebSockets(SocketTag.viewer)) {
        const attachment = attachmentOf(socket);
        if (attachment?.kind === "viewer") attach(socket, { ...attachment, connectionId: "another" });
      }
    });
    browser.socket.send("for nobody");
    expect(await browser.closed).toBe(1012);
  });

  it("what a dismissed socket still says is not heard", async () => {
    const good = await connectFake(token, "late");
    const first = (await dial(token, "late")).webSocket;
    first?.accept();
    for (let count = 0; count < 4; count++) (await dial(token, "late")).webSocket?.accept();
    first?.send(encodeControl(registerMessage("late")));
    const { text, row } = await issueInstanceToken(env.DB, {
      userId: OWNER,
      name: "revoked while registering",
    });
    const second = (await dial(text, "late")).webSocket;
    second?.accept();
    await (await tunnelOf("late")).disconnectToken(OWNER, row.id);
    second?.send(encodeControl(registerMessage("late")));
    expect((await view("late", "/")).status).toBe(200);
    expect(good.received.filter(({ type }) => type === "go_away")).toEqual([]);
  });

  it("a token is found and revoked in whatever order two connections dialled and registered", async () => {
    const stolen = await issueInstanceToken(env.DB, { userId: OWNER, name: "stolen" });
    const socket = (await dial(stolen.text, "order")).webSocket;
    if (!socket) throw new Error("refused");
    socket.accept();
    const closed = new Promise<number>((resolve) => {
      socket.addEventListener("close", ({ code }) => resolve(code));
    });
    const good = await connectFake(token, "order");
    socket.send(encodeControl(registerMessage("order")));
    expect(await good.closed).toBe("replaced");
    const hub = env.USER_HUB.getByName(OWNER);
    await expect.poll(async () => (await instanceOf(hub, "order"))?.tokenId).toBe(stolen.row.id);
    await hub.tokenRevoked(stolen.row.id);
    expect(await closed).toBe(4403);
  });

  it("a REQUEST from a connector ends its connection: only the hub opens streams", async () => {
    const connector = await connectFake(token, "opens-streams");
    connector.socket.send(new Uint8Array([0x10, 0, 0, 0, 0, 0, 0, 9]));
    expect(await connector.closed).toBe("bad_message");
  });

  it("unregistered sockets are few", async () => {
    const sockets = await Promise.all(
      Array.from({ length: 6 }, async () => (await dial(token, "many")).webSocket),
    );
    const codes = new Set<number>();
    for (const socket of sockets) {
      socket?.addEventListener("close", ({ code }) => codes.add(code));
      socket?.accept();
    }
    await expect.poll(() => [...codes]).toEqual([4429]);
  });

  it("revoking the token closes what is connected with it", async () => {
    const revoked = await issueInstanceToken(env.DB, { userId: OWNER, name: "to revoke" });
    const connector = await connectFake(revoked.text, "revoked");
    const other = await connectFake(token, "kept");
    await (await tunnelOf("revoked")).disconnectToken(OWNER, revoked.row.id);
    await (await tunnelOf("kept")).disconnectToken(OWNER, revoked.row.id);
    expect(await connector.closed).toBe("token_revoked");
    expect((await view("kept", "/")).status).toBe(200);
    expect(other.received.some(({ type }) => type === "go_away")).toBe(false);
    expect(tokenId).not.toBe(revoked.row.id);
  });
});

async function connected(clientId: string): Promise<boolean> {
  const label = await instanceLabel(OWNER, clientId);
  const instances = await instancesOf(env.USER_HUB.getByName(OWNER));
  return instances.find((instance) => instance.label === label)?.connected ?? false;
}

describe("looking", () => {
  it("only its owner sees an instance, whoever signed the cookie", async () => {
    await connectFake(token, "mine");
    expect((await view("mine", "/")).status).toBe(200);
    expect((await view("mine", "/", { user: "github:2" })).status).toBe(404);
    const tunnel = await tunnelOf("mine");
    expect(await tunnel.presence("github:2")).toEqual({ connected: false, provenAt: null });
  });

  it("an instance that is not connected is a 503 with the next step, an unknown label a 404", async () => {
    const connector = await connectFake(token, "leaves");
    connector.socket.close(1000, "stopped");
    await expect
      .poll(async () => (await view("leaves", "/", { headers: { accept: "text/html" } })).status)
      .toBe(503);
    const page = await view("leaves", "/", { headers: { accept: "text/html" } });
    expect(page.headers.get("retry-after")).toBe("5");
    expect(await page.text()).toContain("unreachable");
    expect((await view("never-seen", "/")).status).toBe(404);
  });

  it("an application that does not answer is a page that leads on, without the query", async () => {
    const http = (stream: Stream) => stream.reset("upstream_unreachable");
    await connectFake(token, "app-away", { http });
    const asked = (method: string) =>
      view("app-away", "/deep?secret=canary", { method, headers: { accept: "text/html" } });
    const page = await (await asked("GET")).text();
    expect(page).toContain(`href="">Try again</a>`);
    expect(page).toContain(`href="${env.HUB_ORIGIN}/dashboard">Go to the dashboard</a>`);
    expect(page).not.toContain("canary");
    const posted = await (await asked("POST")).text();
    expect(posted).not.toContain("Try again");
    expect(posted).toContain("Go to the dashboard");
  });

  it("a cookie that is not fresh counts while its sign-in lives, is renewed, and leaves a compressed body as it is", async () => {
    const text = "words ".repeat(1000);
    const zipped = await new Response(
      new Blob([text]).stream().pipeThrough(new CompressionStream("gzip")),
    ).bytes();
    await connectFake(token, "stale", {
      http(stream) {
        stream.respond({ status: 200, headers: [["content-encoding", "gzip"]] });
        stream.write(zipped);
        stream.end();
      },
    });
    const now = Date.now();
    const session = {
      id: "alive",
      secret: "s",
      userId: OWNER,
      userAgent: "",
      ip: null,
      place: null,
      now,
      expiresAt: now + 3_600_000,
    };
    await createSession(env.DB, session);
    const issuedAt = now - 6 * 60_000;
    const renewed = await view("stale", "/", { sessionId: "alive", issuedAt });
    expect(renewed.headers.get("set-cookie")).toMatch(/^__Host-orchestrator-viewer=/);
    expect(await renewed.text()).toBe(text);
    await deleteSessions(env.DB, OWNER, ["alive"]);
    expect((await view("stale", "/", { sessionId: "alive", issuedAt })).status).toBe(401);
    const fresh = await view("stale", "/", { sessionId: "alive" });
    expect(fresh.headers.get("set-cookie")).toBeNull();
  });

  it("without a cookie a person is sent to the hub and a script is refused", async () => {
    const label = await instanceLabel(OWNER, "mine");
    const url = `http://${label}.hub.localhost:8787/deep/link?q=1`;
    const host = new URL(url).host;
    const page = await exports.default.fetch(url, {
      headers: { host, accept: "text/html" },
      redirect: "manual",
    });
    expect(page.status).toBe(302);
    const location = new URL(page.headers.get("location") ?? "");
    expect(location.origin + location.pathname).toBe(`http://hub.localhost:8787/open/${label}`);
    expect(location.searchParams.get("next")).toBe("/deep/link?q=1");
    expect(page.headers.get("set-cookie")).toMatch(/^__Host-orchestrator-nonce=\S+; Path=\/;/);
    const script = await exports.default.fetch(url, { headers: { host } });
    expect(script.status).toBe(401);
  });

  it("a socket without a heartbeat for 90 s is not taken for an instance", async () => {
    const connector = await connectFake(token, "asleep");
    const later = Date.now() + 91_000;
    const clock = vi.spyOn(Date, "now").mockReturnValue(later);
    try {
      const tunnel = await tunnelOf("asleep");
      expect(await tunnel.presence(OWNER)).toEqual({ connected: false, provenAt: null });
    } finally {
      clock.mockRestore();
    }
    expect(await connector.closed).toBe("heartbeat_timeout");
  });
});

describe("eviction", () => {
  it("an open WebSocket outlives the object: the next message each way arrives", async () => {
    let push: ((text: string) => void) | undefined;
    await connectFake(token, "sleeps", {
      message(text, reply) {
        push = reply;
        reply(`echo ${text}`);
      },
    });
    const browser = await openWebSocket("sleeps");
    browser.socket.send("before");
    expect(await browser.next()).toBe("echo before");
    for (const round of [1, 2, 3]) {
      const tunnel = await tunnelOf("sleeps");
      const marked = await runInDurableObject(
        tunnel,
        (instance) => Object.assign(instance, { marked: true }) && true,
      );
      expect(marked).toBe(true);
      await evictDurableObject(tunnel, { webSockets: "hibernate" });
      push?.(`from the instance ${round}`);
      expect(await browser.next()).toBe(`from the instance ${round}`);
      expect(await runInDurableObject(tunnel, (instance) => "marked" in instance)).toBe(false);
      await evictDurableObject(tunnel, { webSockets: "hibernate" });
      browser.socket.send(`from the browser ${round}`);
      expect(await browser.next()).toBe(`echo from the browser ${round}`);
    }
    await evictDurableObject(await tunnelOf("sleeps"), { webSockets: "hibernate" });
    browser.socket.close(4001, "done");
    expect(await browser.closed).toBe(4001);
  });

  it("an open and silent WebSocket lets the object fall asleep by itself", { timeout: 30_000 }, async () => {
    await connectFake(token, "idle", { message: (text, reply) => reply(text) });
    const browser = await openWebSocket("idle");
    browser.socket.send("x".repeat(200_000));
    await browser.next();
    const tunnel = await tunnelOf("idle");
    await runInDurableObject(tunnel, (instance) => Object.assign(instance, { marked: true }) && true);
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    expect(await runInDurableObject(tunnel, (instance) => "marked" in instance)).toBe(false);
    browser.socket.send("still here");
    expect(await browser.next()).toBe("still here");
  });

  it("keeps both windows: more bytes than a window pass over many evictions", async () => {
    await connectFake(token, "windows", { message: (text, reply) => reply(text) });
    const browser = await openWebSocket("windows");
    const message = "x".repeat(100_000);
    for (let round = 0; round < 15; round++) {
      browser.socket.send(message);
      expect((await browser.next()).length).toBe(message.length);
      await evictDurableObject(await tunnelOf("windows"), { webSockets: "hibernate" });
    }
  });

  it("stream ids are not used again", async () => {
    const ids: number[] = [];
    const connector = await connectFake(token, "ids", {
      http(stream) {
        ids.push(stream.id);
        stream.respond({ status: 204, headers: [] }, true);
      },
    });
    for (let round = 0; round < 3; round++) {
      await view("ids", "/");
      await view("ids", "/");
      await evictDurableObject(await tunnelOf("ids"), { webSockets: "hibernate" });
    }
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(new Set(ids).size).toBe(6);
    expect(connector.connection.streamCount).toBe(0);
  });

  it("an instance that leaves while the object sleeps closes its browsers' sockets and goes from the registry", async () => {
    const connector = await connectFake(token, "leaves-asleep");
    const browser = await openWebSocket("leaves-asleep");
    await evictDurableObject(await tunnelOf("leaves-asleep"), { webSockets: "hibernate" });
    connector.socket.close(1000, "stopped");
    expect(await browser.closed).toBe(1012);
    await expect.poll(() => connected("leaves-asleep")).toBe(false);
  });

  it("a heartbeat is answered without waking the object and without a frame from it", async () => {
    const connector = await connectFake(token, "heartbeat");
    const tunnel = await tunnelOf("heartbeat");
    await evictDurableObject(tunnel, { webSockets: "hibernate" });
    const pong = new Promise<unknown>((resolve) =>
      connector.socket.addEventListener("message", ({ data }) => resolve(data)),
    );
    connector.socket.send("orchestrator.v2.ping");
    expect(await pong).toBe("orchestrator.v2.pong");
    const { provenAt } = await tunnel.presence(OWNER);
    expect(provenAt).toBeGreaterThan(Date.now() - 1000);
  });

  it("what a socket carries stays far below the platform's 16 KiB", async () => {
    await connectFake(token, "attachments");
    await openWebSocket("attachments");
    await runInDurableObject(await tunnelOf("attachments"), (_instance, state) => {
      for (const socket of state.getWebSockets()) {
        expect(JSON.stringify(attachmentOf(socket)).length).toBeLessThan(1024);
      }
    });
  });
});

describe("hostile connectors", () => {
  it("garbage in binary messages costs streams or the connection, never the hub", async () => {
    // An instance may dial 20 times a minute.
    for (let round = 0; round < 16; round++) {
      const connector = await connectFake(token, "garbage");
      connector.socket.send(crypto.getRandomValues(new Uint8Array(1 + round * 32)));
    }
    await connectFake(token, "garbage");
    expect((await view("garbage", "/")).status).toBe(200);
  });

  it("an early answer ends the rest of its request", async () => {
    const connector = await connectFake(token, "early", {
      http: (stream) => stream.respond({ status: 413, headers: [] }, true),
    });
    for (let round = 0; round < 5; round++) {
      const answer = await view("early", "/", { method: "POST", body: new Uint8Array(700_000) });
      expect(answer.status).toBe(413);
    }
    await expect.poll(() => connector.connection.streamCount).toBe(0);
  });

  it("an answer with an impossible status or header is a 502, and the next request works", async () => {
    await connectFake(token, "nonsense", {
      http(stream, head) {
        if (head.target === "/bad") stream.write(new TextEncoder().encode("data before a head"));
        else stream.respond({ status: 200, headers: [] }, true);
      },
    });
    expect((await view("nonsense", "/bad")).status).toBe(502);
    expect((await view("nonsense", "/")).status).toBe(200);
  });
});
