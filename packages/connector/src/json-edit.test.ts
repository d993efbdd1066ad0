import fc from "fast-check";
import { expect, test } from "vitest";
import { editSection, type JsonChanges } from "./json-edit.ts";

const edit = (text: string, changes: JsonChanges) => editSection(text, "o", changes);

test.each<[string, string, JsonChanges, string]>([
  [
    "a value, and nothing but it",
    '{\n    "x": [1,2],\n    "o": { "a": 1,"b" : 2 }\n}\n',
    { a: "n" },
    '{\n    "x": [1,2],\n    "o": { "a": "n","b" : 2 }\n}\n',
  ],
  [
    "a member, indented as the others",
    '{\n\t"o": {\n\t\t"a": 1\n\t}\n}',
    { b: true },
    '{\n\t"o": {\n\t\t"a": 1,\n\t\t"b": true\n\t}\n}',
  ],
  ["a member on the line where the others are", '{"o": {"a": 1}}', { b: true }, '{"o": {"a": 1, "b": true}}'],
  ["a section", '{\n  "x": 1\n}\n', { a: 1 }, '{\n  "x": 1,\n  "o": {\n    "a": 1\n  }\n}\n'],
  ["a section into nothing", "{}", { a: 1, gone: null }, '{\n  "o": {\n    "a": 1\n  }\n}'],
  ["a member into an empty section", '{\n  "o": {}\n}', { a: 1 }, '{\n  "o": {\n    "a": 1\n  }\n}'],
  [
    "lines that end as on Windows",
    '{\r\n  "o": {\r\n    "a": 1\r\n  }\r\n}',
    { b: 2 },
    '{\r\n  "o": {\r\n    "a": 1,\r\n    "b": 2\r\n  }\r\n}',
  ],
  ["the first out", '{"o": {"a": 1, "b": 2}}', { a: null }, '{"o": {"b": 2}}'],
  ["the last out", '{"o": {"a": 1, "b": {"c": [2]}}}', { b: null }, '{"o": {"a": 1}}'],
  ["the only one out", '{"o": {"a": 1}}', { a: null }, '{"o": {}}'],
  ["the last of two, which counts", '{"o": {"a": 1, "a": 2}}', { a: 3 }, '{"o": {"a": 1, "a": 3}}'],
  ["both of two out", '{"o": {"a": 1, "b": 1, "a": 2}}', { a: null }, '{"o": {"b": 1}}'],
  [
    "the one whose name is escaped",
    String.raw`{"\u006f": {"\u0061": "}\",{"}}`,
    { a: 1 },
    String.raw`{"\u006f": {"\u0061": 1}}`,
  ],
])("changes %s", (_, text, changes, expected) => {
  expect(edit(text, changes)).toBe(expected);
});

const spaces = fc.constantFrom(undefined, 1, 2, 4, "\t");
const value = fc.oneof(fc.string(), fc.integer(), fc.boolean());
const members = fc.dictionary(
  fc.string({ minLength: 1 }).filter((key) => key !== "__proto__"),
  value,
);

test("whatever stands there, the result is what the change means", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom("x", "o{", "y"), fc.jsonValue()),
      fc.option(members, { nil: undefined }),
      fc.dictionary(fc.constantFrom("a", "b", "token"), fc.oneof(value, fc.constant(null))),
      spaces,
      (others, section, changes, indent) => {
        const before = section === undefined ? others : { ...others, o: section };
        const expected: Record<string, unknown> = { ...section, ...changes };
        for (const [key, changed] of Object.entries(changes)) if (changed === null) delete expected[key];
        const text = edit(JSON.stringify(before, null, indent), changes);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify({ ...before, o: expected })));
      },
    ),
  );
});
