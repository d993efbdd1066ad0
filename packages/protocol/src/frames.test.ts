import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConnectionError } from "./errors.ts";
import { encodeFrames, readFrames, type Frame } from "./frames.ts";
import { LIMITS } from "./limits.ts";
import { anyFrame, mutated } from "./testing/arbitraries.ts";
import { naiveFrame, naiveRead, toHex, type NaiveEvent } from "./testing/naive-codec.ts";

/** What `readFrames` makes of a message, in the words of the second codec. */
function read(message: Uint8Array): NaiveEvent[] {
  const events: NaiveEvent[] = [];
  try {
    readFrames(message, {
      frame: ({ type, flags, streamId, payload }) =>
        void events.push({ is: "frame", type, flags, streamId, payload: toHex(payload) }),
      malformed: ({ streamId }) => void events.push({ is: "malformed", streamId }),
    });
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    events.push({ is: "end", code: error.code as "bad_message" | "message_too_big" });
  }
  return events;
}

function naiveMessage(frames: Frame[]): number[] {
  return frames.flatMap(({ type, flags, streamId, payload }) =>
    naiveFrame(type, flags, streamId, Array.from(payload)),
  );
}

describe("both codecs agree", () => {
  test("on what every list of frames looks like, and on reading it", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 12 }), (frames) => {
        const message = encodeFrames(frames);
        expect(toHex(message)).toBe(toHex(naiveMessage(frames)));
        const whole = frames.map((frame) => ({ is: "frame", ...frame, payload: toHex(frame.payload) }));
        expect(read(message)).toEqual(whole);
        expect(naiveRead(message)).toEqual(whole);
      }),
    );
  });

  test("on every string of bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(read(bytes)).toEqual(naiveRead(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  test("on valid messages with bytes changed, removed or added", () => {
    fc.assert(
      fc.property(mutated(fc.array(anyFrame, { minLength: 1, maxLength: 8 }).map(encodeFrames)), (bytes) => {
        expect(read(bytes)).toEqual(naiveRead(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  test("on a message that is a view into a larger buffer", () => {
    const inner = encodeFrames([{ type: 3, flags: 1, streamId: 7, payload: new Uint8Array([1, 2]) }]);
    const outer = new Uint8Array(inner.byteLength + 10).fill(255);
    outer.set(inner, 5);
    const view = outer.subarray(5, 5 + inner.byteLength);
    expect(read(view)).toEqual([{ is: "frame", type: 3, flags: 1, streamId: 7, payload: "0102" }]);
  });
});

describe("the edges", () => {
  const frame = (payloadBytes: number): Frame => ({
    type: 3,
    flags: 0,
    streamId: 1,
    payload: new Uint8Array(payloadBytes),
  });

  test("a payload of 65,536 bytes fits, one more is the writer's mistake", () => {
    expect(encodeFrames([frame(65_536)]).byteLength).toBe(65_544);
    expect(() => encodeFrames([frame(65_537)])).toThrow(RangeError);
  });

  test("a message of 1 MiB is read, one byte more is not", () => {
    const full = encodeFrames(Array.from({ length: 16 }, (_, index) => frame(index < 15 ? 65_536 : 65_408)));
    expect(full.byteLength).toBe(LIMITS.messageBytes);
    expect(read(full)).toHaveLength(16);
    expect(read(new Uint8Array(LIMITS.messageBytes + 1))).toEqual([{ is: "end", code: "message_too_big" }]);
  });

  test("an empty message says nothing", () => {
    expect(read(new Uint8Array(0))).toEqual([]);
  });
});
