/** What each rewriting does to texts, whole and in pieces. */
import { describe, expect, test } from "vitest";
import { allowScript } from "./script-policy.ts";
import { createCssScanner, createJsonScanner } from "./css.ts";
import { HeadScanner } from "./head.ts";
import { HtmlScanner } from "./html.ts";
import { withInsertions, type Scanner } from "./insertions.ts";
import { placedManifest } from "./manifest.ts";
import { missingPrefixAt, placed, placedScope } from "./place.ts";
import { ownTags, rewrittenTag } from "./validators.ts";
import { placedWorkerScript } from "./worker-script.ts";

const P = "/clients/app-abcdefghij/proxy";
const place = { origin: "https://hub.example", prefix: P };

/** Scans a text that comes in pieces. */
function scan(pieces: string[], ...scanners: Scanner[]): string {
  const text = pieces.join("");
  const found = pieces.flatMap((piece) => scanners.flatMap((scanner) => scanner.push(piece)));
  found.push(...scanners.flatMap((scanner) => scanner.finish()));
  let [out, from] = ["", 0];
  for (const { at, text: inserted } of found.toSorted((a, b) => a.at - b.at)) {
    out += text.slice(from, at) + inserted;
    from = at;
  }
  return out + text.slice(from);
}

const html = (...pieces: string[]) => scan(pieces, new HtmlScanner(place));
const css = (...pieces: string[]) => scan(pieces, createCssScanner(place));

describe("an address", () => {
  test.each([
    ["/", `${P}/`],
    ["/a?b#c", `${P}/a?b#c`],
    [" \t/a", ` \t${P}/a`],
    ["https://hub.example/a", `https://hub.example${P}/a`],
    ["HTTPS://Hub.Example/a", `HTTPS://Hub.Example${P}/a`],
    ["//hub.example/a", `//hub.example${P}/a`],
    ["/clients/app-abcdefghij/proxyish", `${P}/clients/app-abcdefghij/proxyish`],
    ["/clients/other-abcdefghij/proxy/", `${P}/clients/other-abcdefghij/proxy/`],
  ])("of the instance gets the prefix: %j", (address, expected) => {
    expect(placed(address, place)).toBe(expected);
    expect(placed(expected, place)).toBe(expected);
  });

  test.each([
    "",
    "a",
    "./a",
    "../a",
    "?a",
    "#a",
    "//evil.example/a",
    "/\\evil.example",
    "https://evil.example/",
    "https://hub.example.evil/a",
    "https://hub.example",
    "//hub.example:8443/a",
    "data:text/html,/a",
    "javascript:'/a'",
    "mailto:/a",
    `${P}`,
    `${P}/a`,
    `${P}?a`,
    `${P}#a`,
  ])("that is none of its own, or has it already, stays: %j", (address) => {
    expect(missingPrefixAt(address, place)).toBeUndefined();
  });

  test("as a scope takes in the prefix without a slash", () => {
    expect(
      ["/", `${P}/`, P, "/a/", "https://hub.example/"].map((scope) => placedScope(scope, place)),
    ).toEqual([P, P, P, `${P}/a/`, `https://hub.example${P}/`]);
  });
});

/** `^` stands where the prefix is to be. */
const PAGES = [
  `<a href="^/a">x</a><img src='^/b' srcset="^/c 1x,^/d 2x, e 3x, //o/f"><script src=^/s></script>`,
  `<form action="^/f" METHOD=post><button formaction = "^/g">`,
  `<video poster=^/p ping="^/1 /\\2 ^/3"><object data="^/o"><div data="/not">`,
  `<base href="^/"><use xlink:href="^/s.svg#i"/><IMG SRC=^/x>`,
  `<meta http-equiv="Refresh" content="0; url=^/r"><meta content="5;URL='^/q'" http-equiv=refresh><meta name=x content="0; url=/no">`,
  `<p style="background: url(^/b.png), url( '^/c.png' ), url(&quot;^/d.png&quot;)">`,
  `<style>@import "^/a.css"; b { background: url(^/b) } i { content: "</b>" }</style><a href=^/x>`,
  `<script type="importmap">{"imports": {"a": "^/a.js", "^/b/": "./b/", "c": "https://o/c"}}</script>`,
  `<script type=speculationrules>{"prefetch":[{"urls":["^/n"]}]}</script>`,
  // What is text is text.
  `<script>x = '<a href="/s">' + "/y"</script><textarea><a href="/t"></textarea><title><a href=/u></title><!-- <a href="/c"> --><a href=^/v>`,
  `<script>if (a </script/.exec("/x"))</script><a href=^/x>`,
  `<noscript><img src=^/n></noscript><template><a href=^/t></template>`,
  // What HTMLRewriter stops at, and other things that browsers forgive.
  `<select><title></select><a href=^/a></title><a href=^/b>`.replace("^/a", "/a"),
  `<select><option><xmp></select><a href=^/x>`.replace("^/x", "/x"),
  `<table><a href=^/x><td></a></a></b></table></html><a href=^/y>`,
  `<a href="^/a"b='1'c href=/dup <b>`.replace("/dup", "^/dup"),
  `<a\nhref\n=\n"^/a"\t\t\f/>< a href=/x></ a href=/x><//><a href=^/y`.replace("<a href=^/y", "<a href=/y"),
  `<a href=^/a?b=1&c="2">x<a href="^/\u0000b\u0000"\u0000c>\u0000<a href=^/z>`,
  `<svg><style>a { fill: url(^/g) }</style><title>t</title><a href="^/s"/></svg><math><mi href="^/m">`,
  `<![CDATA[<a href="/x">]]><?xml href="/x"?><!doctype html SYSTEM "/x"><a href=^/a>`.replace(
    `<![CDATA[<a href="/x">]]>`,
    "",
  ),
  `<a href="&#x2F;m">`.replace("&#x2F;", "^&#x2F;"),
  `<a href="//o/x"><a href="/\\o"><a href="${P}/done"><a href="${P}"><a href="https://hub.example^/w">`,
  `<iframe srcdoc="&lt;a href='/x'&gt;"></iframe><a title="/t" alt='/a' data-src="/d">`,
];

describe("HTML", () => {
  test.each(PAGES.map((page) => [page]))("%j", (page) => {
    const [given, expected] = [page.replaceAll("^", ""), page.replaceAll("^", P)];
    expect(html(given)).toBe(expected);
    // Nothing is done twice.
    expect(html(expected)).toBe(expected);
  });

  test("is the same in two pieces, parted anywhere, and byte by byte", () => {
    for (const page of PAGES) {
      const [given, expected] = [page.replaceAll("^", ""), page.replaceAll("^", P)];
      for (let at = 0; at <= given.length; at++)
        expect([at, html(given.slice(0, at), given.slice(at))]).toEqual([at, expected]);
      expect(html(...given.split(""))).toBe(expected);
    }
  });

  test("goes on with a tag that is longer than what is held", () => {
    const data = `data:image/png;base64,${"A".repeat(200_000)}`;
    const page = `<img alt="a" srcset="/s 1x" src="${data}" href="/late"><a href="/next">`;
    const pieces = page.match(/.{1,16384}/g) ?? [];
    const out = html(...pieces);
    expect(out).toContain(`srcset="${P}/s 1x"`);
    expect(out).toContain(`<a href="${P}/next">`);
    expect(out.replaceAll(P, "")).toBe(page);
  });

  test("asks for a manifest with the sign-in, and for style sheets without their sums", () => {
    expect(
      html(`<link rel="manifest" href="/m"><link rel="icon manifest" href=/n crossorigin=anonymous>`),
    ).toBe(
      `<link crossorigin="use-credentials" rel="manifest" href="${P}/m"><link crossorigin="use-credentials" rel="icon manifest" href=${P}/n data-crossorigin=anonymous>`,
    );
    expect(html(`<link rel=manifest href=/m crossorigin="use-credentials">`)).toBe(
      `<link rel=manifest href=${P}/m crossorigin="use-credentials">`,
    );
    expect(
      html(`<link rel=stylesheet href=/a integrity=x><link rel=modulepreload href=/b integrity=y>`),
    ).toBe(
      `<link rel=stylesheet href=${P}/a data-integrity=x><link rel=modulepreload href=${P}/b integrity=y>`,
    );
  });

  test("whatever it is: no byte is lost, and nothing but prefixes is added", () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
    const parts = [
      ..."<>/\"'= ab&;-!\u0000\u0080\u00ff".split(""),
      "<a ",
      "href=",
      `"/x"`,
      "</",
      "<!--",
      "-->",
      "<style>",
      "</style>",
      "url(/",
      "<script type=importmap>",
      "</script>",
      "<select>",
      "<title>",
    ];
    for (let run = 0; run < 300; run++) {
      const pieces = Array.from({ length: 60 }, () => parts[random(parts.length)] ?? "");
      const given = pieces.join("");
      const out = html(...pieces);
      expect(out.replaceAll(P, "")).toBe(given);
      expect(html(given)).toBe(out);
    }
  });
});

describe("the head", () => {
  const S = "<SHIM>";
  const head = (isDocument: boolean, ...pieces: string[]) => scan(pieces, new HeadScanner(S, isDocument));

  test.each([
    [`<!doctype html><html><head><title>`, `<!doctype html><html><head>${S}<title>`],
    [`<p>no head`, `${S}<p>no head`],
    [`<!-- a --><html lang="a>b"><body>`, `<!-- a --><html lang="a>b">${S}<body>`],
    ["", ""],
    ["plain text", `${S}plain text`],
    ["\u00ff\u00fe<\u0000h\u0000", "\u00ff\u00fe<\u0000h\u0000"],
  ])("of a document that is opened: %j", (page, expected) => {
    expect(head(true, page)).toBe(expected);
    expect(head(true, ...page.split(""))).toBe(expected);
  });

  test.each([
    [`<!DOCTYPE html><p>`, `<!DOCTYPE html>${S}<p>`],
    [`<html><body>`, `<html>${S}<body>`],
    [`<div>piece</div>`, `<div>piece</div>`],
    [`<header>piece`, `<header>piece`],
    [`<!-- a --><tr><td>`, `<!-- a --><tr><td>`],
  ])("of what a script asked for, only where it is a whole document: %j", (page, expected) => {
    expect(head(false, page)).toBe(expected);
    expect(head(false, ...page.split(""))).toBe(expected);
  });
});

describe("a style sheet", () => {
  const SHEET = `@import "^/a.css"; @import url(^/b.css); @font-face { src: url( '^/f.woff2' ) format("woff2") }
a { background: URL(^/x), url(x), url("//o/x"), url(data:,/x), url(https://hub.example^/y); content: "/not"; mask: image-set("^/m" 1x) } /* url(^/c) */ b{c:url(${P}/d)}`;

  test("leads to the instance, parted anywhere", () => {
    const [given, expected] = [SHEET.replaceAll("^", ""), SHEET.replaceAll("^", P)];
    for (let at = 0; at <= given.length; at++)
      expect([at, css(given.slice(0, at), given.slice(at))]).toEqual([at, expected]);
    expect(css(...given.split(""))).toBe(expected);
    expect(css(expected)).toBe(expected);
  });

  test("is held back where an address begins, or may begin, and nowhere else", () => {
    for (const [piece, held] of [
      ["a{}".repeat(10_000), 0],
      [`a { background: url("/x") }`, 0],
      ["b { color: blue; content: 'mysrc", 0],
      ["c { background: url(x", 0],
      ["d { background: url(/x", 6],
      ["e { background: u", 1],
      ["f { background: url( ", 5],
      ["@import", 7],
      [`g { background: url(${P}/`, `url(${P}/`.length],
    ] as const) {
      const scanner = createCssScanner(place);
      scanner.push(piece);
      expect([piece, piece.length - scanner.decided]).toEqual([piece, held]);
    }
  });
});

test("JSON in a page: every text that is an absolute address", () => {
  const [given, expected] = ["", P].map(
    (prefix) => `{"${prefix}/a":"${prefix}/b","c":["${prefix}/d","./e","//o"],"f":"x/y"}`,
  );
  for (const pieces of [[given ?? ""], (given ?? "").split("")])
    expect(scan(pieces, createJsonScanner(place))).toBe(expected);
});

describe("a manifest", () => {
  const changed = (manifest: object): unknown => JSON.parse(placedManifest(JSON.stringify(manifest), place));

  test("keeps the app to the instance", () => {
    const manifest = {
      name: "/name",
      id: "/",
      start_url: "/",
      scope: "/",
      icons: [{ src: "/i.png", sizes: "1x1" }, { src: "rel.png" }, { src: "https://o/i.png" }],
      screenshots: [{ src: "/s.png", label: "/l" }],
      shortcuts: [{ name: "/n", url: "/new", icons: [{ src: "/j.png" }] }],
      share_target: { action: "/share", params: { title: "/t", url: "u" } },
      file_handlers: [{ action: "/open", accept: { "text/plain": ["/x"] } }],
      protocol_handlers: [{ protocol: "web+a", url: "/p?x=%s" }],
    };
    expect(changed(manifest)).toEqual({
      ...manifest,
      id: `${P}/`,
      start_url: `${P}/`,
      scope: P,
      icons: [{ src: `${P}/i.png`, sizes: "1x1" }, { src: "rel.png" }, { src: "https://o/i.png" }],
      screenshots: [{ src: `${P}/s.png`, label: "/l" }],
      shortcuts: [{ name: "/n", url: `${P}/new`, icons: [{ src: `${P}/j.png` }] }],
      share_target: { action: `${P}/share`, params: { title: "/t", url: "u" } },
      file_handlers: [{ action: `${P}/open`, accept: { "text/plain": ["/x"] } }],
      protocol_handlers: [{ protocol: "web+a", url: `${P}/p?x=%s` }],
    });
    expect(changed(changed(manifest) as object)).toEqual(changed(manifest));
  });

  test.each(["", "{", "[]", `"/"`, "null", "<html>"])("that is none stays: %j", (text) => {
    expect(placedManifest(text, place)).toBe(text);
  });
});

describe("a service worker's script", () => {
  const body = (text: string) => placedWorkerScript(text, place).split("\n").slice(-1)[0] ?? "";

  test.each([
    [
      `caches.addAll(["/", '/a.js', \`/b/\${c}\`])`,
      `caches.addAll(["${P}/", '${P}/a.js', \`${P}/b/\${c}\`])`,
    ],
    [`if (url.pathname.startsWith("/api/")) return`, `if (url.pathname.startsWith("${P}/api/")) return`],
    [
      `x.split("/"), y.endsWith('/'), a + "/b", z.includes("/")`,
      `x.split("/"), y.endsWith('/'), a + "/b", z.includes("/")`,
    ],
    [
      `fetch("//o/x"), "text/html", 'a/b', "https://hub.example/c"`,
      `fetch("//o/x"), "text/html", 'a/b', "https://hub.example${P}/c"`,
    ],
    [`open("${P}/done")`, `open("${P}/done")`],
  ])("%s", (given, expected) => {
    expect(body(given)).toBe(expected);
  });
});

describe("versions of a rewritten answer", () => {
  test("carry the instance's own tag and this rewriting's, and back", () => {
    expect(rewrittenTag(`"abc"`)).toBe(`W/"abc-orchestrator-dev"`);
    expect(rewrittenTag(`W/"abc"`)).toBe(`W/"abc-orchestrator-dev"`);
    expect(rewrittenTag("abc")).toBeUndefined();
    expect(ownTags(`W/"abc-orchestrator-dev"`)).toBe(`"abc", W/"abc"`);
    expect(ownTags(`"x", W/"abc-orchestrator-dev", W/"y"`)).toBe(`"x", "abc", W/"abc", W/"y"`);
    expect(ownTags(`W/"abc-orchestrator-older"`)).toBeUndefined();
    expect(ownTags(`"x"`)).toBe(`"x"`);
    expect(ownTags("*")).toBe("*");
  });
});

describe("the instance's own policy", () => {
  const F = `https://hub.example${P}/.orchestrator/`;
  const policy = (text: string) => allowScript(text, F).policies;

  test.each([
    ["default-src 'self'", "default-src 'self'"],
    ["img-src 'none'", "img-src 'none'"],
    ["script-src 'none'", `script-src ${F}`],
    ["default-src 'none'; img-src *", `default-src 'none'; img-src *; script-src-elem ${F}`],
    ["script-src https://cdn.example 'unsafe-inline'", `script-src https://cdn.example 'unsafe-inline' ${F}`],
    ["script-src 'nonce-abc' 'strict-dynamic'", "script-src 'nonce-abc' 'strict-dynamic'"],
    ["script-src 'self', script-src-elem https://a", `script-src 'self', script-src-elem https://a ${F}`],
    ["frame-ancestors 'self'", "frame-ancestors 'self'"],
  ])("lets the shim in and nothing else: %s", (given, expected) => {
    expect(policy(given)).toBe(expected);
  });

  test("lends its nonce, or gets one of its own where sums alone count", () => {
    expect(allowScript("script-src 'nonce-abc'", F).nonce).toBe("abc");
    expect(allowScript("script-src 'self'", F).nonce).toBeUndefined();
    expect(allowScript(null, F)).toEqual({ policies: undefined, nonce: undefined });
    const { nonce, policies } = allowScript("script-src 'sha256-aaa=', script-src 'self'", F);
    expect(nonce).toMatch(/^[\w-]{22}$/);
    expect(policies).toBe(`script-src 'sha256-aaa=' 'nonce-${nonce}', script-src 'self'`);
    const two = allowScript("script-src 'nonce-a', script-src 'nonce-b'", F);
    expect([two.nonce, two.policies]).toEqual(["a", "script-src 'nonce-a', script-src 'nonce-b' 'nonce-a'"]);
  });
});

test("ten megabytes pass through the scanner of HTML", async () => {
  const row = `<tr><td class="a"><a href="/row/1?x=1">some text that goes on for a while</a></td><td style="color: red">more</td></tr>\n`;
  const whole = new TextEncoder().encode(`<!doctype html><head></head><table>${row.repeat(90_000)}`);
  const body = new Blob([whole]).stream();
  const began = performance.now();
  const out = withInsertions(body, new HeadScanner("<SHIM>", true), new HtmlScanner(place));
  const length = (await new Response(out).arrayBuffer()).byteLength;
  console.warn(
    `${(whole.byteLength / 1e6).toFixed(1)} MB of HTML in ${(performance.now() - began).toFixed(0)} ms`,
  );
  expect(length).toBe(whole.byteLength + 90_000 * P.length + "<SHIM>".length);
});
