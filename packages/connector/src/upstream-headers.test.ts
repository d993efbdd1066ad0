import { describe, expect, it } from "vitest";
import type { HeaderList } from "./adapter.ts";
import { answerFields, fieldOf, upstreamFields, without } from "./upstream-headers.ts";

const target = new URL("http://127.0.0.1:3001");
const INSTANCE = "http://a.hub.localhost:8787";
const request = (headers: HeaderList) => ({
  kind: "http" as const,
  method: "GET",
  target: "/",
  headers: [
    ["x-forwarded-host", "a.hub.localhost:8787"],
    ["x-forwarded-proto", "http"],
    ...headers,
  ] as HeaderList,
});

describe("to the application", () => {
  it.each([
    ["origin", INSTANCE, "http://127.0.0.1:3001"],
    ["origin", "http://evil.example", "http://evil.example"],
    ["origin", "null", "null"],
    ["referer", `${INSTANCE}/a?b=c`, "http://127.0.0.1:3001/a?b=c"],
    ["referer", INSTANCE, "http://127.0.0.1:3001"],
    ["if-none-match", 'W/"a", "b"', '"a", W/"a", "b"'],
    ["if-none-match", "*", "*"],
    ["referer", `${INSTANCE}.evil.example/`, `${INSTANCE}.evil.example/`],
  ])("%s %j becomes %j", (name, value, expected) => {
    expect(fieldOf(upstreamFields(request([[name, value]]), target), name)).toBe(expected);
  });

  it("names the application as host, once, and nothing that belongs to one hop", () => {
    const fields = upstreamFields(
      request([
        ["host", "evil.example"],
        ["connection", "x"],
        ["expect", "100-continue"],
        ["transfer-encoding", "chunked"],
        ["sec-websocket-key", "k"],
      ]),
      target,
    );
    expect(fields.map(([name]) => name)).toEqual(["host", "x-forwarded-host", "x-forwarded-proto"]);
    expect(fields[0]).toEqual(["host", "127.0.0.1:3001"]);
  });
});

describe("from the application", () => {
  it.each([
    ["http://127.0.0.1:3001/a", "/a"],
    ["http://127.0.0.1:3001", "/"],
    ["http://127.0.0.1:3001//evil.example", "http://127.0.0.1:3001//evil.example"],
    ["http://127.0.0.1:30011/a", "http://127.0.0.1:30011/a"],
    ["/a", "/a"],
    ["https://example.com/", "https://example.com/"],
  ])("Location %j becomes %j", (location, expected) => {
    expect(answerFields(["Location", location], target)).toEqual([["location", expected]]);
  });

  it("drops what the application's own Connection names", () => {
    const raw = ["Connection", "keep-alive, X-Hop ,x-two", "X-HOP", "1", "x-two", "2", "x-three", "3"];
    expect(answerFields([...raw, "connection", "x-three", "x-four", "4"], target)).toEqual([["x-four", "4"]]);
  });

  it("keeps repeated fields, in order", () => {
    const fields = answerFields(["Set-Cookie", "a=1", "Keep-Alive", "5", "set-cookie", "b=2"], target);
    expect(fields).toEqual([
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ]);
    expect(without(fields, "set-cookie")).toEqual([]);
  });
});
