/** The table of docs/security.md names tests; here each of them is looked up, so that the table cannot promise what is not there. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";

const repository = path.resolve(import.meta.dirname, "..");
const read = (file: string) => readFileSync(path.join(repository, file), "utf8");

const ROW = /^\| (\d+) \|(.*)\|$/gm;
const TEST = /`([\w./-]+\.test\.tsx?) › ([^`]+)`/g;

const rows = [...read("docs/security.md").matchAll(ROW)].map(([, number = "", cells = ""]) => ({
  number: Number(number),
  tests: [...cells.matchAll(TEST)].map(([, file = "", title = ""]) => ({ file, title })),
}));

it("has a row for each item, in order", () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
});

it.each(rows.filter(({ number }) => number !== 22))(
  "item $number names tests that are there",
  ({ tests }) => {
    expect(tests.length).toBeGreaterThan(0);
    for (const { file, title } of tests) {
      expect(`${file} › ${titles(file).find((text) => text.startsWith(title)) ?? "not there"}`).toContain(
        `${file} › ${title}`,
      );
    }
  },
);

/** The titles of a file's tests as they stand in it, templates of tables included. */
function titles(file: string): string[] {
  const quoted = /(?:\)|\b(?:it|test|describe))\(\s*(["'`])((?:\\.|(?!\1).)*)\1/gs;
  return [...read(file).matchAll(quoted)].map(([, , title = ""]) => title.replaceAll("\\", ""));
}
