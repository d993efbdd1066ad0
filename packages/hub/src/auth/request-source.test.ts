import { describe, expect, it } from "vitest";
import { foreignOrigins } from "../../test/corpora/origins.ts";
import { isAllowedSource, isInstanceNavigation, isNavigation } from "./request-source.ts";

const ORIGIN = "http://a.hub.localhost:8787";
const request = (method: string, headers: Record<string, string>) =>
  new Request(`${ORIGIN}/x`, { method, headers });

const FOREIGN = [
  "http://hub.localhost:8787",
  "http://b.hub.localhost:8787",
  ...foreignOrigins(ORIGIN).map(([, origin]) => origin),
];

describe("changes and upgrades", () => {
  it("come only from this very origin", () => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      expect(isAllowedSource(request(method, { origin: ORIGIN }), ORIGIN)).toBe(true);
      expect(isAllowedSource(request(method, {}), ORIGIN)).toBe(false);
      for (const origin of FOREIGN) expect(isAllowedSource(request(method, { origin }), ORIGIN)).toBe(false);
    }
    for (const origin of FOREIGN) {
      expect(isAllowedSource(request("GET", { origin, upgrade: "websocket" }), ORIGIN)).toBe(false);
    }
    expect(isAllowedSource(request("GET", { upgrade: "websocket" }), ORIGIN)).toBe(false);
    expect(isAllowedSource(request("GET", { upgrade: "websocket", origin: ORIGIN }), ORIGIN)).toBe(true);
  });
});

describe("reads", () => {
  it.each([
    [{ "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" }, true],
    [{ "sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }, true],
    [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }, true],
    [{ "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }, true],
    [{ "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "empty" }, true],
    [{ "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" }, false],
    [{ "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "empty" }, false],
    [{ "sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" }, false],
    [{ "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script" }, false],
    [{ "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" }, false],
    [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", origin: "http://evil.example" }, false],
    [{ origin: "http://b.hub.localhost:8787" }, false],
    [{}, true],
  ])("%j: %s", (headers, allowed) => {
    expect(isAllowedSource(request("GET", headers as Record<string, string>), ORIGIN)).toBe(allowed);
  });

  it("a person opening a page is told from a script", () => {
    expect(isNavigation(request("GET", { accept: "text/html,*/*" }))).toBe(true);
    expect(isNavigation(request("GET", { accept: "*/*" }))).toBe(false);
    expect(isNavigation(request("POST", { accept: "text/html" }))).toBe(false);
    expect(isNavigation(request("GET", { accept: "text/html", "sec-fetch-mode": "cors" }))).toBe(false);
    expect(isNavigation(request("GET", { accept: "text/html", upgrade: "websocket" }))).toBe(false);
  });

  it.each([
    ["document", true, true],
    ["empty", false, true],
    ["iframe", false, false],
    ["embed", false, false],
  ])("a page that is asked for as %s: at the hub %s, at an instance %s", (dest, atHub, atInstance) => {
    const asked = request("GET", { "sec-fetch-mode": "navigate", "sec-fetch-dest": dest });
    expect([isNavigation(asked), isInstanceNavigation(asked)]).toEqual([atHub, atInstance]);
  });
});
