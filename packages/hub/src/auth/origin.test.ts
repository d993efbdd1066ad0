import { expect, test } from "vitest";
import { foreignOrigins } from "../../test/corpora/origins.ts";
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

test.each(foreignOrigins(settings.HUB_ORIGIN))("%s is refused", (_why, origin) => {
  expect(comesFromHub(request({ origin }), settings)).toBe(false);
});

test.each([
  ["a missing Origin", {}],
  ["same-site", { origin: "https://hub.example.com", "sec-fetch-site": "same-site" }],
  ["cross-site", { origin: "https://hub.example.com", "sec-fetch-site": "cross-site" }],
  ["an address typed in", { origin: "https://hub.example.com", "sec-fetch-site": "none" }],
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
