/** HTTP to an instance that speaks version 1: what travels, what does not, and what a hostile client can do about it. */
import { runInDurableObject } from "cloudflare:test";
import { version1 } from "@ai-orchestrator/protocol";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { MALICIOUS_HEADERS } from "../../../test/version-one-hostile.ts";
import {
  answered,
  connectVersionOne,
  viewPath,
  type Message,
  type Serve,
  type VersionOneClient,
} from "../../../test/version-one-client.ts";
import { ownerWithToken } from "../../../test/hub.ts";
import { tunnelOf, view } from "../../../test/viewer.ts";
import { instanceLabel } from "../../origins.ts";
import { CLIENT_VERSION } from "../internal-headers.ts";

const OWNER = "github:1";
let token: string;
let count = 0;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});

interface Scene {
  id: string;
  client: VersionOneClient;
  ask: (path: string, init?: RequestInit) => Promise<Response>;
}

async function connect(serve?: Serve): Promise<Scene> {
  const id = `proxied-${++count}`;
  const client = await connectVersionOne(token, id, serve);
  await (await tunnelOf(OWNER, id)).trustPath(OWNER, true);
  return { id, client, ask: (path, init) => viewPath(OWNER, id, path, init) };
}

const json = { accept: "application/json" };
async function errorOf(response: Response): Promise<{ status: number; code: string; message: string }> {
  const { error } = await response.json<{ error: { code: string; message: string } }>();
  return { status: response.status, ...error };
}
const headersOf = (request: Message) => request["headers"] as [string, string][];
const text = (body: string, more: Message = {}): Message => ({ status: 200, headers: [], body, ...more });

describe("a request", () => {
  test("arrives with path, prefix and who looks, and nothing that a browser says about that", async () => {
    const { id, client, ask } = await connect(() =>
      text("<p>hello</p>", { headers: [["content-type", "text/html"]] }),
    );
    const response = await ask("/a/b?c=d&token=x", {
      headers: {
        "X-Orchestrator-User-Id": "1",
        x_orchestrator_username: "root",
        "accept-encoding": "gzip, br",
        cookie: "__Host-orchestrator-session=s; own=1",
        "x-name": "Zoë",
      },
    });
    expect([response.status, await response.text()]).toEqual([200, "<p>hello</p>"]);
    expect(response.headers.get("content-type")).toBe("text/html");
    expect(response.headers.get("x-orchestrator-client-version")).toBe("1");
    const [request = {}] = client.of("http_proxy_request");
    const prefix = `/clients/${await instanceLabel(OWNER, id)}/proxy`;
    expect(request).toMatchObject({ method: "GET", path: "/a/b?c=d&token=x", proxy_base: prefix });
    expect(request).not.toHaveProperty("body");
    const headers = new Map(headersOf(request));
    expect(headers.get("x-orchestrator-username")).toBe("ann");
    expect(headers.get("x-orchestrator-user-id")).toBe("1");
    expect(headersOf(request).filter(([name]) => /orchestrator.username/i.test(name))).toHaveLength(1);
    expect(headers.get("accept-encoding")).toBe("identity");
    expect(headers.get("cookie")).toBe("own=1");
    // One character for each byte, as Node's HTTP takes them.
    expect(headers.get("x-name")).toBe("ZoÃ«");
  });

  test("has a body where that is text, whatever its characters", async () => {
    const { client, ask } = await connect((request) =>
      text(`got ${String(request["body"])}`, { status: 201 }),
    );
    const body = `{"a":"ü ${"€".repeat(40_000)} \u{1f6d1}\u0000"}`;
    const response = await ask("/api", {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    expect([response.status, await response.text()]).toEqual([201, `got ${body}`]);
    expect(client.of("http_proxy_request")[0]).toMatchObject({ method: "POST", body });
    await (await ask("/api", { method: "DELETE" })).text();
    expect(client.of("http_proxy_request")[1]).not.toHaveProperty("body");
  });

  test("with a body that is none is refused, and says whose limit it is and what to do", async () => {
    const { client, ask } = await connect();
    const body = new Uint8Array([137, 80, 78, 71, 255]);
    const refused = await errorOf(await ask("/upload", { method: "POST", body, headers: json }));
    expect(refused).toMatchObject({ status: 501, code: "version_1_limit" });
    expect(refused.message).toContain("takes none but text");
    expect(refused.message).toContain("Update the client of this instance");
    // Half a character at the end.
    const half = await ask("/upload", {
      method: "POST",
      body: new Uint8Array([0x61, 0xe2, 0x82]),
      headers: json,
    });
    expect((await errorOf(half)).code).toBe("version_1_limit");
    expect(client.of("http_proxy_request")).toEqual([]);
  });

  test("with a body over 8 MiB is refused the same way, one of just that passes", async () => {
    const { client, ask } = await connect((request) => text(String(String(request["body"]).length)));
    const limit = version1.LIMITS.requestBodyBytes;
    expect(await (await ask("/", { method: "PUT", body: "x".repeat(limit) })).text()).toBe(String(limit));
    const over = await ask("/", { method: "PUT", body: "x".repeat(limit + 1), headers: json });
    expect(await errorOf(over)).toMatchObject({ status: 501, code: "version_1_limit" });
    expect(client.of("http_proxy_request")).toHaveLength(1);
  });

  test("counts as held until it is answered: a client that takes nothing cannot fill the object with them", async () => {
    const { client, ask } = await connect();
    const body = "x".repeat(version1.LIMITS.requestBodyBytes);
    const left = new AbortController();
    const asked = Array.from({ length: 5 }, () =>
      ask("/", { method: "PUT", body, headers: json }).then(errorOf),
    );
    await expect.poll(() => client.of("http_proxy_request").length).toBe(5);
    // Who leaves takes nothing back that was sent.
    const gone = ask("/", { method: "PUT", body, signal: left.signal }).catch(() => undefined);
    await expect.poll(() => client.of("http_proxy_request").length).toBe(6);
    left.abort();
    await gone;
    const over = await errorOf(await ask("/", { method: "PUT", body, headers: json }));
    const [status, code] = [503, "too_many_streams"];
    expect(over).toMatchObject({ status, code });
    for (const { request_id } of client.of("http_proxy_request"))
      client.send({ type: "error", request_id, message: "no" });
    expect((await Promise.all(asked)).map((one) => one.status)).toEqual([502, 502, 502, 502, 502]);
    const later = ask("/", { method: "PUT", body, headers: json });
    await expect.poll(() => client.of("http_proxy_request").length).toBe(7);
    client.send({ type: "error", request_id: client.of("http_proxy_request")[6]?.["request_id"] });
    expect((await later).status).toBe(502);
  });

  test("has a path that begins with one slash: two begin another host's name", async () => {
    const { client, ask } = await connect(({ path }) => text(String(path)));
    for (const [asked, wanted] of [
      ["//evil.example/a?b=//c", "/evil.example/a?b=//c"],
      ["/\\\\evil.example", "/evil.example"],
      ["//", "/"],
      ["/a//b", "/a//b"],
    ])
      expect(await (await ask(asked ?? "")).text()).toBe(wanted);
    expect(client.of("http_proxy_request")).toHaveLength(4);
    const upgrade = await ask("//", { headers: { upgrade: "websocket" } });
    expect(upgrade.status).toBe(101);
    upgrade.webSocket?.accept();
  });

  test("at the instance's own host gets a page that leads to the other address", async () => {
    const { id, client } = await connect();
    const response = await view(OWNER, id, "/a", { headers: { accept: "text/html" } });
    expect(response.status).toBe(501);
    const page = await response.text();
    const href = `http://hub.localhost:8787/clients/${await instanceLabel(OWNER, id)}/proxy/`;
    expect(page).toContain(`href="${href}"`);
    expect(page).toContain("version_1_address");
    expect(client.of("http_proxy_request")).toEqual([]);
  });

  test("one of 300 at once is refused where 256 are open, and the others are answered", async () => {
    const { client, ask } = await connect();
    const asked = Array.from({ length: 300 }, (_, index) => ask(`/${index}`, { headers: json }));
    await expect.poll(() => client.of("http_proxy_request").length).toBe(256);
    for (const { request_id, path } of client.of("http_proxy_request").toReversed())
      client.send({ type: "http_proxy_response", request_id, status: 200, headers: [], body: path });
    const answers = await Promise.all(asked);
    const refused = answers.filter(({ status }) => status === 503);
    expect(refused).toHaveLength(44);
    expect(await Promise.all(refused.map(async (one) => (await errorOf(one)).code))).toEqual(
      Array.from({ length: 44 }, () => "too_many_streams"),
    );
    const bodies = await Promise.all(
      answers.map(async (one, index) => one.status === 503 || (await one.text()) === `/${index}`),
    );
    expect(bodies.every(Boolean)).toBe(true);
    expect(new Set(client.of("http_proxy_request").map(({ request_id }) => request_id)).size).toBe(256);
    const later = ask("/later");
    await expect.poll(() => client.of("http_proxy_request").length).toBe(257);
    client.send({
      ...text("ok"),
      type: "http_proxy_response",
      request_id: client.of("http_proxy_request")[256]?.["request_id"],
    });
    expect(await (await later).text()).toBe("ok");
  });
});

describe("an answer", () => {
  test("of bytes comes as base64, which is undone and not told", async () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
    let body = "";
    for (const byte of bytes) body += String.fromCharCode(byte);
    const { ask } = await connect(() => ({
      status: 200,
      headers: [
        ["Content-Type", "image/png"],
        ["X-Orch-Encoding", "base64"],
        ["Content-Length", "12345"],
        ["Set-Cookie", "a=1; Path=/"],
        ["Set-Cookie", "b=2; Domain=hub.localhost"],
        ["Connection", "close"],
        ["Transfer-Encoding", "chunked"],
      ],
      body: btoa(body),
    }));
    const response = await ask("/image");
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
    expect(response.headers.get("x-orch-encoding")).toBeNull();
    expect(response.headers.get("content-length")).toBe("70000");
    expect(response.headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2"]);
    expect(response.headers.get("transfer-encoding")).toBeNull();
  });

  test("without a body, without headers, with every status that is legal", async () => {
    let answer: Message = {};
    const { ask } = await connect(() => answer);
    for (const status of [200, 201, 204, 206, 301, 304, 404, 418, 500, 599]) {
      answer = { status };
      const response = await ask("/", { redirect: "manual" });
      expect([response.status, await response.text()]).toEqual([status, ""]);
    }
    answer = { status: 200, headers: [["content-length", "77"]], body: null };
    const head = await ask("/", { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "77"]);
    expect(await head.text()).toBe("");
  });

  test("as text has the length it has, and no encoding of bytes that it has not", async () => {
    const { ask } = await connect(() =>
      text("ü€", {
        headers: [
          ["content-length", "2"],
          ["content-encoding", "gzip"],
          ["x-name", "ZoÃ«"],
          ["x-text", "€"],
        ],
      }),
    );
    const response = await ask("/");
    expect(await response.text()).toBe("ü€");
    expect(response.headers.get("content-length")).toBe("5");
    expect(response.headers.get("content-encoding")).toBeNull();
    expect([response.headers.get("x-name"), response.headers.get("x-text")]).toEqual(["Zoë", "€"]);
  });

  test("may not speak for the hub", async () => {
    const fields = [
      ["x-orchestrator-signed-out", "1"],
      ["X-Orchestrator-Error", "not_found"],
      ["clear-site-data", "*"],
      ["set-cookie", "__Host-orchestrator-session=x"],
    ];
    const { ask } = await connect(() => text("ok", { headers: fields }));
    const response = await ask("/");
    expect([response.status, await response.text()]).toEqual([200, "ok"]);
    for (const name of ["x-orchestrator-signed-out", "x-orchestrator-error", "clear-site-data", "set-cookie"])
      expect(response.headers.get(name)).toBeNull();
  });

  test.each(Object.entries(MALICIOUS_HEADERS))(
    "with %s costs its request and nothing else",
    async (_, answer) => {
      const { client, ask } = await connect(({ path }) => (path === "/bad" ? answer : text("fine")));
      expect(await errorOf(await ask("/bad", { headers: json }))).toMatchObject({
        status: 502,
        code: "upstream_failed",
      });
      expect(await (await ask("/good")).text()).toBe("fine");
      expect(client.socket.readyState).toBe(WebSocket.OPEN);
    },
  );

  test(
    "over what a message may hold is refused in words, and the connection stays",
    { timeout: 30_000 },
    async () => {
      const { ask } = await connect(({ path }) =>
        path === "/good" ? text("fine") : text("x".repeat(version1.LIMITS.messageLength)),
      );
      const refused = await errorOf(await ask("/huge", { headers: json }));
      expect(refused).toMatchObject({ status: 501, code: "version_1_limit" });
      expect(refused.message).toContain("16 MiB");
      expect(await (await ask("/good")).text()).toBe("fine");
    },
  );

  test("of 15 MiB arrives whole", { timeout: 30_000 }, async () => {
    const length = 15 * 1024 * 1024;
    const { ask } = await connect(() => text("x".repeat(length)));
    expect((await (await ask("/")).text()).length).toBe(length);
  });

  test("to what nobody asked, to what another was asked, twice, or after the end is nothing", async () => {
    const { client, ask } = await connect();
    const other = await connect();
    const [mine, theirs] = [ask("/mine"), other.ask("/theirs")];
    const idOf = async (one: VersionOneClient) => (await answered(one, "http_proxy_request"))["request_id"];
    const [id, otherId] = [await idOf(client), await idOf(other.client)];
    const answer = (request_id: unknown, body: string) => ({
      ...text(body),
      type: "http_proxy_response",
      request_id,
    });
    for (const made of [otherId, "1", crypto.randomUUID(), `${String(id)}:1`, ""])
      client.send(answer(made, "forged"));
    client.send({ type: "error", request_id: otherId, message: "forged" });
    other.client.send(answer(otherId, "theirs"));
    client.send(answer(id, "mine"));
    client.send(answer(id, "again"));
    expect([await (await mine).text(), await (await theirs).text()]).toEqual(["mine", "theirs"]);
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
  });

  test("that is an error of the hub's tells no version of the client", async () => {
    const { ask } = await connect(() => ({ status: 99 }));
    const response = await ask("/", { headers: json });
    expect([response.status, response.headers.get(CLIENT_VERSION)]).toEqual([502, null]);
  });

  test("that is an error of the client's is one of the instance", async () => {
    const { client, ask } = await connect();
    const asked = ask("/", { headers: json });
    const { request_id } = await answered(client, "http_proxy_request");
    client.send({ type: "error", request_id, message: "<b>ECONNREFUSED</b>" });
    expect(await errorOf(await asked)).toMatchObject({ status: 502, code: "upstream_failed" });
  });
});

describe("an answer that does not come", () => {
  test("because the client went is an error at once", async () => {
    const { client, ask } = await connect();
    const asked = ask("/", { headers: json });
    await answered(client, "http_proxy_request");
    client.socket.close(1011, "crash");
    expect(await errorOf(await asked)).toMatchObject({ status: 502, code: "connection_lost" });
  });

  test("because it streams without an end is an error that says so, after a minute", async () => {
    const timeouts: (() => void)[] = [];
    const real = globalThis.setTimeout;
    const spy = vi.spyOn(globalThis, "setTimeout").mockImplementation((run: () => void, ms?: number) => {
      if (ms === 60_000) timeouts.push(run);
      return real(run, ms);
    });
    const { id, client, ask } = await connect();
    const asked = ask("/events", { headers: { accept: "text/event-stream" } });
    await answered(client, "http_proxy_request");
    spy.mockRestore();
    await runInDurableObject(await tunnelOf(OWNER, id), () => timeouts.forEach((run) => run()));
    const { status, code, message } = await errorOf(await asked);
    expect({ status, code }).toEqual({ status: 504, code: "version_1_timeout" });
    expect(message).toContain("streams without an end");
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
  });
});

describe("what a client says wrong", () => {
  test("costs the connection where it is no message, and nothing but a word where it is one", async () => {
    for (const garbage of ["garbage", "{}", "null", '{"type":7}', new ArrayBuffer(4)]) {
      const { client } = await connect();
      client.send(garbage);
      expect(await client.closed).toBe(4400);
    }
    const { client, ask } = await connect(() => text("ok"));
    for (const malformed of [
      { type: "status_update", status: "asleep" },
      { type: "response_chunk" },
      { type: "http_proxy_response", status: 200 },
      { type: "ping", client_id: "\r\n" },
    ])
      client.send(malformed);
    client.send({ type: "unheard_of", request_id: 1 });
    await expect.poll(() => client.of("error").length).toBe(4);
    expect(await (await ask("/")).text()).toBe("ok");
  });
});
