import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StreamError } from "./errors.ts";
import { encodeFrames, FrameType } from "./frames.ts";
import { LIMITS } from "./limits.ts";
import { Path } from "./path.ts";
import { Pair } from "./testing/pair.ts";
import { ReceiveWindow, SendWindow } from "./window.ts";

describe("the sender's window", () => {
  test("is spent to the last byte and no further", () => {
    const window = new SendWindow(10);
    window.spend(10);
    expect(() => window.spend(1)).toThrow(RangeError);
    window.grant(3);
    expect(window.credit).toBe(3);
  });

  test.each([0, -1, LIMITS.maxWindowBytes, 0xffff_ffff])("a grant of %i on top of 1 is refused", (credit) => {
    const window = new SendWindow(1);
    expect(() => window.grant(credit)).toThrow(StreamError);
    expect(window.credit).toBe(1);
  });

  test("reaches the maximum exactly", () => {
    const window = new SendWindow(1);
    window.grant(LIMITS.maxWindowBytes - 1);
    expect(window.credit).toBe(LIMITS.maxWindowBytes);
  });
});

describe("the receiver's window", () => {
  test("gives credit back from a quarter of its size on", () => {
    const window = new ReceiveWindow(new Path(() => 0), 1000);
    window.receive(1000);
    expect(window.consume(249)).toBe(0);
    expect(window.consume(1)).toBe(250);
    expect(window.held).toBe(750);
    expect(() => window.receive(251)).toThrow(StreamError);
    window.receive(250);
  });

  test("keeps its sum, whatever comes and goes", () => {
    const step = fc.record({ receive: fc.nat({ max: 400 }), consume: fc.nat({ max: 400 }) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.array(step), (size, steps) => {
        const path = new Path(() => 0);
        let window = new ReceiveWindow(path, size);
        let held = 0;
        let sender = size;
        for (const { receive, consume } of steps) {
          const arrives = Math.min(receive, sender);
          window.receive(arrives);
          sender -= arrives;
          held += arrives;
          const used = Math.min(consume, held);
          sender += window.consume(used);
          held -= used;
          const { available, unreturned } = window.state;
          expect(window.held).toBe(held);
          expect(available).toBe(sender);
          expect(available + unreturned + held).toBe(size);
          expect(unreturned).toBeLessThan(size / 4 + 1);
          window = new ReceiveWindow(path, size, window.state);
        }
      }),
    );
  });
});

describe("a stream", () => {
  const ok = { status: 200, headers: [] };

  /** An answer that is being sent into a window of 1 KiB. */
  function download(consumes: boolean) {
    const pair = new Pair({ hub: { stream_window: 1024 } });
    const ends = pair.open({}, true);
    ends.hub.consumes = consumes;
    ends.connector.stream?.respond(ok);
    return { pair, ...ends };
  }

  test("sends what there is credit for and says how much that was", () => {
    const { pair, hub, connector } = download(false);
    expect(connector.stream?.write(new Uint8Array(5000))).toBe(1024);
    expect(connector.stream?.write(new Uint8Array(1))).toBe(0);
    pair.settle();
    expect([hub.bytes, hub.stream?.held, connector.stream?.credit, connector.writables]).toEqual([
      1024, 1024, 0, 0,
    ]);
  });

  test("gets credit back on consumption, not on arrival, in steps of a quarter", () => {
    const { pair, hub, connector } = download(false);
    connector.stream?.write(new Uint8Array(1024));
    pair.settle();
    hub.stream?.consume(255);
    pair.settle();
    expect(connector.writables).toBe(0);
    hub.stream?.consume(1);
    pair.settle();
    expect([connector.writables, connector.stream?.credit]).toEqual([1, 256]);
    hub.stream?.consume(768);
    pair.settle();
    expect([connector.writables, connector.stream?.credit, hub.stream?.held]).toEqual([2, 1024, 0]);
  });

  test("returns no credit to a half that has ended", () => {
    const { pair, hub, connector } = download(false);
    connector.stream?.write(new Uint8Array(1024));
    connector.stream?.end();
    pair.settle();
    hub.stream?.consume(1024);
    pair.settle();
    expect(pair.sent.toConnector).toBe(1);
  });

  test("is not told to write after it ended its half", () => {
    const pair = new Pair({ connector: { stream_window: 1024 } });
    const { hub, connector } = pair.open({ method: "POST" });
    connector.consumes = false;
    hub.stream?.write(new Uint8Array(1000));
    pair.settle();
    hub.stream?.end();
    connector.stream?.consume(1000);
    pair.settle();
    expect(hub.writables).toBe(0);
  });

  test("whose data was consumed twice costs itself, not the peer's trust", () => {
    const { pair, hub, connector } = download(true);
    connector.stream?.write(new Uint8Array(100));
    pair.settle();
    hub.stream?.consume(100);
    pair.settle();
    expect(hub.error?.code).toBe("internal_error");
    expect(connector.error?.code).toBe("internal_error");
  });

  test("that gets more than its window is reset, and the others are not", () => {
    const { pair, hub, connector } = download(false);
    const other = pair.open({}, true);
    connector.stream?.write(new Uint8Array(1024));
    pair.settle();
    const extra = { type: FrameType.DATA, flags: 0, streamId: 1, payload: new Uint8Array(1) };
    pair.hub.receive(encodeFrames([extra]));
    pair.settle();
    expect(hub.error?.code).toBe("flow_control_error");
    expect(connector.error?.code).toBe("flow_control_error");
    other.connector.stream?.respond(ok, true);
    pair.settle();
    expect(other.hub.told).toEqual(["response 200", "end"]);
  });

  test("that gets more credit than fits is reset, and the others are not", () => {
    const { pair, hub, connector } = download(false);
    const other = pair.open({}, true);
    const payload = new Uint8Array([0x7f, 0xff, 0xff, 0xff]);
    pair.connector.receive(encodeFrames([{ type: FrameType.WINDOW, flags: 0, streamId: 1, payload }]));
    pair.settle();
    expect(connector.error?.code).toBe("flow_control_error");
    expect(hub.error?.code).toBe("flow_control_error");
    other.connector.stream?.respond(ok, true);
    pair.settle();
    expect(other.hub.told).toEqual(["response 200", "end"]);
  });

  test("counts the payload of DATA only, each direction on its own", () => {
    const pair = new Pair({ hub: { stream_window: 2048 }, connector: { stream_window: 1024 } });
    const { hub, connector } = pair.open({ method: "POST", headers: [["a", "v".repeat(5000)]] });
    connector.consumes = false;
    hub.consumes = false;
    connector.stream?.respond({ status: 200, headers: [["a", "v".repeat(5000)]] });
    expect([hub.stream?.credit, connector.stream?.credit]).toEqual([1024, 2048]);
    hub.stream?.write(new Uint8Array(1000));
    pair.settle();
    expect([hub.stream?.credit, connector.stream?.credit]).toEqual([24, 2048]);
  });
});
