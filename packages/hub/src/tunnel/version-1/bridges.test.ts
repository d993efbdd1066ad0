/** A page's WebSocket to an instance that speaks version 1, frame by frame, awake and asleep. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { version1 } from "@ai-orchestrator/protocol";
import { beforeAll, describe, expect, test } from "vitest";
import {
  connectVersionOne,
  openPage,
  type Message,
  type VersionOneClient,
} from "../../../test/version-one-client.ts";
import { ask, ownerWithToken, signedIn } from "../../../test/hub.ts";
import { tunnelOf } from "../../../test/viewer.ts";
import { instanceLabel } from "../../origins.ts";
import { attach, attachmentOf, SocketTag } from "../attachments.ts";

const OWNER = "github:1";
let token: string;
let count = 0;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});

interface Scene {
  id: string;
  client: VersionOneClient;
  open: (path?: string, sessionId?: string) => ReturnType<typeof openPage>;
  evict: () => Promise<void>;
}

async function connect(): Promise<Scene> {
  const id = `bridged-${++count}`;
  const client = await connectVersionOne(token, id);
  const tunnel = await tunnelOf(OWNER, id);
  await tunnel.trustPath(OWNER, true);
  const evict = () => evictDurableObject(tunnel, { webSockets: "hibernate" });
  return { id, client, open: (path, sessionId) => openPage(OWNER, id, path, sessionId), evict };
}

const requests = ({ of }: VersionOneClient) => of("user_request");
const idsOf = (messages: Message[]) => messages.map(({ request_id }) => request_id);
const closesOf = (client: VersionOneClient) => requests(client).filter(({ action }) => action === "close");
const chunk = (request_id: unknown, data: unknown) => ({ type: "response_chunk", request_id, data });

describe("a frame of a page", () => {
  test("is a request of its own, and every chunk of any of them one frame, as it is or as JSON", async () => {
    const { client, open, evict } = await connect();
    const page = await open();
    page.socket.send(JSON.stringify({ type: "claude-command", command: "hi", options: { a: [1] } }));
    page.socket.send(JSON.stringify({ type: "get-active-sessions" }));
    await expect.poll(() => requests(client).length).toBe(2);
    const [first, second] = requests(client);
    expect(first).toMatchObject({
      action: "claude-command",
      payload: { command: "hi", options: { a: [1] } },
    });
    expect(second).toMatchObject({ action: "get-active-sessions", payload: {} });
    expect(new Set(idsOf(requests(client))).size).toBe(2);
    client.send(chunk(second?.["request_id"], { type: "sessions", list: [] }));
    client.send(chunk(first?.["request_id"], '{"type":"text", "a":1}'));
    await expect.poll(() => page.frames).toEqual(['{"type":"sessions","list":[]}', '{"type":"text", "a":1}']);
    await evict();
    client.send(chunk(first?.["request_id"], ["after", "sleep"]));
    await expect.poll(() => page.frames.at(-1)).toBe('["after","sleep"]');
    // Half of a character is no UTF-8, over which a browser would end the connection.
    client.send(chunk(first?.["request_id"], "half \ud83d"));
    await expect.poll(() => page.frames.at(-1)).toBe("half \ufffd");
    await evict();
    page.socket.send(JSON.stringify({ type: "abort-session", sessionId: "s" }));
    await expect
      .poll(() => requests(client).at(-1))
      .toMatchObject({ action: "abort-session", payload: { sessionId: "s" } });
    expect(new Set(idsOf(requests(client))).size).toBe(3);
  });

  test("comes back to its own page only", async () => {
    const { client, open } = await connect();
    const [one, two] = [await open(), await open()];
    one.socket.send('{"type":"a"}');
    two.socket.send('{"type":"b"}');
    await expect.poll(() => requests(client).length).toBe(2);
    for (const { request_id, action } of requests(client)) client.send(chunk(request_id, action));
    await expect.poll(() => [one.frames, two.frames]).toEqual([["a"], ["b"]]);
  });

  test("that is no JSON with a type is answered with an error, and the page stays open", async () => {
    const { client, open } = await connect();
    const page = await open();
    for (const frame of ["hello", "[]", '{"a":1}', '{"type":7}', '{"type":""}', new ArrayBuffer(3)])
      page.socket.send(frame);
    await expect.poll(() => page.frames.length).toBe(6);
    expect(page.frames.every((frame) => (JSON.parse(frame) as Message)["type"] === "error")).toBe(true);
    expect(requests(client)).toEqual([]);
    page.socket.send('{"type":"a"}');
    await expect.poll(() => requests(client).length).toBe(1);
  });

  test("that the client answers with an error is told so", async () => {
    const { client, open } = await connect();
    const page = await open();
    page.socket.send('{"type":"claude-command"}');
    await expect.poll(() => requests(client).length).toBe(1);
    const [request_id] = idsOf(requests(client));
    client.send({ type: "error", request_id, message: "no such session" });
    client.send({ type: "response_chunk", request_id });
    client.send({ type: "error", message: "of nothing" });
    client.send(chunk(request_id, "last"));
    await expect.poll(() => page.frames.at(-1)).toBe("last");
    expect(page.frames).toEqual([
      '{"type":"error","error":"no such session","message":"no such session"}',
      "last",
    ]);
  });

  test("over the limit, or one too many, ends its socket with a reason, and its requests", async () => {
    const { id, client, open } = await connect();
    const page = await open();
    page.socket.send('{"type":"a"}');
    await expect.poll(() => requests(client).length).toBe(1);
    await runInDurableObject(await tunnelOf(OWNER, id), (_, state) => {
      for (const socket of state.getWebSockets(SocketTag.viewer)) {
        const attachment = attachmentOf(socket);
        if (attachment?.kind === "bridge")
          attach(socket, { ...attachment, sent: version1.LIMITS.maxBridgedFrames });
      }
    });
    page.socket.send('{"type":"b"}');
    expect((await page.closed).code).toBe(1013);
    await expect.poll(() => closesOf(client).length).toBe(version1.LIMITS.maxBridgedFrames);
    const large = await open();
    large.socket.send(`{"type":"a","b":"${"x".repeat(version1.LIMITS.messageLength)}"}`);
    expect((await large.closed).code).toBe(1009);
  });

  test("ends its socket where the client leaves too much unread; an answer shows that what came before was read", async () => {
    const { client, open } = await connect();
    const page = await open();
    const frame = `{"type":"a","b":"${"x".repeat(15 * 1024 * 1024)}"}`;
    for (let sent = 0; sent < 4; sent++) page.socket.send(frame);
    await expect.poll(() => requests(client).length).toBe(4);
    client.send(chunk(requests(client)[3]?.["request_id"], "read"));
    await expect.poll(() => page.frames).toEqual(["read"]);
    for (let sent = 0; sent < 5; sent++) page.socket.send(frame);
    expect(await page.closed).toEqual({ code: 1013, reason: "the instance has left too much unread" });
    await expect.poll(() => closesOf(client).length).toBe(8);
    expect(requests(client)).toHaveLength(16);
  });
});

describe("ids that a client makes up", () => {
  test("reach no page: of others, of later frames, of nobody", async () => {
    const { client, open } = await connect();
    const other = await connect();
    const [page, theirs] = [await open(), await other.open()];
    page.socket.send('{"type":"a"}');
    theirs.socket.send('{"type":"b"}');
    await expect.poll(() => [requests(client).length, requests(other.client).length]).toEqual([1, 1]);
    const [id] = idsOf(requests(client)) as [string];
    const [otherId] = idsOf(requests(other.client));
    const key = id.slice(0, id.indexOf(":"));
    for (const made of [
      otherId,
      `${key}:2`,
      `${key}:0`,
      `${key}:-1`,
      `${key}:1e0`,
      key,
      "viewer",
      `session:s`,
      "x".repeat(5000),
    ])
      client.send(chunk(made, "forged"));
    client.send(chunk(id, "real"));
    await expect.poll(() => page.frames).toEqual(["real"]);
    other.client.send(chunk(otherId, "theirs"));
    await expect.poll(() => theirs.frames).toEqual(["theirs"]);
  });
});

describe("a page that leaves", () => {
  test("closes each of its requests, once, also where the object slept", async () => {
    const { client, open, evict } = await connect();
    const [page, stays] = [await open(), await open()];
    for (const type of ["a", "b", "c"]) page.socket.send(JSON.stringify({ type }));
    stays.socket.send('{"type":"d"}');
    await expect.poll(() => requests(client).length).toBe(4);
    const sent = idsOf(requests(client).filter(({ action }) => action !== "d"));
    await evict();
    page.socket.close(1001, "bye");
    await expect.poll(() => idsOf(closesOf(client))).toEqual(sent);
    for (const { payload } of closesOf(client)) expect(payload).toEqual({});
    for (const request_id of sent) client.send({ type: "response_complete", request_id, data: null });
    client.send(chunk(sent[0], "late"));
    stays.socket.send('{"type":"e"}');
    await expect.poll(() => requests(client).at(-1)?.["action"]).toBe("e");
    expect(closesOf(client)).toHaveLength(3);
  });

  test("because its sign-in has ended is closed, and so are its requests", async () => {
    const { id, client, open } = await connect();
    const [page, other] = [await open("/ws", "ending"), await open("/ws", "other")];
    page.socket.send('{"type":"a"}');
    other.socket.send('{"type":"b"}');
    await expect.poll(() => requests(client).length).toBe(2);
    await (await tunnelOf(OWNER, id)).endSessions(OWNER, ["ending"]);
    expect(await page.closed).toEqual({ code: 1008, reason: "signed out" });
    const mine = idsOf(requests(client).filter(({ action }) => action === "a"));
    await expect.poll(() => idsOf(closesOf(client))).toEqual(mine);
    page.socket.close();
    other.socket.send('{"type":"c"}');
    await expect.poll(() => requests(client).at(-1)?.["action"]).toBe("c");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(idsOf(closesOf(client))).toEqual(mine);
  });
});

test("a client that goes, or comes anew, ends its pages' sockets so that they come again", async () => {
  const { id, client, open } = await connect();
  const first = await open();
  await connectVersionOne(token, id);
  expect((await first.closed).code).toBe(1012);
  expect(await client.closed).toBe(4409);
  const second = await open();
  await (await tunnelOf(OWNER, id)).disconnect(OWNER, "going_away", "test");
  expect((await second.closed).code).toBe(1012);
});

test("no more than 256 sockets of pages are open at once", async () => {
  const { open } = await connect();
  const pages = await Promise.all(Array.from({ length: 256 }, () => open()));
  await expect(open()).rejects.toThrow("refused: 503");
  for (const { socket } of pages) socket.close(1000, "");
  await expect
    .poll(() =>
      open().then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
});

test("every other WebSocket is opened and closed with the reason", async () => {
  const { client, open } = await connect();
  for (const path of ["/shell", "/shell?token=x", "/ws/", "/plugin-ws/a", "/desktop-notifications", "/"]) {
    const { code, reason } = await (await open(path)).closed;
    expect([path, code]).toEqual([path, 4501]);
    expect(reason).toContain("version 1");
    expect(reason).toContain("Update the client");
  }
  expect(client.received.map(({ type }) => type)).toEqual(["registered"]);
});

test("a page learns its WebSocket's address by label and by client id, for its own instances alone", async () => {
  const ann = await signedIn(OWNER);
  const { id } = await connect();
  const label = await instanceLabel(OWNER, id);
  const wanted = { ws_base: `ws://hub.localhost:8787/clients/${label}/proxy`, is_local: false };
  for (const name of [id, label]) {
    const answer = await ask(`/api/clients/${name}/ws-info`, { person: ann });
    expect([answer.status, await answer.json()]).toEqual([200, wanted]);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  }
  const json = { accept: "application/json" };
  const bob = await signedIn("github:2");
  expect((await ask(`/api/clients/${label}/ws-info`, { person: bob, headers: json })).status).toBe(404);
  expect((await ask(`/api/clients/none/ws-info`, { person: ann, headers: json })).status).toBe(404);
  expect((await ask(`/api/clients/${label}/ws-info`, { headers: json })).status).toBe(401);
});
