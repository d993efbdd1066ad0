/** What fast-check makes for the protocol's tests. */
import fc from "fast-check";
import type { Frame } from "../frames.ts";
import type { HeaderFields, RequestHead, ResponseHead } from "../header-block.ts";

const TOKEN_CHARACTERS = Array.from(
  "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
);
const TARGET_CHARACTERS = Array.from({ length: 0x7f - 0x21 }, (_, index) =>
  String.fromCodePoint(0x21 + index),
);

/** Small ids most of the time, so that frames meet. */
const streamId = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 1, max: 12 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 0xffff_ffff }) },
);

const payload = fc.oneof(
  { weight: 100, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 65_530, max: 65_536 }).map((size) => new Uint8Array(size).fill(7)),
  },
);

/** Any frame that can be written, types and flags of later versions included. */
export const anyFrame: fc.Arbitrary<Frame> = fc.record({
  type: fc.integer({ min: 0, max: 15 }),
  flags: fc.integer({ min: 0, max: 15 }),
  streamId,
  payload,
});

const token = fc.string({ unit: fc.constantFrom(...TOKEN_CHARACTERS), minLength: 1, maxLength: 20 });
const target = fc
  .string({ unit: fc.constantFrom(...TARGET_CHARACTERS), maxLength: 60 })
  .map((rest) => `/${rest}`);

/** A header value as bytes shown one character each: all but CR, LF and NUL, sometimes 32 KiB of them. */
const byteCharacter = fc
  .integer({ min: 1, max: 255 })
  .filter((code) => code !== 10 && code !== 13)
  .map((code) => String.fromCodePoint(code));
const byteValue = fc.oneof(
  { weight: 100, arbitrary: fc.string({ unit: byteCharacter, maxLength: 40 }) },
  { weight: 1, arbitrary: byteCharacter.map((character) => character.repeat(32 * 1024)) },
);

/** Fields in order, with names that come again. */
const fields: fc.Arbitrary<HeaderFields> = fc
  .array(fc.tuple(fc.oneof(token, fc.constantFrom("set-cookie", "x-a")), byteValue), { maxLength: 12 })
  .filter((list) => list.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0) < 60_000);

export const anyRequest: fc.Arbitrary<RequestHead> = fc.record({
  kind: fc.constantFrom("http", "websocket"),
  method: token,
  target,
  headers: fields,
});

export const anyResponse: fc.Arbitrary<ResponseHead> = fc.record({
  status: fc.oneof(fc.constant(101), fc.integer({ min: 200, max: 599 })),
  headers: fields,
});

function joined(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

/** Text of any characters, halves of pairs included. */
export function anyText(maxLength: number): fc.Arbitrary<string> {
  const unit = fc.oneof(
    fc.integer({ min: 0, max: 0x7f }),
    fc.integer({ min: 0x80, max: 0xffff }),
    fc.integer({ min: 0x1_0000, max: 0x10_ffff }),
  );
  return fc.array(unit, { maxLength }).map((points) => String.fromCodePoint(...points));
}

/** Bytes with a few of them changed, taken out or put in. */
export function mutated(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    how: fc.constantFrom("set", "remove", "insert"),
    at: fc.nat({ max: 1_000_000 }),
    byte: fc.integer({ min: 0, max: 255 }),
  });
  return fc.tuple(valid, fc.array(change, { minLength: 1, maxLength: 4 })).map(([original, changes]) => {
    let bytes = original;
    for (const { how, at, byte } of changes) {
      const index = at % (bytes.byteLength + 1);
      const after = how === "insert" ? index : index + 1;
      const between = how === "remove" ? [] : [byte];
      bytes = joined([bytes.subarray(0, index), Uint8Array.from(between), bytes.subarray(after)]);
    }
    return bytes;
  });
}
