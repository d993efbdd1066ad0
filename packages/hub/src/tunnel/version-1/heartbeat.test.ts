/** What the heartbeats of version 1 clients cost, and that they prove that a client lives. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { HEARTBEAT_PING, HEARTBEAT_PONG, version1 } from "@ai-orchestrator/protocol";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { connectFake } from "../../../test/fake-connector.ts";
import { ownerWithToken } from "../../../test/hub.ts";
import { installMeter, metered, sum } from "../../../test/meter.ts";
import {
  answered,
  connectVersionOne,
  dialVersionOne,
  METADATA,
  openClient,
  viewPath,
  type VersionOneClient,
} from "../../../test/version-one-client.ts";
import { tunnelOf, view } from "../../../test/viewer.ts";

const OWNER = "github:1";
let token: string;

beforeAll(async () => {
  await installMeter();
  token = await ownerWithToken(OWNER);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const evict = async (clientId: string) =>
  evictDurableObject(await tunnelOf(OWNER, clientId), { webSockets: "hibernate" });

/** Sends a ping and waits for its pong. */
async function ping(client: VersionOneClient, text: string): Promise<void> {
  const before = client.of("pong").length;
  client.send(text);
  await expect.poll(() => client.of("pong").length).toBe(before + 1);
}

async function costOf(pings: () => Promise<void>) {
  const { constructed, calls, rows, d1Rows } = await metered(pings);
  return { constructed, calls: sum(calls), rows: sum(rows), d1Rows };
}
/** Resolves once nothing goes on any more: what a registration leads to comes after its answer. */
async function settled(): Promise<void> {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 400));
  for (;;) {
    const { calls, d1Rows } = await metered(pause);
    if (sum(calls) + d1Rows === 0) return;
  }
}

const NOTHING = { constructed: 0, calls: 0, rows: 0, d1Rows: 0 };

test("as they are specified, not one wakes anybody or writes a row, asleep or awake", async () => {
  const client = await connectVersionOne(token, "beats");
  const text = JSON.stringify({ type: "ping", client_id: "beats" });
  await settled();
  await evict("beats");
  const cost = await costOf(async () => {
    for (let count = 0; count < 20; count++) await ping(client, text);
  });
  expect(cost).toEqual(NOTHING);
  expect(client.of("pong").at(-1)).toEqual({ type: "pong", client_id: "beats" });
});

test("written otherwise, the first wakes and none after it, and none writes a row; the platform keeps the text in its sleep", async () => {
  const client = await connectVersionOne(token, "otherwise");
  const text = '{ "client_id": "otherwise", "type": "ping", "v": 1 }';
  await settled();
  const first = await metered(() => ping(client, text));
  expect(first.calls).toEqual({ "Tunnel.webSocketMessage": 1 });
  expect([sum(first.rows), first.d1Rows]).toEqual([0, 0]);
  for (let round = 0; round < 3; round++) {
    await evict("otherwise");
    expect(await costOf(() => ping(client, text))).toEqual(NOTHING);
    // Woken for another reason, it still knows.
    await (await tunnelOf(OWNER, "otherwise")).presence(OWNER);
    expect(await costOf(() => ping(client, text))).toEqual(NOTHING);
  }
});

test("with a time in each, or too long to be learnt, each wakes, writes nothing, and is answered", async () => {
  const client = await connectVersionOne(token, "timed");
  await settled();
  for (let count = 0; count < 4; count++) {
    await evict("timed");
    // The platform counts bytes.
    const letter = count === 3 ? "ü" : "x";
    const pad = letter.repeat(count === 3 ? 1500 : count * 3000);
    const { calls, rows, d1Rows } = await metered(() =>
      ping(client, JSON.stringify({ type: "ping", client_id: "timed", at: count, pad })),
    );
    expect(calls).toEqual({ "Tunnel.webSocketMessage": 1 });
    expect([sum(rows), d1Rows]).toEqual([0, 0]);
  }
});

test("held by the Worker until it registered, a client's pings are answered like any", async () => {
  const client = openClient(await dialVersionOne({}));
  client.send({ type: "register", client_id: "relayed", user_token: token, metadata: METADATA });
  await answered(client, "registered");
  await settled();
  await evict("relayed");
  const cost = await costOf(() => ping(client, version1.pingText("relayed")));
  expect(cost).toEqual(NOTHING);
});

test(
  "let the object fall asleep by itself, by whichever way the client came in",
  { timeout: 30_000 },
  async () => {
    const direct = await connectVersionOne(token, "sleepy");
    const relayed = openClient(await dialVersionOne({}));
    relayed.send({ type: "register", client_id: "sleepy-relayed", user_token: token, metadata: METADATA });
    await answered(relayed, "registered");
    const clients = { sleepy: direct, "sleepy-relayed": relayed };
    for (const id of Object.keys(clients))
      await runInDurableObject(
        await tunnelOf(OWNER, id),
        (object) => void Object.assign(object, { marked: true }),
      );
    for (let second = 0; second < 12; second++) {
      for (const [id, client] of Object.entries(clients)) await ping(client, version1.pingText(id));
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    for (const id of Object.keys(clients))
      expect(await runInDurableObject(await tunnelOf(OWNER, id), (object) => "marked" in object)).toBe(false);
  },
);

test("prove that the client lives, by whomever they are answered, and their absence that it does not", async () => {
  for (const [clientId, text] of [
    ["proof", version1.pingText("proof")],
    ["proof-by-hand", '{"type":"ping","client_id":"proof-by-hand","at":1}'],
  ] as const) {
    const client = await connectVersionOne(token, clientId);
    const tunnel = await tunnelOf(OWNER, clientId);
    await tunnel.trustPath(OWNER, true);
    const { provenAt: registered } = await tunnel.presence(OWNER);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await ping(client, text);
    await evict(clientId);
    const { connected, provenAt } = await tunnel.presence(OWNER);
    expect(connected).toBe(true);
    expect(Number(provenAt)).toBeGreaterThan(Number(registered));
    const now = Number(provenAt);
    vi.spyOn(Date, "now").mockImplementation(() => now + 89_000);
    expect((await tunnel.presence(OWNER)).connected).toBe(true);
    vi.spyOn(Date, "now").mockImplementation(() => now + 91_000);
    expect((await tunnel.presence(OWNER)).connected).toBe(false);
    expect((await viewPath(OWNER, clientId, "/")).status).toBe(503);
    vi.restoreAllMocks();
    expect(await client.closed).toBe(4504);
    expect(client.of("error")).toHaveLength(1);
  }
});

test("do not take version 2's from a connector that comes after, nor from the marks of pages meanwhile", async () => {
  await connectFake(token, "both");
  const look = async () => {
    const { webSocket } = await view(OWNER, "both", "/.orchestrator/presence", {
      headers: { upgrade: "websocket" },
    });
    webSocket?.accept();
    const heard: string[] = [];
    webSocket?.addEventListener("message", ({ data }) => void heard.push(String(data)));
    return { mark: webSocket, heard };
  };
  const { mark, heard } = await look();
  await connectVersionOne(token, "both");
  await evict("both");
  mark?.send(HEARTBEAT_PING);
  await expect.poll(() => heard.filter((text) => text === HEARTBEAT_PONG).length).toBe(1);
  const connector = await connectFake(token, "both");
  await evict("both");
  const cost = await costOf(async () => {
    mark?.send(HEARTBEAT_PING);
    connector.socket.send(HEARTBEAT_PING);
    await expect.poll(() => heard.filter((text) => text === HEARTBEAT_PONG).length).toBe(2);
  });
  expect(cost).toEqual(NOTHING);
  const pair = await runInDurableObject(
    env.TUNNEL.getByName((await tunnelOf(OWNER, "both")).name ?? ""),
    (_, state) => state.getWebSocketAutoResponse()?.request,
  );
  expect(pair).toBe(HEARTBEAT_PING);
});
