import fc from "fast-check";
import { expect, it } from "vitest";
import { pathOf, targetOf } from "./request-path.ts";

const ORIGIN = "http://a.hub.localhost:8787";

it.each([
  "/",
  "/a/b.js?x=1",
  "/?",
  "/a?",
  "/a??",
  "/a?/../b",
  "/a/../b",
  "/a/./b",
  "/a/%2e%2E/b",
  "/.orchestrator/presence",
  "/%2eorchestrator/presence",
  "/a\\..\\b",
  "/a'b?c'd",
  '/a"b',
  "/ä?ö",
  "/a#b",
  "/a?b#c",
  "//host/a",
  "/a@b:c",
  "/{a}|^`<>",
  "/%zz",
  "/a\tb",
])("reads %j as URL does", (target) => {
  const url = `${ORIGIN}${target}`;
  const { pathname, search } = new URL(url);
  expect(pathOf({ url })).toBe(pathname);
  expect(targetOf({ url })).toBe(pathname + search);
});

it("reads every address as URL does", () => {
  const piece = fc.oneof(
    fc.constantFrom("/", ".", "..", "%2e", "%2E", "?", "#", "\\", "'", "@", ":", "%", " ", "é", "\t"),
    fc.string({ maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const url = `${ORIGIN}/${pieces.join("")}`;
      const { pathname, search } = new URL(url);
      expect([pathOf({ url }), targetOf({ url })]).toEqual([pathname, pathname + search]);
    }),
    { numRuns: 500 },
  );
});
