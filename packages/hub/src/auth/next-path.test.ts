import { expect, test } from "vitest";
import { parseLocalPath } from "./next-path.ts";

test.each([
  ["/", "/"],
  ["/dashboard", "/dashboard"],
  ["/open/laptop-abc?next=%2Fchat&binding=x#top", "/open/laptop-abc?next=%2Fchat&binding=x#top"],
  ["/a/../b", "/b"],
  ["/%2f%2fevil.example", "/%2f%2fevil.example"],
  ["/@evil.example", "/@evil.example"],
])("%s stays on this origin", (text, path) => {
  expect(parseLocalPath(text)).toBe(path);
});

test.each([
  "",
  "dashboard",
  "//evil.example",
  "///evil.example",
  "/\\evil.example",
  "\\\\evil.example",
  "/\t/evil.example",
  "/\n/evil.example",
  " //evil.example",
  "/ /evil.example",
  "/./\\evil.example",
  "/.//evil.example",
  "/a/..//evil.example",
  "/%2e//evil.example",
  "https://evil.example/",
  "https:evil.example",
  "javascript:alert(1)",
  "data:text/html,x",
  "//user:password@evil.example",
  "/\u0000/evil.example",
  `/${"a".repeat(5000)}`,
])("%j leads nowhere", (text) => {
  expect(parseLocalPath(text)).toBeUndefined();
});

test("nothing leads nowhere", () => {
  expect(parseLocalPath(null)).toBeUndefined();
  expect(parseLocalPath(undefined)).toBeUndefined();
});
