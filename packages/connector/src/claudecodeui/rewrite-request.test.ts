import { expect, test } from "vitest";
import type { HeaderList, RequestParts } from "../adapter.ts";
import { PLACEHOLDER_TOKEN } from "./placeholder.ts";
import { rewriteRequest, usesOurToken } from "./rewrite-request.ts";

const REAL = "real.token.here";
const P = PLACEHOLDER_TOKEN;

function rewrite(target: string, headers: HeaderList = [], kind: RequestParts["kind"] = "http") {
  const { target: sent, headers: all } = rewriteRequest({ kind, method: "GET", target, headers }, REAL);
  return {
    target: sent,
    authorization: all.filter(([name]) => /^authorization$/i.test(name)).map(([, value]) => value),
  };
}

test.each<[string, HeaderList, string, string[]]>([
  ["/api/projects", [], "/api/projects", [`Bearer ${REAL}`]],
  ["/api/projects", [["authorization", `Bearer ${P}`]], "/api/projects", [`Bearer ${REAL}`]],
  ["/api/projects", [["AUTHORIZATION", `bearer  ${P}`]], "/api/projects", [`Bearer ${REAL}`]],
  ["/api/projects", [["Authorization", "Bearer ck_own_key"]], "/api/projects", ["Bearer ck_own_key"]],
  ["/API/projects", [], "/API/projects", [`Bearer ${REAL}`]],
  [`/api/search?q=a%20b&token=${P}&z=`, [], "/api/search?q=a%20b&z=", [`Bearer ${REAL}`]],
  [`/api/search?token=${P}`, [], "/api/search", [`Bearer ${REAL}`]],
  [`/api/search?%74oken=${P}`, [], "/api/search", [`Bearer ${REAL}`]],
  [`/api/search?token=${P}&token=${P}`, [], "/api/search", [`Bearer ${REAL}`]],
  ["/api/search?token=own", [], "/api/search?token=own", []],
  [`/api/search?q=${P}`, [], `/api/search?q=${P}`, [`Bearer ${REAL}`]],
  [`/api/search?q=%ZZ&token=${P}`, [], "/api/search?q=%ZZ", [`Bearer ${REAL}`]],
  [`/api/search?xtoken=${P}`, [], `/api/search?xtoken=${P}`, [`Bearer ${REAL}`]],
  ["/api", [], "/api", []],
  ["/apis/x", [], "/apis/x", []],
  ["/", [], "/", []],
  ["/assets/a.js?token=x", [], "/assets/a.js?token=x", []],
  ["/session/api/x", [], "/session/api/x", []],
])("%s with %j goes on as %s", (target, headers, sent, authorization) => {
  expect(rewrite(target, headers)).toEqual({ target: sent, authorization });
});

test.each(["/ws", "/shell", "/plugin-ws/x", "/desktop-notifications"])(
  "the WebSocket %s gets the token in a header",
  (path) => {
    const expected = { target: path, authorization: [`Bearer ${REAL}`] };
    expect(rewrite(`${path}?token=${P}`, [], "websocket")).toEqual(expected);
    expect(rewrite(path, [], "websocket")).toEqual(expected);
  },
);

test("without a token the placeholder goes nowhere all the same", () => {
  const request: RequestParts = {
    kind: "websocket",
    method: "GET",
    target: `/ws?token=${P}`,
    headers: [["Authorization", `Bearer ${P}`]],
  };
  expect(rewriteRequest(request, undefined)).toEqual({ ...request, target: "/ws", headers: [] });
});

test("what may carry a token is asked for uncompressed, nothing else is", () => {
  const asked = (target: string, method = "GET") =>
    rewriteRequest(
      { kind: "http", method, target, headers: [["Accept-Encoding", "gzip"]] },
      REAL,
    ).headers.find(([name]) => name === "Accept-Encoding")?.[1];
  expect(asked("/session/1")).toBe("gzip");
  expect(asked("/api/auth/login", "POST")).toBe("identity");
  expect(asked("/api/projects")).toBe("gzip");
});

test("the request it was given stays as it was", () => {
  const request: RequestParts = {
    kind: "http",
    method: "GET",
    target: `/api/x?token=${P}`,
    headers: [["Authorization", `Bearer ${P}`]],
  };
  const copy = structuredClone(request);
  rewriteRequest(request, REAL);
  expect(request).toEqual(copy);
});

test("a refusal is of our token only where ours was sent", () => {
  const request = (headers: HeaderList, target = "/api/x"): RequestParts => ({
    kind: "http",
    method: "GET",
    target,
    headers,
  });
  expect(usesOurToken(request([["Authorization", `Bearer ${REAL}`]]), REAL)).toBe(true);
  expect(usesOurToken(request([]), REAL)).toBe(true);
  expect(usesOurToken(request([["Authorization", "Bearer own"]]), REAL)).toBe(false);
  expect(usesOurToken(request([], "/api/x?token=own"), REAL)).toBe(false);
  expect(usesOurToken(request([], "/"), REAL)).toBe(false);
});
