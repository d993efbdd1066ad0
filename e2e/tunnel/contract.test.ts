/** The contract of the tunnel: method × status × header × body, through a real hub and a real connector. */
import { once } from "node:events";
import type * as http from "node:http";
import { gunzipSync, brotliDecompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startScene, type Scene } from "./setup.ts";
import { randomBytes, sha256 } from "./upstream.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await startScene({ upstreamTimeoutMs: 2000 });
});
afterAll(async () => {
  // An answer that breaks off is reported by workerd itself.
  const errors = scene.hub
    .logs()
    .filter(({ level, message }) => level === "error" && !message.includes("StreamError"));
  expect(errors).toEqual([]);
  await scene.stop();
});

const at = (path: string) => scene.origin + path;

describe("methods and statuses", () => {
  const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
  const STATUSES = [200, 201, 204, 206, 301, 302, 304, 400, 401, 404, 500, 503];
  for (const method of METHODS) {
    it.each(STATUSES)(`${method} %i`, async (status) => {
      const body = ["POST", "PUT", "PATCH"].includes(method) ? "body" : undefined;
      const answer = await scene.viewer.fetch(at(`/status/${status}`), { method, body });
      expect(answer.status).toBe(status);
      expect(answer.headers["x-status"]).toBe(String(status));
      const empty = method === "HEAD" || status === 204 || status === 304;
      expect(answer.body.toString()).toBe(empty ? "" : status === 206 ? "0123" : `status ${status}`);
      if ([301, 302].includes(status)) expect(answer.headers.location).toBe("/echo?moved=1");
      expect(scene.upstream.seen.at(-1)).toMatchObject({ method, url: `/status/${status}` });
    });
  }
});

describe("header fields", () => {
  it("keeps every Set-Cookie apart, without Domain and without the hub's names", async () => {
    const { rawHeaders } = await scene.viewer.fetch(at("/cookies"));
    const cookies = rawHeaders.filter((_, index) => /^set-cookie$/i.test(rawHeaders[index - 1] ?? ""));
    expect(cookies).toEqual(["a=1; Path=/", "b=2; Path=/; HttpOnly"]);
  });

  it("carries 16 KiB and 32 KiB in one field, both ways", async () => {
    for (const size of [16_384, 32_768]) {
      const answer = await scene.viewer.open(at(`/header?size=${size}`), { maxHeaderSize: 65_536 });
      expect(answer.headers["x-large"]).toHaveLength(size);
      answer.resume();
    }
    const { body } = await scene.viewer.fetch(at("/echo"), { headers: { "x-large": "r".repeat(15_000) } });
    expect(seenHeader(body, "x-large")).toHaveLength(15_000);
  });

  it("carries bytes beyond ASCII unchanged", async () => {
    const { headers } = await scene.viewer.fetch(at("/utf8"));
    const raw = Buffer.from(headers["content-disposition"] ?? "", "latin1").toString("utf8");
    expect(raw).toBe('attachment; filename="año ✓.txt"');
  });

  it("rewrites Host, Origin and Referer, removes what a browser may not say, and vouches for the viewer", async () => {
    const { body } = await scene.viewer.fetch(at("/echo"), {
      method: "POST",
      body: "x",
      headers: {
        referer: at("/a/page?q=1"),
        "x-forwarded-for": "6.6.6.6",
        "X-Orchestrator-User-Id": "someone-else",
        "x-orchestrator-anything": "x",
        connection: "close, x-hop",
        "x-hop": "1",
        te: "trailers",
      },
    });
    expect(seenHeader(body, "host")).toBe(new URL(scene.upstream.target).host);
    expect(seenHeader(body, "origin")).toBe(scene.upstream.target);
    expect(seenHeader(body, "referer")).toBe(`${scene.upstream.target}/a/page?q=1`);
    expect(seenHeader(body, "x-forwarded-for")).toBeUndefined();
    expect(seenHeader(body, "x-hop")).toBeUndefined();
    expect(seenHeader(body, "te")).toBeUndefined();
    expect(seenHeader(body, "x-orchestrator-anything")).toBeUndefined();
    expect(seenHeader(body, "x-orchestrator-user-id")).toBe("local");
    expect(seenHeader(body, "x-forwarded-host")).toBe(new URL(scene.origin).host);
  });

  it("keeps the hub's cookies from the instance and lets the instance's own through", async () => {
    const cookie = `${scene.viewer.cookieHeader(new URL(scene.origin).host)}; mine=1; __HOST-orchestrator-x=2`;
    const { body } = await scene.viewer.fetch(at("/echo"), { headers: { cookie } });
    expect(seenHeader(body, "cookie")).toContain("mine=1");
    expect(seenHeader(body, "cookie")?.toLowerCase()).not.toContain("orchestrator");
  });
});

describe("paths", () => {
  it.each([
    "//evil.example/x",
    "/@evil.example",
    "/%5cevil.example",
    "/a%2fb%00c?q=%0d%0a",
    "/a//b/..%2f",
    "/?",
  ])("%s stays on the upstream", async (path) => {
    const before = scene.upstream.seen.length;
    await scene.viewer.fetch(at("/x"));
    const request = scene.viewer.begin(at("/x"), {});
    request.path = path;
    request.end();
    const [answer] = (await once(request, "response")) as [http.IncomingMessage];
    answer.resume();
    expect(scene.upstream.seen.length).toBe(before + 2);
    expect(scene.upstream.seen.at(-1)?.url.startsWith("/")).toBe(true);
  });
});

describe("bodies", () => {
  it.each([0, 1, 65_536, 1_000_003])("%i bytes down and up", async (size) => {
    const down = await scene.viewer.fetch(at(`/bytes/${size}`));
    expect(down.body.length).toBe(size);
    expect(Number(down.headers["content-length"] ?? 0)).toBe(size);
    const up = await scene.viewer.fetch(at("/echo"), { method: "POST", body: randomBytes(size) });
    expect(JSON.parse(up.body.toString())).toMatchObject({ length: size, sha256: sha256(down.body) });
  });

  it(
    "100 MiB of random bytes arrive the same, both ways, with and without a length",
    { timeout: 120_000 },
    async () => {
      const size = 100 * 1024 * 1024;
      const expected = sha256(randomBytes(size));
      expect(sha256((await scene.viewer.fetch(at(`/bytes/${size}`))).body)).toBe(expected);
      expect(sha256((await scene.viewer.fetch(at(`/bytes/${size}?chunked`))).body)).toBe(expected);
      const up = await scene.viewer.fetch(at("/upload"), { method: "PUT", body: randomBytes(size) });
      expect(JSON.parse(up.body.toString())).toEqual({ length: size, sha256: expected });
    },
  );

  it("serves ranges", async () => {
    const answer = await scene.viewer.fetch(at("/bytes/1000"), { headers: { range: "bytes=10-19" } });
    expect(answer.status).toBe(206);
    expect(answer.headers["content-range"]).toBe("bytes 10-19/1000");
    expect(answer.body).toEqual(randomBytes(1000).subarray(10, 20));
  });

  it("passes compressed bodies untouched", async () => {
    const answer = await scene.viewer.fetch(at("/gzip"), { headers: { "accept-encoding": "br, gzip" } });
    expect(answer.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(answer.body).toString()).toBe("already compressed");
  });

  it("compresses what the browser accepts and the upstream left plain", async () => {
    const answer = await scene.viewer.fetch(at("/text"), { headers: { "accept-encoding": "gzip, br" } });
    expect(answer.headers["content-encoding"]).toBe("br");
    expect(answer.headers.etag).toBe('W/"one"');
    expect(answer.body.length).toBeLessThan(1000);
    expect(brotliDecompressSync(answer.body).toString()).toBe("words ".repeat(20_000));
    const plain = await scene.viewer.fetch(at("/text"), { headers: { "accept-encoding": "br;q=0" } });
    expect(plain.headers["content-encoding"]).toBeUndefined();
    expect(plain.headers.etag).toBe('"one"');
    expect(plain.body.toString()).toBe("words ".repeat(20_000));
  });
});

describe("streaming", () => {
  it("server-sent events arrive one by one", async () => {
    const answer = await scene.viewer.open(at("/sse"));
    const next = reader(answer);
    expect(await next()).toBe(": begin\n\n");
    for (const text of ["one", "two", "three"]) {
      scene.upstream.events.emit("event", text);
      expect(await next()).toBe(`data: ${text}\n\n`);
    }
    answer.destroy();
  });

  it("an upload reaches the upstream while it is being sent", async () => {
    const request = scene.viewer.begin(at("/upload"), { method: "POST" });
    const response = once(request, "response") as Promise<[http.IncomingMessage]>;
    const first = once(scene.upstream.events, "uploaded");
    request.write("first");
    expect(await first).toEqual([5]);
    const second = once(scene.upstream.events, "uploaded");
    request.write("second");
    expect(await second).toEqual([11]);
    request.end();
    const [answer] = await response;
    expect(answer.statusCode).toBe(200);
    answer.resume();
  });

  it("a cancelled download stops the upstream", async () => {
    const closed = once(scene.upstream.events, "closed:/endless");
    const answer = await scene.viewer.open(at("/endless"));
    await once(answer, "data");
    answer.destroy();
    await closed;
  });

  it("a browser that leaves a silent event stream stops the upstream", async () => {
    const closed = once(scene.upstream.events, "closed:/sse");
    const answer = await scene.viewer.open(at("/sse"));
    await once(answer, "data");
    answer.destroy();
    await closed;
  });
});

describe("failures of the upstream", () => {
  it("one that hangs is a 504 that says so", async () => {
    const answer = await scene.viewer.fetch(at("/hang"));
    expect(answer.status).toBe(504);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { code: "upstream_timeout" } });
  });

  it("one that dies mid-body breaks the browser's download at once", async () => {
    const answer = await scene.viewer.open(at("/die"));
    expect(answer.statusCode).toBe(200);
    await expect(collect(answer)).rejects.toThrow();
  });
});

describe("WebSockets", () => {
  it("carries text, binary, empty and 1 MiB messages, with the subprotocol the upstream chose", async () => {
    const socket = scene.viewer.webSocket(at("/ws"), ["chat.v1", "chat.v2"]);
    await once(socket, "open");
    expect(socket.protocol).toBe("chat.v2");
    for (const message of ["text ✓", "", "x".repeat(1024 * 1024)]) {
      socket.send(message);
      const [data, isBinary] = (await once(socket, "message")) as [Buffer, boolean];
      expect(isBinary).toBe(false);
      expect(data.toString() === message).toBe(true);
    }
    for (const message of [Buffer.from([0, 255, 1]), Buffer.alloc(0), randomBytes(1024 * 1024)]) {
      socket.send(message);
      const [data, isBinary] = (await once(socket, "message")) as [Buffer, boolean];
      expect(isBinary).toBe(true);
      expect(data.equals(message)).toBe(true);
    }
    socket.terminate();
  });

  it("keeps the order of messages that are sent together", async () => {
    const socket = scene.viewer.webSocket(at("/ws"));
    await once(socket, "open");
    const received: number[] = [];
    socket.on("message", (data: Buffer) => received.push(Number(data.toString().split(":")[0])));
    for (let index = 0; index < 300; index++) socket.send(`${index}:${"p".repeat((index % 7) * 10_000)}`);
    await expect.poll(() => received.length, { timeout: 5000 }).toBe(300);
    expect(received).toEqual([...Array(300).keys()]);
    socket.terminate();
  });

  it("passes the upstream's close code and reason to the browser", async () => {
    const socket = scene.viewer.webSocket(at("/ws"));
    await once(socket, "open");
    socket.send("close:4321:the reason");
    const [code, reason] = (await once(socket, "close")) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([4321, "the reason"]);
  });

  it.each([
    [1000, "done"],
    [4999, "Grund: ✓"],
  ])("passes the browser's close %i to the upstream", async (code, reason) => {
    const socket = scene.viewer.webSocket(at("/ws"));
    await once(socket, "open");
    const before = scene.upstream.closes.length;
    socket.close(code, reason);
    await expect.poll(() => scene.upstream.closes.length).toBe(before + 1);
    expect(scene.upstream.closes.at(-1)).toEqual({ code, reason });
  });

  it("a browser that closes without a code, or vanishes", async () => {
    for (const [leave, code] of [
      ["close", 1005],
      ["terminate", 1006],
    ] as const) {
      const socket = scene.viewer.webSocket(at("/ws"));
      await once(socket, "open");
      const before = scene.upstream.closes.length;
      socket[leave]();
      await expect.poll(() => scene.upstream.closes.length).toBe(before + 1);
      expect(scene.upstream.closes.at(-1)?.code).toBe(code);
    }
  });

  it("an upstream that vanishes is an abnormal end for the browser", async () => {
    const socket = scene.viewer.webSocket(at("/ws"));
    await once(socket, "open");
    socket.send("vanish");
    const [code] = (await once(socket, "close")) as [number];
    expect(code).toBe(1011);
  });

  it("passes a refused upgrade on as the answer it was", async () => {
    const socket = scene.viewer.webSocket(at("/refuse"));
    const [, answer] = (await once(socket, "unexpected-response")) as [unknown, http.IncomingMessage];
    expect(answer.statusCode).toBe(403);
    expect(answer.headers["x-why"]).toBe("refused");
    expect((await collect(answer)).toString()).toBe("no");
  });

  it("refuses upgrades from another origin, a missing one and a look-alike", async () => {
    const { host } = new URL(scene.origin);
    for (const origin of [
      undefined,
      "null",
      scene.hub.origin,
      `http://x.${host}`,
      `http://${host}.evil.example`,
      `https://${host}`,
    ]) {
      const socket = scene.viewer.webSocket(at("/ws"), [], { headers: { origin: origin ?? "" } });
      const [, answer] = (await once(socket, "unexpected-response")) as [unknown, http.IncomingMessage];
      expect(answer.statusCode, `origin ${origin}`).toBe(403);
      answer.resume();
    }
  });
});

function seenHeader(body: Buffer, name: string): string | undefined {
  const { headers } = JSON.parse(body.toString()) as { headers: [string, string][] };
  return headers.find(([field]) => field === name)?.[1];
}

async function collect(answer: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The next chunk as text, each call one. */
function reader(answer: http.IncomingMessage): () => Promise<string> {
  const iterator = answer[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
  return async () => {
    const next = await iterator.next();
    return next.done ? "" : next.value.toString();
  };
}
