import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import type { HeaderList, RequestParts } from "../adapter.ts";
import { PLACEHOLDER_TOKEN } from "./placeholder.ts";
import { injectPlaceholder, rewriteResponse } from "./rewrite-response.ts";

const REAL = "eyJ.real.token";
const page: RequestParts = { kind: "http", method: "GET", target: "/session/1", headers: [] };
const html: HeaderList = [["Content-Type", "text/html; charset=utf-8"]];

function rewrite(request: Partial<RequestParts>, status: number, headers: HeaderList) {
  const adopted: string[] = [];
  const result = rewriteResponse({ ...page, ...request }, { status, headers }, (token) =>
    adopted.push(token),
  );
  return { ...result, adopted };
}

test("pages get the script, nothing else is touched", () => {
  expect(rewrite({}, 200, html).rewriteBody?.("<head></head>")).toContain(PLACEHOLDER_TOKEN);
  expect(rewrite({}, 200, [["content-type", "TEXT/HTML"]]).rewriteBody).toBeDefined();
  expect(rewrite({}, 200, [["content-type", "application/javascript"]]).rewriteBody).toBeUndefined();
  expect(rewrite({}, 404, html).rewriteBody).toBeUndefined();
  expect(rewrite({}, 304, html).rewriteBody).toBeUndefined();
  expect(rewrite({ method: "HEAD" }, 200, html).rewriteBody).toBeUndefined();
  expect(rewrite({ target: "/api/file-tree/x.html" }, 200, html).rewriteBody).toBeUndefined();
  expect(rewrite({}, 200, [...html, ["Content-Encoding", "br"]]).rewriteBody).toBeDefined();
});

test("a renewed token in a header stays here, in every case of the name", () => {
  const { response } = rewrite({ target: "/api/x" }, 200, [
    ["X-Refreshed-Token", REAL],
    ["x-refreshed-token", REAL],
    ["Set-Cookie", "a=1"],
    ["Set-Cookie", "b=2"],
  ]);
  expect(response.headers).toEqual([
    ["Set-Cookie", "a=1"],
    ["Set-Cookie", "b=2"],
  ]);
});

describe("answers of the sign-in addresses", () => {
  test.each(["/api/auth/login", "/api/auth/register?x", "/API/Auth/refresh"])(
    "%s carries the placeholder",
    (target) => {
      const { rewriteBody, adopted } = rewrite({ target, method: "POST" }, 200, [
        ["Content-Type", "application/json"],
      ]);
      const body = rewriteBody?.(JSON.stringify({ success: true, user: { id: 1 }, token: REAL }));
      expect(JSON.parse(body ?? "")).toEqual({ success: true, user: { id: 1 }, token: PLACEHOLDER_TOKEN });
      expect(adopted).toEqual([REAL]);
    },
  );

  test.each(['{"needsSetup":false}', '{"error":"no","token":"not one"}', "plain", "", "[1]"])(
    "%s passes as it is",
    (body) => {
      const { rewriteBody, adopted } = rewrite({ target: "/api/auth/status" }, 200, []);
      expect(rewriteBody?.(body)).toBe(body);
      expect(adopted).toEqual([]);
    },
  );

  test("one that cannot be read is withheld", () => {
    const { response, rewriteBody } = rewrite({ target: "/api/auth/login" }, 200, [
      ["Content-Encoding", "gzip"],
    ]);
    expect(rewriteBody?.("\u001F\u008B")).toBe("{}");
    expect(response.headers).toEqual([]);
  });
});

describe("where the script goes", () => {
  const script = /<script>[^]*?<\/script>/;
  const mark = (text: string) => injectPlaceholder(text).replace(script, "[S]");

  test.each([
    ["<!doctype html><html><head><script>", "<!doctype html><html><head>[S]<script>"],
    [
      "<!DOCTYPE HTML>\n<HTML lang=en>\n<HEAD data-x='1'>\n<SCRIPT>",
      "<!DOCTYPE HTML>\n<HTML lang=en>\n<HEAD data-x='1'>[S]\n<SCRIPT>",
    ],
    ["\uFEFF<!doctype html><head>", "\uFEFF<!doctype html><head>[S]"],
    ["\uFEFFtext", "\uFEFF[S]text"],
    ["<!doctype html><title>no head</title>", "<!doctype html>[S]<title>no head</title>"],
    ["<html><body>no head</body>", "<html>[S]<body>no head</body>"],
    ["<!-- <head> --><html><head><p>", "<!-- <head> --><html><head>[S]<p>"],
    ["<html><header>not a head</header>", "<html>[S]<header>not a head</header>"],
    ["<p>fragment</p><head>", "[S]<p>fragment</p><head>"],
    ["<!-- never closed <head>", "[S]<!-- never closed <head>"],
    ["", "[S]"],
  ])("%j", (before, after) => expect(mark(before)).toBe(after));

  test("once, and in no time where a page is made to be slow", () => {
    expect(injectPlaceholder("<head><head>").match(/<script>/g)).toHaveLength(1);
    const before = performance.now();
    injectPlaceholder(`${" ".repeat(1e6)}${"<!--".repeat(1e5)}`);
    expect(performance.now() - before).toBeLessThan(500);
  });

  test("cannot be ended early by what it holds", () => {
    const body = script.exec(injectPlaceholder(""))?.[0] ?? "";
    const stored = new Map<string, string>();
    const localStorage = { setItem: (key: string, value: string) => stored.set(key, value) };
    const heard: string[] = [];
    const window = { WebSocket, document: { addEventListener: (type: string) => heard.push(type) } };
    runInNewContext(body.slice("<script>".length, -"</script>".length), { localStorage, window });
    expect([...stored]).toEqual([["auth-token", PLACEHOLDER_TOKEN]]);
    expect(heard).toEqual(["visibilitychange"]);
  });
});
