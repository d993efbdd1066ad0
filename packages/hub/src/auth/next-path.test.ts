import { expect, test } from "vitest";
import { LOCAL_PATHS, OPEN_REDIRECTS } from "../../test/corpora/open-redirects.ts";
import { parseLocalPath } from "./next-path.ts";

test.each(LOCAL_PATHS)("%s stays on this origin", (text, path) => {
  expect(parseLocalPath(text)).toBe(path);
});

test.each(OPEN_REDIRECTS)("%j leads nowhere", (text) => {
  expect(parseLocalPath(text)).toBeUndefined();
});

test("nothing leads nowhere", () => {
  expect(parseLocalPath(null)).toBeUndefined();
  expect(parseLocalPath(undefined)).toBeUndefined();
});
