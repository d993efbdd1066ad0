import { describe, expect, test } from "vitest";
import { StreamError } from "./errors.ts";
import { encodeFrames, FrameType } from "./frames.ts";
import { encodeResponseHead } from "./header-block.ts";
import { Pair, requestHead } from "./testing/pair.ts";
import { Recorder } from "./testing/recorder.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const ok = { status: 200, headers: [] };

describe("an exchange", () => {
  test("carries head, body and end both ways, and is forgotten at both ends", () => {
    const pair = new Pair();
    const head = requestHead({ method: "POST", target: "/upload?a=b", headers: [["accept", "*/*"]] });
    const { hub, connector } = pair.open(head);
    expect(connector.head).toEqual(head);
    hub.stream?.write(bytes("question"));
    hub.stream?.end();
    connector.stream?.respond({
      status: 201,
      headers: [
        ["set-cookie", "a"],
        ["set-cookie", "b"],
      ],
    });
    connector.stream?.write(bytes("answer"));
    connector.stream?.end();
    pair.settle();
    expect(connector.told).toEqual(["data 8", "end"]);
    expect(connector.text).toBe("question");
    expect(hub.told).toEqual(["response 201", "data 6", "end"]);
    expect(hub.text).toBe("answer");
    expect(hub.answer?.headers).toEqual([
      ["set-cookie", "a"],
      ["set-cookie", "b"],
    ]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
    expect([hub.stream?.isOver, connector.stream?.isOver]).toEqual([true, true]);
  });

  test("without bodies is one frame each way", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({}, true);
    expect(connector.told).toEqual(["end"]);
    connector.stream?.respond({ status: 204, headers: [] }, true);
    pair.settle();
    expect(hub.told).toEqual(["response 204", "end"]);
    expect(pair.sent).toEqual({ toHub: 1, toConnector: 1 });
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });

  test("that ends with its request's body leaves nothing behind when the connector ended first", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({ method: "POST" });
    connector.stream?.respond({ status: 413, headers: [] }, true);
    pair.settle();
    expect(hub.told).toEqual(["response 413", "end"]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([1, 1]);
    hub.stream?.write(bytes("still sent"));
    pair.settle();
    expect(connector.told).toEqual(["data 10"]);
    hub.stream?.end();
    pair.settle();
    expect(connector.told).toEqual(["data 10", "end"]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });

  test("that was answered early may be cancelled", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({ method: "POST" });
    connector.stream?.respond({ status: 413, headers: [] }, true);
    pair.settle();
    hub.stream?.reset("cancelled");
    pair.settle();
    expect(connector.told).toEqual(["reset cancelled: cancelled"]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });

  test("is not written to after its half has ended", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({}, true);
    expect(hub.stream?.write(bytes("late"))).toBe(4);
    hub.stream?.end();
    pair.settle();
    expect(connector.told).toEqual(["end"]);
    connector.stream?.respond(ok, true);
    connector.stream?.respond(ok);
    connector.stream?.end();
    pair.settle();
    expect(hub.told).toEqual(["response 200", "end"]);
  });

  test("a head that cannot be sent leaves the stream open for another", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({}, true);
    const long = { status: 200, headers: [["a", "v".repeat(70_000)]] as [string, string][] };
    expect(() => connector.stream?.respond(long)).toThrow(StreamError);
    connector.stream?.respond({ status: 502, headers: [] }, true);
    pair.settle();
    expect(hub.told).toEqual(["response 502", "end"]);
  });

  test("a head that cannot be sent opens no stream", () => {
    const pair = new Pair();
    const open = () => pair.hub.open(requestHead({ target: "http://evil/" }), new Recorder(), true);
    expect(open).toThrow(StreamError);
    expect([pair.hub.streamCount, pair.hub.lastId]).toEqual([0, 0]);
  });
});

/** The four ends of two halves: each side sends a body and ends, in every order in which that can happen. */
describe("half-close in every order", () => {
  type Step = "hub data" | "hub end" | "respond" | "connector data" | "connector end";
  const orders = interleavings<Step>(["hub data", "hub end"], ["respond", "connector data", "connector end"]);

  test.each(
    orders.flatMap((order) => [
      { order, each: true },
      { order, each: false },
    ]),
  )("$order, carried after each step: $each", ({ order, each }) => {
    const pair = new Pair();
    const { hub, connector } = pair.open({ method: "POST" });
    const steps: Record<Step, () => void> = {
      "hub data": () => void hub.stream?.write(bytes("up")),
      "hub end": () => hub.stream?.end(),
      respond: () => connector.stream?.respond(ok),
      "connector data": () => void connector.stream?.write(bytes("down")),
      "connector end": () => connector.stream?.end(),
    };
    for (const step of order) {
      steps[step]();
      if (each) pair.settle();
    }
    pair.settle();
    expect(connector.told).toEqual(["data 2", "end"]);
    expect(hub.told).toEqual(["response 200", "data 4", "end"]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });
});

function interleavings<T>(first: T[], second: T[]): T[][] {
  const [a, ...restOfFirst] = first;
  const [b, ...restOfSecond] = second;
  if (a === undefined) return [second];
  if (b === undefined) return [first];
  return [
    ...interleavings(restOfFirst, second).map((rest) => [a, ...rest]),
    ...interleavings(first, restOfSecond).map((rest) => [b, ...rest]),
  ];
}

describe("reset", () => {
  test("by the hub, with its reason; the one who resets is not told", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({ method: "POST" });
    hub.stream?.reset("cancelled", "the reader went away");
    pair.settle();
    expect(hub.told).toEqual([]);
    expect(connector.told).toEqual(["reset cancelled: the reader went away"]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });

  test("by the connector, in the middle of its answer; the one who fails is told", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({}, true);
    connector.stream?.respond(ok);
    connector.stream?.write(bytes("half"));
    connector.stream?.fail(new StreamError("upstream_failed", "it died"));
    pair.settle();
    expect(hub.told).toEqual(["response 200", "data 4", "reset upstream_failed: it died"]);
    expect(connector.told).toEqual(["end", "reset upstream_failed: it died"]);
  });

  test("a long reason is cut between characters", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({}, true);
    connector.stream?.reset("upstream_failed", `${"r".repeat(122)}\u00e9`);
    pair.settle();
    expect(hub.error?.message).toBe("r".repeat(122));
  });

  test("what was in flight then is ignored, and nothing happens twice", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({ method: "POST" });
    hub.stream?.reset("cancelled");
    hub.stream?.reset("stalled");
    hub.stream?.write(bytes("x"));
    hub.stream?.end();
    hub.stream?.consume(1);
    connector.stream?.respond(ok);
    connector.stream?.write(bytes("in flight"));
    connector.stream?.end();
    pair.settle();
    expect(hub.told).toEqual([]);
    expect(connector.told).toEqual(["reset cancelled: cancelled"]);
    expect(pair.ends).toEqual([]);
    expect(pair.sent).toEqual({ toHub: 1, toConnector: 2 });
  });

  test("by both at once", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({ method: "POST" });
    hub.stream?.reset("cancelled");
    connector.stream?.reset("upstream_failed");
    pair.settle();
    expect([hub.told, connector.told]).toEqual([[], []]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });

  test("a code of a later version reads as internal_error", () => {
    const pair = new Pair();
    const { hub } = pair.open({}, true);
    const payload = new Uint8Array([255, 255, 104, 105]);
    pair.hub.receive(encodeFrames([{ type: FrameType.RESET, flags: 0, streamId: 1, payload }]));
    expect(hub.told).toEqual(["reset internal_error: hi"]);
  });

  test("a reason that is not UTF-8 still fits a close frame once it is read", () => {
    const pair = new Pair();
    const { hub } = pair.open({}, true);
    const payload = new Uint8Array(125).fill(255);
    pair.hub.receive(encodeFrames([{ type: FrameType.RESET, flags: 0, streamId: 1, payload }]));
    expect(new TextEncoder().encode(hub.error?.message).byteLength).toBeLessThanOrEqual(123);
  });
});

describe("a handler that resets its stream while it is being told", () => {
  test("hears nothing more: neither the end that came with the head", () => {
    const pair = new Pair();
    const { hub } = pair.open({}, true);
    hub.response = () => hub.stream?.reset("cancelled");
    const payload = encodeResponseHead(ok, "latin1");
    pair.hub.receive(encodeFrames([{ type: FrameType.RESPONSE, flags: 1, streamId: 1, payload }]));
    expect(hub.told).toEqual([]);
  });

  test("nor the end that came with the data", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({}, true);
    connector.stream?.respond(ok);
    pair.settle();
    hub.data = () => hub.stream?.reset("cancelled");
    const payload = new Uint8Array(3);
    pair.hub.receive(encodeFrames([{ type: FrameType.DATA, flags: 1, streamId: 1, payload }]));
    expect(hub.told).toEqual(["response 200"]);
  });

  test("nor at the connector, when it refuses at once a request that has ended", () => {
    const told: string[] = [];
    const recorder = new Recorder();
    const pair = new Pair({
      request: (stream) => {
        stream.handler = recorder;
        stream.reset("denied", "not you");
        told.push("asked");
      },
    });
    const hub = new Recorder();
    pair.hub.open(requestHead(), hub, true);
    pair.settle();
    expect(told).toEqual(["asked"]);
    expect(recorder.told).toEqual([]);
    expect(hub.told).toEqual(["reset denied: not you"]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });
});
