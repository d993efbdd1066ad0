/** Path mode from a browser's request to the instance and back: who may, what is asked, what comes of it. */
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { askPath, OPENED, pathInstance, trustPath } from "../../../test/path-viewer.ts";
import { signedIn } from "../../../test/hub.ts";
import { routes } from "../../routes.ts";

const text = (body: string) => new TextEncoder().encode(body);

/** An application that answers with what it was asked for. */
const echo = {
  http(stream: { respond(head: object): void; write(data: Uint8Array): void; end(): void }, head: object) {
    stream.respond({ status: 200, headers: [["content-type", "application/json"]] });
    stream.write(text(JSON.stringify(head)));
    stream.end();
  },
} as never;

const answering = (headers: [string, string][], body: Uint8Array) =>
  ({
    http(stream: { respond(head: object): void; write(data: Uint8Array): void; end(): void }) {
      stream.respond({ status: 200, headers });
      stream.write(body);
      stream.end();
    },
  }) as never;

const page = (body: string) => answering([["content-type", "text/html"]], text(body));

interface Head {
  method: string;
  target: string;
  headers: [string, string][];
}

describe("the instance", () => {
  test("is asked as on a host of its own, with and without a slash at the end", async () => {
    const { look, prefix } = await pathInstance("ann", "asked", echo);
    const heads = await Promise.all(
      ["", "/", "?a=1", "/x/y?b=2", "//evil.example/x", "/%2e%2e%2fx"].map(async (path) =>
        (await look(path)).json<Head>(),
      ),
    );
    expect(heads.map(({ target }) => target)).toEqual([
      "/",
      "/",
      "/?a=1",
      "/x/y?b=2",
      "//evil.example/x",
      "/%2e%2e%2fx",
    ]);
    const headers = new Map(heads[0]?.headers);
    expect(headers.get("x-forwarded-prefix")).toBe(prefix);
    expect(headers.get("x-forwarded-host")).toBe("hub.localhost:8787");
    expect(headers.has("cookie")).toBe(false);
  });
});

test("a page opened without a slash at the end is opened with one, so that its relative addresses lead to the instance", async () => {
  const { look, prefix } = await pathInstance("ann", "slash", echo);
  const opened = await look("?a=1", { headers: OPENED });
  expect([opened.status, opened.headers.get("location")]).toEqual([307, `${prefix}/?a=1`]);
  expect((await look("/?a=1", { headers: OPENED })).status).toBe(200);
});

describe("a page", () => {
  test("leads to the instance, the shim first in its head", async () => {
    const { look, prefix } = await pathInstance(
      "ann",
      "page",
      page(`<!doctype html><head><link href="/a.css"></head><a href=/b>b</a>`),
    );
    const html = await (await look("/", { headers: OPENED })).text();
    expect(html).toMatch(
      new RegExp(
        `^<!doctype html><head><script src="${prefix}/.orchestrator/shim.js\\?v=dev"></script><script src="${prefix}/.orchestrator/mark.js`,
      ),
    );
    expect(html).toContain(`<link href="${prefix}/a.css"></head><a href=${prefix}/b>b</a>`);
  });
});

describe("what is compressed", () => {
  test("and not rewritten arrives as it was sent", async () => {
    const compressed = new Response("let a = 1;").body?.pipeThrough(new CompressionStream("gzip"));
    const bytes = new Uint8Array(await new Response(compressed).arrayBuffer());
    const script: [string, string][] = [
      ["content-type", "text/javascript"],
      ["content-encoding", "gzip"],
    ];
    const { look } = await pathInstance("ann", "compressed", answering(script, bytes));
    const answer = await look("/a.js", { headers: { "accept-encoding": "gzip" } });
    expect(answer.headers.get("content-encoding")).toBe("gzip");
    expect(await answer.text()).toBe("let a = 1;");
  });
});

describe("who may", () => {
  test("is whoever is signed in as its owner, and has allowed it", async () => {
    const { look, label, prefix } = await pathInstance("ann", "mine", echo);
    expect((await look("/")).status).toBe(200);
    const nobody = await askPath(`${prefix}/x?y=1`, { headers: OPENED });
    expect([nobody.status, nobody.headers.get("location")]).toEqual([
      302,
      `${routes.signIn}?next=${encodeURIComponent(`${prefix}/x?y=1`)}`,
    ]);
    expect((await askPath(`${prefix}/x`)).status).toBe(401);
    const eve = await signedIn("eve");
    expect((await askPath(`${prefix}/x`, { person: eve })).status).toBe(404);
    await trustPath("ann", label, false);
    const refused = await look("/x");
    expect([refused.status, refused.headers.get("x-orchestrator-error")]).toEqual([
      403,
      "path_mode_not_allowed",
    ]);
    const opened = await look("/x?y=1", { headers: OPENED });
    expect(opened.headers.get("location")).toBe(
      `${routes.clientPath(label)}?next=${encodeURIComponent(`${prefix}/x?y=1`)}`,
    );
    expect(env.HUB_ORIGIN).toBeDefined();
  });

  test("a client id leads to the label", async () => {
    const { person, prefix } = await pathInstance("ann", "by-id", echo);
    const answer = await askPath("/clients/by-id/proxy/x?y=1", { person });
    expect([answer.status, answer.headers.get("location")]).toEqual([307, `${prefix}/x?y=1`]);
  });
});

test("a browser that asks for the worker of an instance it may not see is given one that leaves", async () => {
  const { look, label, prefix } = await pathInstance(
    "ann",
    "worker",
    answering([["content-type", "text/javascript"]], text("own")),
  );
  const headers = { "service-worker": "script" };
  expect(await (await look("/sw.js", { headers })).text()).toContain("own");
  const eve = await signedIn("eve");
  const others = await askPath(`${prefix}/sw.js`, { person: eve, headers });
  await trustPath("ann", label, false);
  for (const answer of [others, await look("/sw.js", { headers })]) {
    expect([answer.status, answer.headers.get("content-type")]).toEqual([
      200,
      "text/javascript; charset=utf-8",
    ]);
    expect(await answer.text()).toContain("registration.unregister()");
  }
  expect((await askPath(`${prefix}/sw.js`, { headers })).status).toBe(401);
});
