import { expect, test } from "vitest";
import { changesState, comesFromHub } from "./origin.ts";

const settings = { HUB_ORIGIN: "https://hub.example.com" };

function request(headers: Record<string, string>, method = "POST"): Request {
  return new Request("https://hub.example.com/api/tokens", { method, headers });
}

test("the hub's own page is let through", () => {
  expect(comesFromHub(request({ origin: "https://hub.example.com" }), settings)).toBe(true);
  const modern = { origin: "https://hub.example.com", "sec-fetch-site": "same-origin" };
  expect(comesFromHub(request(modern), settings)).toBe(true);
});

test.each([
  ["missing", {}],
  ["null", { origin: "null" }],
  ["evil", { origin: "https://evil.example" }],
  ["an instance", { origin: "https://laptop-abc.hub.example.com" }],
  ["prefix", { origin: "https://hub.example.com.evil.example" }],
  ["suffix", { origin: "https://evilhub.example.com" }],
  ["port", { origin: "https://hub.example.com:8443" }],
  ["default port", { origin: "https://hub.example.com:443" }],
  ["case", { origin: "https://HUB.example.com" }],
  ["http", { origin: "http://hub.example.com" }],
  ["trailing dot", { origin: "https://hub.example.com." }],
  ["trailing slash", { origin: "https://hub.example.com/" }],
  ["two", { origin: "https://hub.example.com, https://evil.example" }],
  ["same-site", { origin: "https://hub.example.com", "sec-fetch-site": "same-site" }],
  ["cross-site", { origin: "https://hub.example.com", "sec-fetch-site": "cross-site" }],
])("%s is refused", (_case, headers) => {
  expect(comesFromHub(request(headers), settings)).toBe(false);
});

test("reading changes nothing; everything else does, a WebSocket too", () => {
  expect(changesState(request({}, "GET"))).toBe(false);
  expect(changesState(request({}, "HEAD"))).toBe(false);
  for (const method of ["POST", "PUT", "PATCH", "DELETE", "QUERY"])
    expect(changesState(request({}, method))).toBe(true);
  expect(changesState(request({ upgrade: "websocket" }, "GET"))).toBe(true);
});
