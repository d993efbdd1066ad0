/** The mark's script in the documents of instances: in which, where in them, and that nothing else is touched. */
import { env, exports } from "cloudflare:workers";
import type { HeaderFields, Stream } from "@ai-orchestrator/protocol";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connectFake } from "../../test/fake-connector.ts";
import { admit } from "../../test/hub.ts";
import { view, type ViewerRequest } from "../../test/viewer.ts";
import { issueInstanceToken } from "../auth/token.ts";
import { signViewerCookie, VIEWER_COOKIE } from "../auth/viewer.ts";
import { createSession } from "../db/sessions.ts";
import { setShowsMark, upsertUser } from "../db/users.ts";
import { instanceLabel } from "../origins.ts";
import { instanceRoutes } from "../routes.ts";
import { serveInstance } from "./ingress.ts";
import { allowsOwnScripts } from "./mark.ts";

const OWNER = "github:1";
const ID = "marked";
const PAGE = "<!doctype html><html><head><title>a</title></head><body>b</body></html>";
const OPENS = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none" };

interface Answer {
  status?: number;
  headers?: HeaderFields;
  body?: string | Uint8Array;
}
let answer: Answer;
let asked: Record<string, string>;
let label: string;
let script: string;
/** Set where a test writes the body itself. */
let write: ((stream: Stream) => void) | undefined;
/** Set where there is to be no answer. */
let refuse: ((stream: Stream) => void) | undefined;

const bytes = (text: string) => new TextEncoder().encode(text);

beforeAll(async () => {
  await upsertUser(env.DB, { id: OWNER, login: "ann", name: "Ann" });
  await admit(OWNER);
  const { text } = await issueInstanceToken(env.DB, { userId: OWNER, name: "test" });
  label = await instanceLabel(OWNER, ID);
  script = `<script src="/.orchestrator/mark.js?v=dev" data-hub="http://hub.localhost:8787" data-label="${label}" defer></script>`;
  await connectFake(text, ID, {
    http(stream, head) {
      asked = Object.fromEntries(head.headers);
      if (refuse) return refuse(stream);
      const { status = 200, headers = [["content-type", "text/html; charset=utf-8"]], body = PAGE } = answer;
      stream.respond({ status, headers });
      if (write) return write(stream);
      stream.write(typeof body === "string" ? bytes(body) : body);
      stream.end();
    },
  });
});
beforeEach(() => {
  answer = {};
  write = undefined;
  refuse = undefined;
});

/** Opens a page as a person does in a browser. */
async function open(init: ViewerRequest = {}): Promise<Response> {
  return view(OWNER, ID, "/page", {
    ...init,
    headers: { ...OPENS, ...(init.headers as Record<string, string>) },
  });
}

describe("the document of a navigation", () => {
  it("has the script in its head, and no header that speaks of other bytes", async () => {
    answer.headers = [
      ["content-type", "Text/HTML;charset=UTF-8"],
      ["content-length", String(PAGE.length)],
      ["etag", '"1"'],
      ["last-modified", "Sat, 21 Nov 2026 00:00:00 GMT"],
      ["accept-ranges", "bytes"],
      ["x-own", "1"],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ];
    const response = await open();
    expect(await response.text()).toBe(PAGE.replace("<head>", `<head>${script}`));
    for (const name of ["content-length", "etag", "last-modified", "accept-ranges"])
      expect([name, response.headers.get(name)]).toEqual([name, null]);
    expect(response.headers.get("x-own")).toBe("1");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  });

  it("is asked for whole and in what can be read", async () => {
    for (const [accepted, expected] of [
      ["gzip, deflate, br, zstd", "gzip, br"],
      ["deflate", "identity"],
    ] as const) {
      await open({
        headers: { "accept-encoding": accepted, "if-none-match": '"1"', "if-modified-since": "x" },
      });
      expect(asked["accept-encoding"]).toBe(expected);
    }
    expect(Object.keys(asked).filter((name) => name.startsWith("if-"))).toEqual([]);
  });

  it("is marked when the instance's service worker asks for it, and when it says what went wrong", async () => {
    expect(await (await open({ headers: { "sec-fetch-dest": "empty" } })).text()).toContain(script);
    answer.status = 500;
    expect(await (await open()).text()).toContain(script);
  });

  it("comes with a new cookie where the old one is stale, and that says whether it is marked", async () => {
    const now = Date.now();
    const row = { id: "live", secret: "s", userId: OWNER, userAgent: "", ip: null, place: null };
    await createSession(env.DB, { ...row, now, expiresAt: now + 600_000 });
    const response = await open({ sessionId: "live", issuedAt: now - 600_000 });
    expect(response.headers.getSetCookie().map((cookie) => cookie.split("=", 1)[0])).toEqual([VIEWER_COOKIE]);
    expect(await response.text()).toContain(script);
    await setShowsMark(env.DB, OWNER, false);
    expect(await (await open({ sessionId: "live", issuedAt: now - 600_000 })).text()).toBe(PAGE);
    await setShowsMark(env.DB, OWNER, true);
  });

  // What the connector makes of three pieces, and of the end.
  it.each<[string, string[]]>([
    [
      "br",
      ["CxUAAAQccoiBfJF/q26Ek1KE0UcyWS6A7roq0QA=", "UAAIPHA+bW9yZTwvcD4=", "SAAIPHA+ZW5kPC9wPg==", "Aw=="],
    ],
    [
      "gzip",
      [
        "H4sIAAAAAAAAA7JRTMlPLqksSFXIKMnNsbOBkqmJKXY2JZklOal2iTb6EAYAAAD//w==",
        "simwy80vSrXRL7ADAAAA//8=",
        "simwS81LAbEAAAAA//8=",
        "AwAYp7/yQAAAAA==",
      ],
    ],
  ])("passes each chunk on before the next is there where it comes as %s", async (encoding, packed) => {
    answer.headers = [
      ["content-type", "text/html"],
      ["content-encoding", encoding],
    ];
    const sent = Promise.withResolvers<Stream>();
    write = sent.resolve;
    const response = await open({ headers: { "accept-encoding": "gzip, br" } });
    expect(response.headers.get("content-encoding")).toBeNull();
    const stream = await sent.promise;
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let shown = "";
    for (const [index, chunk] of [
      `<!doctype html><html><head>${script}<title>a</title>`,
      "<p>more</p>",
      "<p>end</p>",
    ].entries()) {
      stream.write(Uint8Array.from(atob(packed[index] ?? ""), (character) => character.charCodeAt(0)));
      const expected = shown + chunk;
      while (shown.length < expected.length) shown += (await reader?.read())?.value ?? "";
      expect(shown).toBe(expected);
    }
    stream.write(Uint8Array.from(atob(packed[3] ?? ""), (character) => character.charCodeAt(0)));
    stream.end();
    expect((await reader?.read())?.done).toBe(true);
  });

  it("passes each chunk on before the next is there, and every byte", async () => {
    const chunks = ["<!doctype html>", "<html><he", "ad><title>", "ä</title>", "<body>end"];
    const sent = Promise.withResolvers<Stream>();
    write = sent.resolve;
    const response = await open();
    const stream = await sent.promise;
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const shown: string[] = [];
    for (const chunk of chunks) {
      stream.write(bytes(chunk));
      shown.push((await reader?.read())?.value ?? "");
    }
    stream.end();
    for (let rest; !(rest = await reader?.read())?.done;) shown.push(rest?.value ?? "");
    expect(shown.slice(0, 2)).toEqual(["<!doctype html>", "<html>"]);
    expect(shown.join("")).toBe(chunks.join("").replace("<head>", `<head>${script}`));
  });

  it("breaks off where the instance's answer does", async () => {
    for (const begun of ["<!doc", "<html><head>"]) {
      write = (stream) => {
        stream.write(bytes(begun));
        setTimeout(() => stream.reset("internal_error"), 20);
      };
      await expect((await open()).text()).rejects.toThrow();
    }
  });

  it("ends the request where the browser leaves", async () => {
    const sent = Promise.withResolvers<Stream>();
    write = (stream) => {
      stream.write(bytes("<html><head>"));
      sent.resolve(stream);
    };
    const response = await open();
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    const stream = await sent.promise;
    const timer = setInterval(() => stream.write(bytes("more")), 20);
    await expect.poll(() => stream.isOver).toBe(true);
    clearInterval(timer);
  });
});

describe("left as it is", () => {
  const html = "text/html";
  it.each<[string, Answer]>([
    ["what is no HTML", { headers: [["content-type", "text/plain"]] }],
    ["XHTML", { headers: [["content-type", "application/xhtml+xml"]] }],
    ["XML", { headers: [["content-type", "text/xml"]] }],
    ["what has no type", { headers: [] }],
    [
      "what is encoded all the same",
      {
        headers: [
          ["content-type", html],
          ["content-encoding", "x-own"],
        ],
      },
    ],
    [
      "a download",
      {
        headers: [
          ["content-type", html],
          ["content-disposition", 'Attachment; filename="a"'],
        ],
      },
    ],
    [
      "a part",
      {
        status: 206,
        headers: [
          ["content-type", html],
          ["content-range", "bytes 0-1/9"],
        ],
      },
    ],
    ["a character of two bytes", { headers: [["content-type", "text/html; charset=UTF-16LE"]] }],
    [
      "what its policy forbids",
      {
        headers: [
          ["content-type", html],
          ["content-security-policy", "script-src 'none'"],
        ],
      },
    ],
  ])("%s", async (_what, given) => {
    answer = { ...given, headers: [...(given.headers ?? []), ["etag", '"1"']] };
    const response = await open();
    expect(await response.text()).toBe(PAGE);
    expect(response.headers.get("etag")).toBe('"1"');
  });

  it.each([204, 304])("an answer with status %i", async (status) => {
    answer = {
      status,
      headers: [
        ["content-type", html],
        ["etag", '"1"'],
      ],
      body: "",
    };
    const response = await open();
    expect([response.status, response.body, response.headers.get("etag")]).toEqual([status, null, '"1"']);
  });

  it("the answer to HEAD", async () => {
    answer.headers = [
      ["content-type", html],
      ["content-length", "71"],
      ["etag", '"1"'],
    ];
    const response = await open({ method: "HEAD" });
    expect(response.headers.get("etag")).toBe('"1"');
  });

  it.each([
    ["a fetch", { "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" }],
    ["a frame", { "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" }],
    ["a program", { "sec-fetch-mode": "", "sec-fetch-dest": "", accept: "text/html" }],
  ])("what is asked for by %s", async (_who, headers) => {
    const sent = Object.fromEntries(
      Object.entries({ ...OPENS, ...headers, "sec-fetch-site": "same-origin" }).filter(
        ([, value]) => value !== "",
      ),
    );
    const response = await view(OWNER, ID, "/page", {
      headers: { ...sent, "if-none-match": '"1"', "accept-encoding": "gzip" },
    });
    expect(await response.text()).toBe(PAGE);
    expect([asked["accept-encoding"], asked["if-none-match"]]).toEqual(["gzip", '"1"']);
  });

  it("everything, for who does not want the mark", async () => {
    const response = await open({ showsMark: false, headers: { "if-none-match": '"1"' } });
    expect(await response.text()).toBe(PAGE);
    expect(asked["if-none-match"]).toBe('"1"');
  });

  it("the hub's own pages at the instance's host", async () => {
    refuse = (stream) => stream.reset("upstream_failed");
    const headers = { ...OPENS, accept: "text/html" };
    for (const [id, code] of [
      [ID, "upstream_failed"],
      ["never-connected", "not_found"],
    ] as const) {
      const response = await view(OWNER, id, "/", { headers });
      expect(response.headers.get("x-orchestrator-error")).toBe(code);
      expect(await response.text()).not.toContain("mark.js");
    }
  });

  it("a document that does not begin for very long, and one that never does", async () => {
    for (const body of [
      `<!-- ${"x".repeat(20_000)} -->${PAGE}`,
      "<!doctype html><!-- never",
      "",
      "<html><he",
    ]) {
      answer.body = body;
      expect(await (await open()).text()).toBe(body);
    }
  });

  it("bytes that are no text", async () => {
    const body = crypto.getRandomValues(new Uint8Array(60_000));
    body[0] = 0xff;
    body[1] = 0xfe;
    answer.body = body;
    expect(new Uint8Array(await (await open()).arrayBuffer())).toEqual(body);
    body[0] = 0x80;
    const marked = new Uint8Array(await (await open()).arrayBuffer());
    expect(marked.byteLength).toBe(body.byteLength + script.length);
    expect(marked.slice(script.length)).toEqual(body);
  });
});

it.each<[string | null, boolean]>([
  [null, true],
  ["frame-ancestors 'self'", true],
  ["default-src 'self'", true],
  ["script-src 'self' 'unsafe-inline', frame-ancestors 'self'", true],
  ["default-src 'none'; script-src-elem *", true],
  ["SCRIPT-SRC 'SELF'", true],
  ["default-src 'none'", false],
  ["default-src 'self'; script-src 'nonce-abc'", false],
  ["script-src 'self' 'strict-dynamic' 'nonce-abc'", false],
  ["script-src", false],
  ["script-src 'none'; script-src 'self'", false],
  ["frame-ancestors 'self', script-src https://cdn.example", false],
  ["script-src 'self'; script-src-elem 'none'", false],
  ["sandbox allow-scripts", false],
])("a policy %j lets the script run: %s", (policy, expected) => {
  expect(allowsOwnScripts(policy)).toBe(expected);
});

describe("the script itself", () => {
  const get = (init: RequestInit & { cookie?: string } = {}) => view(OWNER, ID, instanceRoutes.mark, init);

  it("is the same static file for everybody who looks", async () => {
    const seen: { path: string; method: string; known: string | null }[] = [];
    const ASSETS = {
      fetch: async (request: Request) => {
        const { pathname } = new URL(request.url);
        seen.push({ path: pathname, method: request.method, known: request.headers.get("if-none-match") });
        if (request.headers.get("if-none-match") === '"v"') return new Response(null, { status: 304 });
        return new Response("script", { headers: { "content-type": "text/javascript", etag: '"v"' } });
      },
    } as unknown as Fetcher;
    const path = instanceRoutes.mark;
    const cookie = await cookieOf();
    const ask = (headers: Record<string, string>) =>
      serveInstance(
        new Request(`http://${label}.hub.localhost:8787${path}?v=dev`, { headers: { cookie, ...headers } }),
        { ...env, ASSETS },
        label,
      );
    const first = await ask({ "sec-fetch-site": "same-origin" });
    expect(await first.text()).toBe("script");
    expect(first.headers.get("cache-control")).toBe("private, max-age=86400");
    expect(first.headers.get("x-content-type-options")).toBe("nosniff");
    const again = await ask({ "if-none-match": '"v"' });
    expect([again.status, again.headers.get("cache-control")]).toEqual([304, "private, max-age=86400"]);
    const assets = "/.orchestrator/assets/dev/mark.js";
    expect(seen).toEqual([
      { path: assets, method: "GET", known: null },
      { path: assets, method: "GET", known: '"v"' },
    ]);
  });

  it("is for those who may look, from the instance's own pages, and only read", async () => {
    const origin = `http://${label}.hub.localhost:8787`;
    const host = new URL(origin).host;
    const nobody = await exports.default.fetch(`${origin}${instanceRoutes.mark}`, { headers: { host } });
    expect(nobody.status).toBe(401);
    expect((await get({ headers: { origin: "http://evil.example" } })).status).toBe(403);
    expect((await get({ method: "POST" })).status).toBe(404);
  });

  async function cookieOf(): Promise<string> {
    const content = {
      userId: OWNER,
      login: "ann",
      sessionId: "s",
      showsMark: true,
      label,
      until: Date.now() + 60_000,
    };
    return `${VIEWER_COOKIE}=${await signViewerCookie(env, content)}`;
  }
});
