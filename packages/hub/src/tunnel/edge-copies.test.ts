/** Copies of instances' files at the edge: what is kept, who is given it, and what a browser sees of it. */
import { env, exports } from "cloudflare:workers";
import type { HeaderFields, RequestHead, Stream } from "@ai-orchestrator/protocol";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { connectFake, type FakeApplication, type FakeConnector } from "../../test/fake-connector.ts";
import { ownerWithToken, signedIn } from "../../test/hub.ts";
import { askPath, pathInstance, trustPath } from "../../test/path-viewer.ts";
import { connectVersionOne } from "../../test/version-one-client.ts";
import { tunnelOf, view, type ViewerRequest } from "../../test/viewer.ts";
import { issueInstanceToken } from "../auth/token.ts";
import { instanceLabel } from "../origins.ts";
import { routes } from "../routes.ts";

const OWNER = "github:41";
const OTHER = "github:42";
const FOR_EVER: HeaderFields = [
  ["content-type", "text/javascript"],
  ["cache-control", "public, max-age=31536000, immutable"],
  ["etag", '"one"'],
];

let token: string;
let count = 0;
const open: FakeConnector[] = [];

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const connector of open.splice(0)) connector.socket.close(1000);
});

type Answer = { status?: number; headers?: HeaderFields; body?: string | Uint8Array };

/** A text, as gzip for who takes that. */
async function packing(headers: HeaderFields, text: string): Promise<(head: RequestHead) => Answer> {
  const stream = new Response(text).body?.pipeThrough(new CompressionStream("gzip"));
  const body = new Uint8Array(await new Response(stream).arrayBuffer());
  return ({ headers: asked }) =>
    /gzip(?!;q=0)/.test(new Map(asked).get("accept-encoding") ?? "")
      ? { headers: [...headers, ["content-encoding", "gzip"], ["vary", "accept-encoding"]], body }
      : { headers, body: text };
}

function answers(heads: RequestHead[], answer: Answer | ((head: RequestHead) => Answer)) {
  return (stream: Stream, head: RequestHead) => {
    heads.push(head);
    const {
      status = 200,
      headers = FOR_EVER,
      body = "the file",
    } = typeof answer === "function" ? answer(head) : answer;
    stream.respond({ status, headers });
    let rest = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const write = () => {
      rest = rest.subarray(stream.write(rest));
      if (rest.byteLength === 0) stream.end();
    };
    if (stream.handler) stream.handler.writable = write;
    write();
  };
}

/** A new instance of the owner's and every request that reaches it. */
async function instance(
  answer: Answer | ((head: RequestHead) => Answer) = {},
  application: FakeApplication = {},
) {
  const id = `copied-${++count}`;
  const heads: RequestHead[] = [];
  const connect = async (more: FakeApplication = {}, as = token) => {
    const connector = await connectFake(as, id, { http: answers(heads, answer), ...application, ...more });
    open.push(connector);
    return connector;
  };
  const connector = await connect();
  const ask = async (path: string, init: ViewerRequest = {}) => {
    const headers = new Headers(init.headers);
    if (!headers.has("accept-encoding")) headers.set("accept-encoding", "gzip, br");
    return view(OWNER, id, path, { ...init, headers });
  };
  /** Asks for it until it was answered without the instance; fails where it never is. */
  const copied = async (path: string, init: ViewerRequest = {}) => {
    for (let tries = 0; tries < 20; tries++) {
      const before = heads.length;
      const answered = await ask(path, init);
      if (heads.length === before) return answered;
      await answered.arrayBuffer();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`${path} is not kept`);
  };
  return { id, heads, connector, connect, ask, copied };
}

/** What of several requests for a file reaches its instance. */
async function reached(
  { ask, heads }: Awaited<ReturnType<typeof instance>>,
  path: string,
  init?: ViewerRequest,
) {
  const before = heads.length;
  for (let times = 0; times < 3; times++) {
    await (await ask(path, init)).arrayBuffer();
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return heads.length - before;
}

describe("a file that does not change", () => {
  test("has an age, whatever the instance says of it", async () => {
    const { ask, copied } = await instance({ headers: [...FOR_EVER, ["age", "old"]] });
    await (await ask("/a.js?age")).arrayBuffer();
    expect((await copied("/a.js?age")).headers.get("age")).toMatch(/^\d+$/);
  });

  test("crosses the tunnel once, and is then answered as the instance would", async () => {
    const { ask, copied } = await instance({ headers: [...FOR_EVER, ["x-own", "1"]] });
    const first = await ask("/a.js?v=1");
    expect(await first.text()).toBe("the file");
    const again = await copied("/a.js?v=1");
    expect([again.status, await again.text()]).toEqual([200, "the file"]);
    const fields = (response: Response) =>
      Object.fromEntries([...response.headers].filter(([name]) => name !== "age"));
    expect(fields(again)).toEqual(fields(first));
    expect(fields(again)).toMatchObject({
      "cache-control": "private, max-age=31536000, immutable",
      "content-security-policy": "frame-ancestors 'self'",
      etag: '"one"',
    });
    expect(Number(again.headers.get("age"))).toBeLessThan(60);
    expect(
      [...again.headers.keys(), ...first.headers.keys()].filter((name) => /^(x-orchestrator|cf-)/.test(name)),
    ).toEqual([]);
  });

  test("stays as it was compressed, and is for browsers that take that alone", async () => {
    const { copied, ask, heads } = await instance(await packing(FOR_EVER, "the file"));
    const copy = await copied("/a.js", { headers: { "accept-encoding": "gzip" } });
    expect([copy.headers.get("content-encoding"), await copy.text()]).toEqual(["gzip", "the file"]);
    const before = heads.length;
    for (const accepted of ["gzip;q=0", "identity", "zstd"]) {
      const plain = await ask("/a.js", { headers: { "accept-encoding": accepted } });
      expect([plain.headers.get("content-encoding"), await plain.text()]).toEqual([null, "the file"]);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    // They share the copy that is not compressed.
    expect(heads.length).toBe(before + 1);
  });

  test("is asked after by its tag without the instance", async () => {
    const { copied } = await instance();
    await (await copied("/a.js")).text();
    for (const tag of ['"one"', 'W/"one"', '"zero", W/"one"']) {
      const known = await copied("/a.js", { headers: { "if-none-match": tag } });
      expect([known.status, known.headers.get("etag"), known.body]).toEqual([304, '"one"', null]);
    }
    const other = await copied("/a.js", { headers: { "if-none-match": '"two"' } });
    expect([other.status, await other.text()]).toEqual([200, "the file"]);
  });

  test("is the instance's to send where the cache fails, or holds what nobody here has put there", async () => {
    const { ask, heads, copied } = await instance();
    await (await copied("/a.js")).text();
    for (const found of [
      () => Promise.reject(new Error("away")),
      () => Promise.resolve(new Response("evil")),
      () => Promise.resolve(new Response("evil", { headers: { "x-orchestrator-copy-head": "%7B%7D" } })),
    ]) {
      const before = heads.length;
      vi.spyOn(Cache.prototype, "match").mockImplementationOnce(found);
      expect(await (await ask("/a.js")).text()).toBe("the file");
      expect(heads.length).toBe(before + 1);
    }
  });

  test("is asked for again by somebody who reloads without what is kept", async () => {
    const { copied, ask, heads } = await instance();
    await (await copied("/a.js")).text();
    const before = heads.length;
    await (await ask("/a.js", { headers: { "cache-control": "no-cache" } })).text();
    expect(heads.length).toBe(before + 1);
  });

  test("goes on while it is collected: what the browser has read does not wait for the end", async () => {
    const streams: Stream[] = [];
    const { ask } = await instance({}, { http: (stream) => void streams.push(stream) });
    const asked = ask("/slow.js");
    await vi.waitFor(() => expect(streams.length).toBe(1));
    streams[0]?.respond({ status: 200, headers: FOR_EVER });
    streams[0]?.write(new TextEncoder().encode("first"));
    const reader = (await asked).body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe("first");
    streams[0]?.end();
    expect((await reader?.read())?.done).toBe(true);
  });
});

describe("nothing is kept of", () => {
  const CACHING = (value: string): Answer => ({ headers: [["cache-control", value]] });
  test.each<[string, Answer, string?, ViewerRequest?]>([
    ["what is private", CACHING("private, max-age=31536000, immutable")],
    ["what is not said to be public", CACHING("max-age=31536000, immutable")],
    ["what may change", CACHING("public, max-age=31536000")],
    ["what must not be stored", CACHING("public, max-age=31536000, immutable, no-store")],
    ["what must be asked after", CACHING('public, max-age=31536000, immutable, no-cache="x"')],
    ["what is soon old", CACHING("public, max-age=60, immutable")],
    ["what is said twice", CACHING("public, max-age=31536000, max-age=1, immutable")],
    ["an answer with a cookie", { headers: [...FOR_EVER, ["set-cookie", "a=1"]] }],
    [
      "one with a cookie of the hub's name",
      { headers: [...FOR_EVER, ["set-cookie", "__Host-orchestrator-viewer=1"]] },
    ],
    ["one that varies by cookie", { headers: [...FOR_EVER, ["vary", "Accept-Encoding, Cookie"]] }],
    ["one that varies by everything", { headers: [...FOR_EVER, ["vary", "*"]] }],
    ["a part", { status: 206, headers: [...FOR_EVER, ["content-range", "bytes 0-7/100"]] }],
    ["an error", { status: 404 }],
    ["what is said otherwise to caches", { headers: [...FOR_EVER, ["cdn-cache-control", "no-store"]] }],
    ["what comes in an encoding nobody asked for", { headers: [...FOR_EVER, ["content-encoding", "zstd"]] }],
    ["a page by a file's name", { headers: [["content-type", "text/html"], ...FOR_EVER.slice(1)] }],
    ["a sheet by another's name", { headers: [["content-type", "text/css"], ...FOR_EVER.slice(1)] }],
    ["another file by a sheet's name", {}, "/a.css"],
    ["what is asked for as a manifest", {}, "/a.js", { headers: { "sec-fetch-dest": "manifest" } }],
    ["what is too large", { body: new Uint8Array(4 * 1024 * 1024 + 1) }],
    ["a page", {}, "/a"],
    ["a request with Authorization", {}, "/a.js", { headers: { authorization: "Bearer x" } }],
    ["a request for a part", {}, "/a.js", { headers: { range: "bytes=0-3" } }],
    ["a service worker's script", {}, "/a.js", { headers: { "service-worker": "script" } }],
    ["a HEAD", { body: "" }, "/a.js", { method: "HEAD" }],
    ["a POST", {}, "/a.js", { method: "POST", body: "x" }],
  ])("what is not kept: %s", async (_what, answer, path = "/a.js", init = {}) => {
    const one = await instance(answer);
    expect(await reached(one, path, init)).toBe(3);
    // Nor for who asks otherwise.
    if (init.headers || init.method) expect(await reached(await instance(answer), path, init)).toBe(3);
  });

  test("a body that breaks off", async () => {
    let breaks = true;
    const { ask, heads } = await instance(
      {},
      {
        http(stream, head) {
          heads.push(head);
          stream.respond({ status: 200, headers: FOR_EVER });
          stream.write(new TextEncoder().encode(breaks ? "half" : "whole"));
          if (breaks) setTimeout(() => stream.reset("cancelled"), 10);
          else stream.end();
        },
      },
    );
    await expect((await ask("/a.js")).text()).rejects.toThrow();
    breaks = false;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await (await ask("/a.js")).text()).toBe("whole");
    expect(heads.length).toBe(2);
  });

  test("a body that its browser leaves", async () => {
    const { ask, heads } = await instance(
      {},
      {
        http(stream, head) {
          heads.push(head);
          stream.respond({ status: 200, headers: FOR_EVER });
          stream.write(new Uint8Array(1000));
          if (heads.length > 1) stream.end();
        },
      },
    );
    const reader = (await ask("/a.js")).body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await (await ask("/a.js")).arrayBuffer()).byteLength).toBe(1000);
    expect(heads.length).toBe(2);
  });

  test("version 1, whose client fits its files to an address", async () => {
    const person = await signedIn(OWNER);
    let asked = 0;
    await connectVersionOne(token, "v1-copied", () => {
      asked++;
      return { status: 200, headers: FOR_EVER, body: "x" };
    });
    const label = await instanceLabel(OWNER, "v1-copied");
    await trustPath(OWNER, label, true);
    for (let times = 0; times < 3; times++) {
      const answered = await askPath(`${routes.clientProxy(label)}/a.js`, { person });
      expect(await answered.text()).toBe("x");
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    expect(asked).toBe(3);
  });
});

describe("answers that stand still", () => {
  test("do not keep others from being kept", async () => {
    const { ask } = await instance(
      {},
      {
        http(stream) {
          stream.respond({ status: 200, headers: FOR_EVER });
          let rest = new Uint8Array(4_000_000);
          const write = () => (rest = rest.subarray(stream.write(rest)));
          if (stream.handler) stream.handler.writable = write;
          write();
        },
      },
    );
    const readers: ReadableStreamDefaultReader<Uint8Array>[] = [];
    for (let number = 0; number < 4; number++) {
      const body = (await ask(`/${number}.js`)).body as ReadableStream<Uint8Array>;
      const reader = body.getReader();
      readers.push(reader);
      let bytes = 0;
      while (bytes < 4_000_000) bytes += (await reader.read()).value?.byteLength ?? 0;
    }
    expect(await reached(await instance({ body: new Uint8Array(2_000_000) }), "/a.js")).toBe(1);
    for (const reader of readers) await reader.cancel();
  });
});

describe("a copy is given to nobody whom the instance would not be shown to", () => {
  test("not without a sign-in, nor to somebody else who is signed in", async () => {
    const { id, copied, ask, heads } = await instance();
    await (await copied("/a.js")).text();
    const before = heads.length;
    const label = await instanceLabel(OWNER, id);
    const origin = `http://${label}.hub.localhost:8787`;
    const without = await exports.default.fetch(`${origin}/a.js`, {
      headers: { host: new URL(origin).host },
    });
    expect([without.status, (await without.text()).includes("the file")]).toEqual([401, false]);
    const other = await ask("/a.js", { user: OTHER });
    expect([other.status, (await other.text()).includes("the file")]).toEqual([404, false]);
    expect(heads.length).toBe(before);
  });

  test("not to a sign-in that has ended", async () => {
    const { id, copied, ask } = await instance();
    await (await copied("/a.js", { sessionId: "gone" })).text();
    await (await tunnelOf(OWNER, id)).endSessions(OWNER, ["gone"]);
    const refused = await ask("/a.js", { sessionId: "gone" });
    expect([refused.status, (await refused.text()).includes("the file")]).toEqual([401, false]);
    expect((await ask("/a.js")).status).toBe(200);
  });

  test("not to who is not on the list of the connection there is now", async () => {
    const { connect, copied, ask } = await instance();
    await (await copied("/a.js")).text();
    await connect({ access: { users: ["somebody-else"] } });
    const refused = await ask("/a.js");
    expect([refused.status, (await refused.text()).includes("the file")]).toEqual([403, false]);
  });

  test("not to a page of another origin", async () => {
    const { copied, ask } = await instance();
    await (await copied("/a.js")).text();
    const refused = await ask("/a.js", { headers: { origin: "http://evil.example" } });
    expect([refused.status, (await refused.text()).includes("the file")]).toEqual([403, false]);
  });

  test("not while the instance is away, sent away or its token revoked", async () => {
    const ways: ((id: string, connector: FakeConnector) => Promise<void>)[] = [
      async (_id, connector) => connector.socket.close(1000),
      async (id) => (await tunnelOf(OWNER, id)).keepAway(OWNER, "Sent away."),
      async (id) => (await tunnelOf(OWNER, id)).disconnect(OWNER, "token_revoked", "Revoked."),
    ];
    for (const end of ways) {
      const { id, connector, copied, ask } = await instance();
      await (await copied("/a.js")).text();
      await end(id, connector);
      await vi.waitFor(async () => expect((await ask("/a.js")).status).toBe(503));
      expect(await (await ask("/a.js")).text()).not.toContain("the file");
    }
  });

  test("not in path mode once its owner has taken that back", async () => {
    const heads: RequestHead[] = [];
    const { look, label } = await pathInstance(OWNER, "path-copied", { http: answers(heads, {}) });
    await vi.waitFor(async () => {
      const before = heads.length;
      await (await look("/a.js")).text();
      expect(heads.length).toBe(before);
    });
    await trustPath(OWNER, label, false);
    const refused = await look("/a.js");
    expect([refused.status, (await refused.text()).includes("the file")]).toEqual([403, false]);
  });
});

describe("a copy is one of this instance's, of this application", () => {
  test("not of another's with the same path, by the same or another owner", async () => {
    const mine = await instance({ body: "mine" });
    const second = await instance({ body: "second" });
    const bobs = await ownerWithToken(OTHER);
    await connectFake(bobs, mine.id, { http: answers([], { body: "bob's" }) });
    expect(await (await mine.copied("/a.js")).text()).toBe("mine");
    expect(await (await second.copied("/a.js")).text()).toBe("second");
    expect(await (await view(OTHER, mine.id, "/a.js")).text()).toBe("bob's");
  });

  test("it does for the next connection with the same token, and for no other version or token", async () => {
    const { text: another } = await issueInstanceToken(env.DB, { userId: OWNER, name: "another" });
    let body = "one";
    const heads: RequestHead[] = [];
    const http = (stream: Stream, head: RequestHead) => answers(heads, { body })(stream, head);
    const upstream = (version: string) => ({ http, upstream: { name: "app", version } });
    const { connect, ask, copied } = await instance({}, upstream("1"));
    const settled = async () => {
      for (let times = 0; times < 3; times++) {
        await (await ask("/a.js")).text();
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    };
    await settled();
    expect(heads.length).toBe(1);
    body = "two";
    await connect(upstream("1"));
    expect(await (await ask("/a.js")).text()).toBe("one");
    await connect(upstream("2"));
    expect(await (await ask("/a.js")).text()).toBe("two");
    await settled();
    body = "three";
    await connect(upstream("2"), another);
    expect(await (await ask("/a.js")).text()).toBe("three");
    expect(copied).toBeDefined();
  });

  test("what an instance says in the hub's words is not heard", async () => {
    const forged: HeaderFields = [
      ["x-orchestrator-keep-as", "x"],
      ["x-orchestrator-use-copy", "1"],
      ["x-orchestrator-encoded-as", "br"],
    ];
    const one = await instance({ headers: [["cache-control", "no-store"], ...forged] });
    expect(await reached(one, "/a.js")).toBe(3);
    const browser = await instance();
    expect(
      await reached(browser, "/a.js", { headers: { "x-orchestrator-viewer": "x", range: "bytes=0-1" } }),
    ).toBe(3);
  });
});

describe("in path mode", () => {
  test("a copy is of what the instance sent, and is rewritten anew", async () => {
    const heads: RequestHead[] = [];
    const sheet = "a { background: url(/x) }";
    const css: HeaderFields = [["content-type", "text/css"], ...FOR_EVER.slice(1)];
    const http = answers(heads, await packing(css, sheet));
    const { look, prefix } = await pathInstance(OWNER, "path-sheet", { http });
    const seen = async () => {
      const before = heads.length;
      const answer = await look("/a.css", { headers: { "accept-encoding": "gzip, br" } });
      expect(await answer.text()).toBe(`a { background: url(${prefix}/x) }`);
      expect([answer.headers.get("content-encoding"), answer.headers.get("etag")]).toEqual([
        null,
        'W/"one-orchestrator-dev"',
      ]);
      return heads.length - before;
    };
    expect(await seen()).toBe(1);
    await vi.waitFor(async () => expect(await seen()).toBe(0));
    const known = await look("/a.css", {
      headers: { "accept-encoding": "gzip, br", "if-none-match": 'W/"one-orchestrator-dev"' },
    });
    expect([known.status, known.headers.get("etag")]).toEqual([304, 'W/"one-orchestrator-dev"']);
  });
});
