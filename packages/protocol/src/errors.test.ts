import { describe, expect, test } from "vitest";
import {
  CONNECTION_ERRORS,
  ConnectionError,
  connectionErrorName,
  STREAM_ERRORS,
  StreamError,
  streamErrorName,
} from "./errors.ts";
import { specRows } from "./testing/spec-tables.ts";

const rows = specRows(8);
/** The words of the specification for what a connector does then. */
const THEN: Record<string, string> = {
  retries: "retry",
  "asks later": "ask_later",
  "stays away": "stay_away",
};

describe("the tables of SPEC.md, section 8, and errors.ts say the same", () => {
  test("of stream resets", () => {
    const stated = rows.filter((row) => row.length === 3).map(([code, name]) => [name, Number(code)]);
    expect(stated).toEqual(Object.entries(STREAM_ERRORS));
  });

  test("of connection ends", () => {
    const stated = rows
      .filter((row) => row.length === 4)
      .map(([close, name, then]) => [name, { close: Number(close), then: THEN[then ?? ""] }]);
    expect(stated).toEqual(Object.entries(CONNECTION_ERRORS));
    const words = new Set(rows.filter((row) => row.length === 4).map(([, , then]) => then));
    expect(words).toEqual(new Set(Object.keys(THEN)));
  });
});

describe("names and numbers", () => {
  test("lead to each other", () => {
    for (const [name, code] of Object.entries(STREAM_ERRORS)) expect(streamErrorName(code)).toBe(name);
    for (const [name, { close }] of Object.entries(CONNECTION_ERRORS))
      expect(connectionErrorName(close)).toBe(name);
  });

  test("of a later version read as internal_error, and other close codes as none of ours", () => {
    expect([0, 14, 65_535].map(streamErrorName)).toEqual([
      "internal_error",
      "internal_error",
      "internal_error",
    ]);
    expect([1000, 1006, 1012, 4402].map(connectionErrorName)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("close codes are the private ones of RFC 6455, each once", () => {
    const codes = Object.values(CONNECTION_ERRORS).map(({ close }) => close);
    expect(codes.every((code) => code >= 4000 && code <= 4999)).toBe(true);
    expect(new Set(codes).size).toBe(codes.length);
  });
});

test("errors carry their code, and their code is their message unless there is a better one", () => {
  expect(new StreamError("stalled")).toMatchObject({
    name: "StreamError",
    code: "stalled",
    message: "stalled",
  });
  expect(new ConnectionError("replaced", "why")).toMatchObject({
    code: "replaced",
    closeCode: 4409,
    message: "why",
  });
});
