/** Answers of instances in path mode, through the hub: header fields, bodies as they stream, versions, parts, encodings, ends. */
import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import type { RequestHead, Stream } from "@ai-orchestrator/protocol";
import { HUB, signedIn } from "../../../test/hub.ts";
import { askPath, OPENED, pathInstance, trustPath, type PathInstance } from "../../../test/path-viewer.ts";
import { endSessions } from "../../auth/session.ts";
import { routes } from "../../routes.ts";

type Fields = [string, string][];

const bytes = (text: string) => new TextEncoder().encode(text);
const HTML: Fields[number] = ["content-type", "text/html; charset=utf-8"];
const CSS: Fields[number] = ["content-type", "text/css"];

interface Given {
  status?: number;
  headers?: Fields;
  body?: string | Uint8Array;
}

let count = 0;

/** An instance that answers so; `heads` is what it was asked. */
async function answering(
  answer: Given | ((head: RequestHead) => Given),
): Promise<PathInstance & { heads: RequestHead[] }> {
  const heads: RequestHead[] = [];
  const instance = await pathInstance("ann", `answers-${count++}`, {
    http(stream, head) {
      heads.push(head);
      const { status = 200, headers = [], body = "" } = typeof answer === "function" ? answer(head) : answer;
      stream.respond({ status, headers });
      if (head.method !== "HEAD" && status !== 304)
        stream.write(typeof body === "string" ? bytes(body) : body);
      stream.end();
    },
  });
  return { ...instance, heads };
}

const fieldOf = (head: RequestHead | undefined, name: string) =>
  head?.headers.find(([field]) => field === name)?.[1];

const PAGE = `<!doctype html><head></head><a href="/x">`;

/** The page as each encoding has it. Nothing here makes Brotli. */
const ENCODED: Record<string, () => Promise<Uint8Array>> = {
  gzip: () => compressed("gzip"),
  deflate: () => compressed("deflate"),
  br: async () =>
    Uint8Array.from(atob("GygA+KVFXnzwwEQOnKLAMvreCWCQCDGejMqkCQ=="), (character) => character.charCodeAt(0)),
};

async function compressed(encoding: "gzip" | "deflate"): Promise<Uint8Array> {
  const body = new Blob([PAGE]).stream().pipeThrough(new CompressionStream(encoding));
  return new Uint8Array(await new Response(body).arrayBuffer());
}

describe("header fields", () => {
  test("lead to the instance, and stay with it", async () => {
    const { look, prefix } = await answering({
      status: 302,
      headers: [
        ["location", "/login?next=/x"],
        ["content-location", "/a"],
        ["refresh", "3; url=/later"],
        ["link", `</a.css>; rel=preload; as=style, <https://cdn.example/b.js>; rel=preload`],
        ["service-worker-allowed", "/"],
        ["nel", "{}"],
        ["report-to", "{}"],
        ["clear-site-data", "*"],
        ["x-own", "/kept"],
      ],
    });
    const { headers } = await look("/deep/page");
    const got = [
      "location",
      "content-location",
      "refresh",
      "link",
      "service-worker-allowed",
      "nel",
      "report-to",
      "clear-site-data",
      "x-own",
    ];
    expect(got.map((name) => headers.get(name))).toEqual([
      `${prefix}/login?next=/x`,
      `${prefix}/a`,
      `3; url=${prefix}/later`,
      `<${prefix}/a.css>; rel=preload; as=style, <https://cdn.example/b.js>; rel=preload`,
      prefix,
      null,
      null,
      null,
      "/kept",
    ]);
  });

  test.each([
    ["//evil.example/x", "//evil.example/x"],
    ["https://evil.example/", "https://evil.example/"],
    [`${HUB}/x`, `${HUB}^/x`],
    ["relative", "relative"],
    ["^/there", "^/there"],
    ["/\\evil.example", "/\\evil.example"],
  ])("a redirect to %j", async (location, expected) => {
    const { look, prefix } = await answering(({ headers }) => ({
      status: 307,
      headers: [["location", location.replace("^", new Map(headers).get("x-forwarded-prefix") ?? "")]],
    }));
    expect((await look("/x")).headers.get("location")).toBe(expected.replace("^", prefix));
  });

  test.each(["/../../", "https://evil.example/", "/a/../../b", "//evil", `${HUB}/`])(
    "a service worker may not reach beyond the instance: %j",
    async (allowed) => {
      const { look, prefix } = await answering({ headers: [["service-worker-allowed", allowed]] });
      const got = (await look("/sw.js")).headers.get("service-worker-allowed") ?? "";
      expect(`${got}/`.startsWith(`${prefix}/`)).toBe(true);
    },
  );

  test("cookies stay below the prefix, under names browsers take there, and come back under their own", async () => {
    const { look, prefix, heads } = await answering({
      headers: [
        ["set-cookie", "a=1; Path=/; HttpOnly"],
        ["set-cookie", "b=2"],
        ["set-cookie", "c=3; path=/x/y; Domain=hub.localhost; Secure"],
        ["set-cookie", "__Host-sid=4; Path=/; Secure"],
        ["set-cookie", "d=5; Path=relative; Path="],
        ["set-cookie", "e=6; Path=/x=y"],
        ["set-cookie", "__Host-orchestrator-session=evil; Path=/; Secure"],
      ],
    });
    const answer = await look("/deep/page", {
      headers: { cookie: "__Secure-path-sid=4; x=__Secure-path-no; a=1" },
    });
    expect(answer.headers.getSetCookie()).toEqual([
      `a=1; Path=${prefix}; HttpOnly`,
      `b=2; Path=${prefix}/deep`,
      `c=3; Path=${prefix}/x/y; Secure`,
      `__Secure-path-sid=4; Path=${prefix}; Secure`,
      `d=5; Path=${prefix}/deep`,
      `e=6; Path=${prefix}/x=y`,
    ]);
    expect(fieldOf(heads[0], "cookie")).toBe("__Host-sid=4; x=__Secure-path-no; a=1");
  });

  test("of a request name nothing of the hub's", async () => {
    const { look, prefix, heads } = await answering({});
    for (const referer of [
      `${HUB}${prefix}/a?b`,
      `${HUB}${prefix}`,
      `${HUB}/clients/other/proxy/x`,
      `${HUB}/dashboard?secret`,
    ])
      await look("/", {
        headers: { referer, "x-forwarded-prefix": "/evil", "x-orchestrator-user-id": "eve" },
      });
    expect(heads.map((head) => fieldOf(head, "referer"))).toEqual([
      `${HUB}/a?b`,
      `${HUB}/`,
      undefined,
      undefined,
    ]);
    expect(new Set(heads.map((head) => fieldOf(head, "x-forwarded-prefix")))).toEqual(new Set([prefix]));
    expect(JSON.stringify(heads)).not.toMatch(/evil|eve"|__Host-orchestrator/);
  });

  test("nothing of it is kept by shared caches", async () => {
    const { look } = await answering({ headers: [HTML, ["cache-control", "public, max-age=60"]], body: "x" });
    for (const path of ["/x.css", "/a;.js", "/%2f%2e%2e%2fdashboard.png"])
      expect((await look(path)).headers.get("cache-control")).toBe("private, max-age=60");
  });
});

describe("a page", () => {
  test("goes out as it comes: a first piece before the next arrives", async () => {
    const streams: Stream[] = [];
    const { look, prefix } = await pathInstance("ann", "streaming", {
      http(stream) {
        streams.push(stream);
        stream.respond({ status: 200, headers: [HTML] });
        stream.write(bytes(`<!doctype html><head><title>x</title></head><a href="/one">1</a><a hre`));
      },
    });
    const response = await look("/", { headers: OPENED });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const until = async (piece: string) => {
      while (!text.includes(piece)) text += (await reader?.read())?.value ?? "";
    };
    await until(`<a href="${prefix}/one">1</a><a`);
    const [stream] = streams;
    // What has come out is all but the tag that is not whole.
    expect(text.endsWith("1</a><a")).toBe(true);
    stream?.write(bytes(`f="/two">2</a>`));
    await until(`<a href="${prefix}/two">2</a>`);
    stream?.end();
    expect((await reader?.read())?.done).toBe(true);
  });

  test("breaks off where the instance's answer does", async () => {
    const { look } = await pathInstance("ann", "broken", {
      http(stream) {
        stream.respond({ status: 200, headers: [HTML] });
        stream.write(bytes("<p>half"));
        setTimeout(() => stream.reset("cancelled"), 20);
      },
    });
    const answer = await look("/", { headers: OPENED });
    await expect(answer.text()).rejects.toThrow();
  });

  test.each(["gzip", "br"])("is read where it comes as %s", async (encoding) => {
    const body = await ENCODED[encoding]?.();
    const { look, prefix, heads } = await answering({
      headers: [HTML, ["content-encoding", encoding]],
      ...(body && { body }),
    });
    const answer = await look("/", {
      headers: { ...OPENED, "accept-encoding": "gzip, deflate, br;q=0.5, zstd" },
    });
    expect(await answer.text()).toContain(`<a href="${prefix}/x">`);
    expect(answer.headers.get("content-encoding")).toBeNull();
    expect(fieldOf(heads[0], "accept-encoding")).toBe("gzip, br;q=0.5");
  });

  test.each(["gzip", "br"])("of another type stays as %s", async (encoding) => {
    const body = await ENCODED[encoding]?.();
    const headers: Fields = [
      ["content-type", "application/json"],
      ["content-encoding", encoding],
    ];
    const { look } = await answering({ headers, ...(body && { body }) });
    const answer = await look("/x");
    expect([answer.headers.get("content-encoding"), await answer.text()]).toEqual([encoding, PAGE]);
  });

  test("passes as it is where nobody here can read it, though it was asked not to be", async () => {
    const body = (await ENCODED["deflate"]?.()) ?? new Uint8Array();
    const { look, heads } = await answering({ headers: [HTML, ["content-encoding", "deflate"]], body });
    const answer = await look("/", { headers: { ...OPENED, "accept-encoding": "deflate" } });
    expect(answer.headers.get("content-encoding")).toBe("deflate");
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(body);
    expect(fieldOf(heads[0], "accept-encoding")).toBe("identity");
  });

  test("is left alone where it is none: other types, downloads, event streams, other scripts", async () => {
    const text = `<head></head><a href="/x"> url(/y) "/z"`;
    const types: [string, Fields][] = [
      ["application/json", []],
      ["text/javascript", []],
      ["text/plain", []],
      ["image/svg+xml", []],
      ["application/xhtml+xml", []],
      ["text/html; charset=utf-16", []],
      ["text/html", [["content-disposition", "attachment; filename=x.html"]]],
      ["text/css", [["content-disposition", "attachment"]]],
    ];
    for (const [type, more] of types) {
      const headers: Fields = [
        ["content-type", type],
        ["etag", `"e"`],
        ["content-length", String(text.length)],
        ...more,
      ];
      const { look } = await answering({ headers, body: text });
      const answer = await look("/x", { headers: OPENED });
      expect([type, await answer.text(), answer.headers.get("etag")]).toEqual([type, text, `"e"`]);
    }
  });

  test("fetched by a script has the shim only where it is a whole document", async () => {
    const fetched = {
      accept: "*/*",
      "sec-fetch-mode": "cors",
      "sec-fetch-dest": "empty",
      "sec-fetch-site": "same-origin",
    };
    const piece = await answering({ headers: [HTML], body: `<li><a href="/x">` });
    expect(await (await piece.look("/", { headers: fetched })).text()).toBe(
      `<li><a href="${piece.prefix}/x">`,
    );
    const whole = await answering({ headers: [HTML], body: `<!doctype html><a href="/x">` });
    expect(await (await whole.look("/", { headers: fetched })).text()).toContain("shim.js");
  });

  test("whose policy lends a nonce has the shim with it", async () => {
    const policy = "script-src 'nonce-abc' 'strict-dynamic'; object-src 'none'";
    const { look } = await answering({
      headers: [HTML, ["content-security-policy", policy]],
      body: "<head></head>",
    });
    const answer = await look("/", { headers: OPENED });
    expect(await answer.text()).toMatch(/shim\.js\?v=dev" nonce="abc"><\/script><\/head>/);
    expect(answer.headers.get("content-security-policy")).toBe(`${policy}, frame-ancestors 'self'`);
  });
});

describe("versions and parts", () => {
  const sheet = "a { background: url(/x) }";

  test("a rewritten answer has a tag of its own, by which the instance is asked", async () => {
    const { look, heads } = await answering(({ headers }) =>
      new Map(headers).get("if-none-match")?.includes(`"v1"`)
        ? { status: 304, headers: [["etag", `"v1"`]] }
        : {
            headers: [
              CSS,
              ["etag", `"v1"`],
              ["last-modified", "x"],
              ["content-length", String(sheet.length)],
            ],
            body: sheet,
          },
    );
    const first = await look("/a.css");
    const tag = first.headers.get("etag") ?? "";
    expect([tag, first.headers.get("last-modified"), first.headers.get("content-length")]).toEqual([
      `W/"v1-orchestrator-dev"`,
      null,
      null,
    ]);
    const again = await look("/a.css", { headers: { "if-none-match": tag } });
    expect([again.status, again.headers.get("etag")]).toEqual([304, tag]);
    expect(fieldOf(heads[1], "if-none-match")).toBe(`"v1", W/"v1"`);
    // Of another version of the hub.
    expect((await look("/a.css", { headers: { "if-none-match": `W/"v1-orchestrator-old"` } })).status).toBe(
      200,
    );
  });

  test("a part of what is rewritten is asked for as a whole, once; any other part stays one", async () => {
    const { look, heads, prefix } = await answering(({ headers }) => {
      const type: Fields[number] =
        new Map(headers).get("x-type") === "css" ? CSS : ["content-type", "video/mp4"];
      if (!new Map(headers).has("range")) return { headers: [type], body: sheet };
      return { status: 206, headers: [type, ["content-range", "bytes 0-3/25"]], body: sheet.slice(0, 4) };
    });
    const whole = await look("/a.css", {
      headers: { range: "bytes=0-3", "if-range": `"x"`, "x-type": "css" },
    });
    expect([whole.status, await whole.text(), heads.length]).toEqual([
      200,
      `a { background: url(${prefix}/x) }`,
      2,
    ]);
    const part = await look("/a.mp4", { headers: { range: "bytes=0-3" } });
    expect([part.status, await part.text(), part.headers.get("content-range"), heads.length]).toEqual([
      206,
      "a { ",
      "bytes 0-3/25",
      3,
    ]);
  });
});

describe("a service worker", () => {
  test("keeps to the instance and is asked for each time", async () => {
    const headers: Fields = [
      ["content-type", "text/javascript"],
      ["cache-control", "public, max-age=31536000, immutable"],
    ];
    const { look, prefix } = await answering({ headers, body: `caches.open("v1").then((c) => c.add("/"))` });
    const answer = await look("/sw.js", { headers: { "service-worker": "script" } });
    const text = await answer.text();
    expect(text).toContain(`c.add("${prefix}/")`);
    expect(text.indexOf("importScripts")).toBeLessThan(text.indexOf("caches.open"));
    expect(answer.headers.get("cache-control")).toBe("private, no-cache");
    expect(answer.headers.get("service-worker-allowed")).toBe(prefix);
    const nested = await look("/deep/sw.js", { headers: { "service-worker": "script" } });
    expect(nested.headers.get("service-worker-allowed")).toBe(`${prefix}/deep/`);
    expect(await (await look("/sw.js")).text()).toBe(`caches.open("v1").then((c) => c.add("/"))`);
  });
});

describe("what is open", () => {
  const open = async ({ look }: PathInstance) => {
    const socket = (await look("/ws", { headers: { upgrade: "websocket", origin: HUB } })).webSocket;
    const mark = (await look("/.orchestrator/presence", { headers: { upgrade: "websocket", origin: HUB } }))
      .webSocket;
    if (!socket || !mark) throw new Error("refused");
    const codes = { socket: 0, mark: 0 };
    socket.addEventListener("close", ({ code }) => {
      codes.socket = code;
    });
    mark.addEventListener("close", ({ code }) => {
      codes.mark = code;
    });
    socket.accept();
    mark.accept();
    return codes;
  };
  const events = {
    http(stream: Stream) {
      stream.respond({ status: 200, headers: [["content-type", "text/event-stream"]] });
      stream.write(bytes("data: 1\n\n"));
    },
  };

  test.each([
    ["it is taken back", ({ label }: PathInstance) => trustPath("ann", label, false)],
    [
      "its sign-in ends, though no code has brought it there",
      async ({ person }: PathInstance) => {
        await endSessions(env, "ann", [/session=([\w-]{16})\./.exec(person.cookie)?.[1] ?? ""]);
      },
    ],
  ])("ends when %s", async (_when, end) => {
    const instance = await pathInstance("ann", `open-${count++}`, events);
    const codes = await open(instance);
    const stream = (await instance.look("/events")).body?.getReader();
    await stream?.read();
    await end(instance);
    await vi.waitFor(() => expect(codes).toEqual({ socket: 1008, mark: 1008 }), { timeout: 8000 });
    await expect(stream?.read()).rejects.toThrow();
    expect((await instance.look("/")).status).toBeGreaterThanOrEqual(401);
  });

  test("ends when the instance is forgotten, which takes it back", async () => {
    const instance = await pathInstance("ann", `forgotten-${count}`, events);
    const hub = env.USER_HUB.getByName("ann");
    instance.connector.socket.close(1000);
    await vi.waitFor(async () =>
      expect(await hub.act(instance.label, { action: "forget" }, "ann")).toEqual({ done: null }),
    );
    const again = await instance.look("/");
    expect(again.headers.get("x-orchestrator-error")).toBe("path_mode_not_allowed");
  });

  test("at an instance's own host stays open when path mode is taken back", async () => {
    const { view } = await import("../../../test/viewer.ts");
    const instance = await pathInstance("ann", "own-host", events);
    const stream = (await view("ann", "own-host", "/events")).body?.getReader();
    await stream?.read();
    await trustPath("ann", instance.label, false);
    const next = stream?.read();
    const first = await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 100, "open"))]);
    expect(first).toBe("open");
    await stream?.cancel();
  });
});

describe("an instance that is away", () => {
  test("is waited for by a page that asks below the prefix, and leads back", async () => {
    const instance = await answering({});
    instance.connector.socket.close(1000);
    await vi.waitFor(async () => expect((await instance.look("/.orchestrator/ready")).status).toBe(503));
    const page = await instance.look("/x", { headers: OPENED });
    const text = await page.text();
    expect(page.status).toBe(503);
    expect(text).toContain(`data-ready="${instance.prefix}/.orchestrator/ready"`);
    expect(text).toContain(`${HUB}${routes.dashboard}`);
    expect(text).not.toContain("shim.js");
  });
});

describe("the hub's own below the prefix", () => {
  test("leads the mark to the hub's pages, and says from where", async () => {
    const { look, label } = await answering({});
    const switcher = await look(`/.orchestrator/switcher?from=${label}&next=%2Fx`);
    expect(switcher.headers.get("location")).toBe(`/switcher?from=${label}&next=%2Fx&mode=path`);
    expect((await look("/.orchestrator/dashboard")).headers.get("location")).toBe(routes.dashboard);
  });

  test("lets only a page of a trusted instance frame the list, and never another site", async () => {
    const { label, person } = await answering({});
    const { ask } = await import("../../../test/hub.ts");
    const policy = async (path: string, who = person) =>
      /frame-ancestors ([^;]*)/.exec(
        (await ask(path, { person: who })).headers.get("content-security-policy") ?? "",
      )?.[1];
    expect(await policy(`/switcher?from=${label}&mode=path`)).toBe(HUB);
    expect(await policy(`/switcher?from=${label}`)).toBe(`http://${label}.hub.localhost:8787`);
    expect(await policy(`/switcher?from=${label}&mode=path`, await signedIn("eve"))).toBe("'none'");
    await trustPath("ann", label, false);
    expect(await policy(`/switcher?from=${label}&mode=path`)).toBe("'none'");
  });

  test("hides the mark from who does not want it", async () => {
    const { look, person } = await answering({});
    const { ask } = await import("../../../test/hub.ts");
    const body = new URLSearchParams({ mark: "off", from: "x", next: "/clients/x/proxy/y?z", mode: "path" });
    const answer = await ask(routes.settings, { method: "POST", person, body });
    expect(answer.headers.get("location")).toBe("/clients/x/proxy/y?z");
    const script = await look("/.orchestrator/mark.js");
    expect([script.status, await script.text()]).toEqual([200, ""]);
    await ask(routes.settings, { method: "POST", person, body: new URLSearchParams({ mark: "on" }) });
    await askPath("/health");
  });
});
