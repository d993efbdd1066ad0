import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConnectionError, StreamError } from "./errors.ts";
import { specRows } from "./testing/spec-tables.ts";
import * as version1 from "./version-1.ts";

const { parseMessage, readAnswer, byteText, LIMITS } = version1;
const parse = (message: unknown) => parseMessage(JSON.stringify(message));

describe("a message of a client", () => {
  test("says what it is made of, and nothing it adds", () => {
    const metadata = { hostname: "h", project: "/p", status: "busy", version: "1", platform: "linux" };
    const register = { type: "register", client_id: "a", user_token: "orc_x", metadata };
    expect(
      parse({ ...register, later: 1, metadata: { ...metadata, callback_url: "http://x", later: 1 } }),
    ).toEqual(register);
    expect(parse({ type: "ping", client_id: "a", at: 1 })).toEqual({ type: "ping", client_id: "a" });
    expect(parse({ type: "status_update", client_id: "a", status: "idle" })).toEqual({
      type: "status_update",
      status: "idle",
    });
    expect(
      parse({
        type: "http_proxy_response",
        request_id: "r",
        status: 200,
        headers: [
          ["a", "b"],
          ["n", 7],
        ],
        body: "x",
      }),
    ).toEqual({
      type: "http_proxy_response",
      request_id: "r",
      status: 200,
      headers: [
        ["a", "b"],
        ["n", "7"],
      ],
      body: "x",
    });
    expect(parse({ type: "response_chunk", request_id: "r", data: [1] })).toEqual({
      type: "response_chunk",
      request_id: "r",
      data: [1],
    });
    expect(parse({ type: "response_complete", request_id: "r", data: null })).toEqual({
      type: "response_complete",
      request_id: "r",
    });
    expect(parse({ type: "error", request_id: null, message: 7 })).toEqual({
      type: "error",
      request_id: null,
      message: "",
    });
    expect(parse({ type: "http_proxy_response", request_id: "r", status: 204 })).toMatchObject({
      headers: [],
      body: "",
    });
  });

  test("may leave out what nothing depends on", () => {
    const nothing = { hostname: "", project: "", platform: "", version: "", status: "idle" };
    for (const metadata of [undefined, null, "x", [], {}])
      expect(parse({ type: "register", metadata })).toMatchObject({ type: "register", metadata: nothing });
    const long = "x".repeat(10_000);
    const parsed = parse({
      type: "register",
      metadata: { hostname: long, project: long, platform: long, version: long },
    });
    expect(parsed).toMatchObject({
      metadata: {
        hostname: "x".repeat(255),
        project: "x".repeat(4096),
        platform: "x".repeat(64),
        version: "x".repeat(64),
      },
    });
  });

  test("of a type that is not known is nothing, whatever it is called", () => {
    for (const type of [
      "later",
      "registered",
      "http_proxy_request",
      "",
      "constructor",
      "__proto__",
      "toString",
    ])
      expect(parse({ type })).toBeNull();
  });

  test("that is malformed names the request it costs, where it names one", () => {
    expect(parse({ type: "http_proxy_response", request_id: "r", status: 99 })).toMatchObject({
      type: "malformed",
      of: "http_proxy_response",
      request_id: "r",
      why: "malformed",
    });
    for (const request_id of [undefined, 7, "", "x".repeat(129), {}])
      expect(parse({ type: "http_proxy_response", request_id, status: 99 })).toMatchObject({
        type: "malformed",
        request_id: undefined,
      });
    const text = JSON.stringify({
      type: "http_proxy_response",
      request_id: "r-1",
      body: "x".repeat(LIMITS.messageLength),
    });
    expect(parseMessage(text)).toMatchObject({
      type: "malformed",
      of: undefined,
      request_id: "r-1",
      why: "too_large",
    });
    expect(parseMessage("x".repeat(LIMITS.messageLength + 1))).toMatchObject({
      request_id: undefined,
      why: "too_large",
    });
  });

  test("is read or refused, never anything else", () => {
    const anything = fc.oneof(
      fc.string(),
      fc.json(),
      fc.object().map((value) => JSON.stringify({ type: "register", ...value })),
    );
    fc.assert(
      fc.property(anything, (text) => {
        try {
          parseMessage(text);
        } catch (error) {
          expect(error).toBeInstanceOf(ConnectionError);
        }
      }),
    );
  });
});

describe("an answer", () => {
  const answer = (more: object, method = "GET") =>
    readAnswer({ status: 200, headers: [], body: "", ...more }, method);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

  test("of base64 is bytes again, and the marker is gone, however it is written", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        const body = btoa(String.fromCharCode(...bytes));
        const read = answer({
          headers: [
            ["X-Orch-Encoding", " BASE64 "],
            ["ETag", "x"],
          ],
          body,
        });
        expect(read.body).toEqual(bytes);
        expect(read.head.headers).toEqual([
          ["etag", "x"],
          ["content-length", String(bytes.byteLength)],
        ]);
      }),
    );
    expect(() => answer({ headers: [["x-orch-encoding", "base64"]], body: "%" })).toThrow(StreamError);
    expect(text(answer({ headers: [["x-orch-encoding", "none"]], body: "%" }).body)).toBe("%");
  });

  test("of text is UTF-8, with the length of that; without a body it keeps the length it speaks of", () => {
    const read = answer({
      headers: [
        ["content-length", "1"],
        ["content-encoding", "gzip"],
      ],
      body: "ü€",
    });
    expect([text(read.body), read.head.headers]).toEqual(["ü€", [["content-length", "5"]]]);
    expect(answer({ headers: [["content-length", "9"]] }, "HEAD").head.headers).toEqual([
      ["content-length", "9"],
    ]);
    expect(answer({ status: 304, headers: [["content-length", "9"]] }).head.headers).toEqual([
      ["content-length", "9"],
    ]);
    expect(answer({ status: 204, headers: [["content-length", "9"]] }).head.headers).toEqual([]);
  });

  test("has header fields by the rules of version 2", () => {
    for (const headers of [[["a", "b\r\nc: d"]], [["a b", "c"]], [["", "c"]], [["a", "\0"]], [["a\n", "b"]]])
      expect(() => answer({ headers })).toThrow(StreamError);
    expect(() => answer({ headers: [["a", "b".repeat(70_000)]] })).toThrow(StreamError);
  });

  test("and a request carry every text in header values, a character for each byte", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (value) => {
        const sent = byteText(value);
        expect(/^[\0-\xff]*$/.test(sent)).toBe(true);
        if (/[\0\r\n]/.test(sent)) return;
        expect(answer({ headers: [["a", sent]] }).head.headers[0]).toEqual(["a", value]);
      }),
    );
    // What is no UTF-8, or was text already, stays as it is.
    expect(
      answer({
        headers: [
          ["a", "\u00fc"],
          ["b", "€"],
        ],
      }).head.headers.slice(0, 2),
    ).toEqual([
      ["a", "\u00fc"],
      ["b", "€"],
    ]);
  });
});

test("the table of SPEC.md, section 10, and the limits say the same", () => {
  const stated = new Map(specRows(10).map(([what = "", value = ""]) => [what, value]));
  expect(Object.fromEntries(stated)).toMatchObject({
    message: `${LIMITS.messageLength / 1024 ** 2} Mi characters`,
    "body of a request": `${LIMITS.requestBodyBytes / 1024 ** 2} MiB`,
    "to answer, all of it": `${LIMITS.answerTimeoutSeconds} s`,
    "requests at once": String(LIMITS.maxRequests),
    "frames of a page's WebSocket": LIMITS.maxBridgedFrames.toLocaleString("en"),
    "header fields of an answer": LIMITS.headerFields.toLocaleString("en"),
    "id of a request": `${LIMITS.requestIdLength} characters`,
    token: `${LIMITS.tokenLength} characters`,
    "message of an error": `${LIMITS.messageTextLength.toLocaleString("en")} characters`,
  });
  expect(Object.keys(LIMITS)).toHaveLength(9);
});

test("a ping is written in the order of the specification", () => {
  expect(version1.pingText("a")).toBe('{"type":"ping","client_id":"a"}');
});
