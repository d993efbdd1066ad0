import fc from "fast-check";
import { expect, test } from "vitest";
import { StreamError } from "./errors.ts";
import { decodeCode, encodeCode, truncateReason } from "./reason.ts";
import { anyText } from "./testing/arbitraries.ts";

const utf8Length = (text: string) => new TextEncoder().encode(text).byteLength;

test("a code and a reason that fits come back as they were", () => {
  const reason = fc
    .string({ unit: "grapheme-composite", maxLength: 30 })
    .filter((text) => utf8Length(text) <= 123);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 65_535 }), reason, (code, text) => {
      expect(decodeCode(encodeCode(code, text))).toEqual({ code, reason: text });
    }),
  );
});

test("a reason is cut to 123 bytes, between characters, and no further than needed", () => {
  fc.assert(
    fc.property(anyText(100), (text) => {
      const cut = truncateReason(text);
      expect(text.startsWith(cut)).toBe(true);
      expect(utf8Length(cut)).toBeLessThanOrEqual(123);
      const next = String.fromCodePoint(
        ...Array.from(text.slice(cut.length), (c) => c.codePointAt(0) ?? 0).slice(0, 1),
      );
      if (next !== "") expect(utf8Length(cut + next)).toBeGreaterThan(123);
    }),
  );
});

test("whatever bytes arrive, what is read fits a close frame again, or is refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 130 }), (payload) => {
      if (payload.byteLength < 2 || payload.byteLength > 125) {
        expect(() => decodeCode(payload)).toThrow(StreamError);
        return;
      }
      expect(utf8Length(decodeCode(payload).reason)).toBeLessThanOrEqual(123);
    }),
  );
});
