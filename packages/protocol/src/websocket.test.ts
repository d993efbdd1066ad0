import { describe, expect, test } from "vitest";
import { StreamError } from "./errors.ts";
import { encodeFrames, FrameType } from "./frames.ts";
import { LIMITS } from "./limits.ts";
import { MessageReceiver, MessageSender } from "./message-stream.ts";
import { Pair } from "./testing/pair.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = { text: true, more: false };

describe("opening", () => {
  test("101, with the chosen subprotocol, and both directions open", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({ kind: "websocket", target: "/ws" });
    connector.stream?.respond({ status: 101, headers: [["sec-websocket-protocol", "chat"]] });
    pair.settle();
    expect(hub.answer).toEqual({ status: 101, headers: [["sec-websocket-protocol", "chat"]] });
    hub.stream?.writeMessageFrame(bytes("up"), text);
    connector.stream?.writeMessageFrame(bytes("down"), { text: false, more: false });
    pair.settle();
    expect(connector.told).toEqual(["data 2 text"]);
    expect(hub.told).toEqual(["response 101", "data 4"]);
  });

  test("refused: an ordinary answer with a body, then both ends forget it", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({ kind: "websocket" });
    connector.stream?.respond({ status: 403, headers: [] });
    connector.stream?.write(bytes("no"));
    connector.stream?.end();
    pair.settle();
    expect(hub.told).toEqual(["response 403", "data 2", "end"]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });

  test("refused without a body", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({ kind: "websocket" });
    connector.stream?.respond({ status: 401, headers: [] }, true);
    pair.settle();
    expect(hub.told).toEqual(["response 401", "end"]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });

  test("messages before the 101 cost the stream", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({ kind: "websocket" });
    hub.stream?.writeMessageFrame(bytes("early"), text);
    pair.settle();
    expect(connector.told).toEqual(["reset protocol_error: DATA is not allowed now"]);
    expect(hub.told).toEqual(["reset protocol_error: DATA is not allowed now"]);
  });

  test("a 101 that ends at once costs the stream", () => {
    const pair = new Pair();
    const { hub, connector } = pair.open({ kind: "websocket" });
    connector.stream?.respond({ status: 101, headers: [] }, true);
    pair.settle();
    expect(hub.told).toEqual(["reset protocol_error: status 101 is not allowed now"]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });
});

describe("CLOSE", () => {
  const codes = [
    [0, ""],
    [1000, "bye"],
    [1006, ""],
    [4999, "r".repeat(123)],
  ] as const;

  test.each(codes)("from the hub with code %i, answered", (code, reason) => {
    const pair = new Pair();
    const { hub, connector } = pair.openWebSocket();
    hub.stream?.close(code, reason);
    pair.settle();
    expect(connector.told).toEqual([`close ${code} ${reason}`.trim()]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([1, 1]);
    connector.stream?.close(code, reason);
    pair.settle();
    expect(hub.told).toEqual(["response 101", `close ${code} ${reason}`.trim()]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });

  test.each(codes)("from the connector with code %i, answered", (code, reason) => {
    const pair = new Pair();
    const { hub, connector } = pair.openWebSocket();
    connector.stream?.close(code, reason);
    pair.settle();
    hub.stream?.close(code, reason);
    pair.settle();
    expect(connector.told).toEqual([`close ${code} ${reason}`.trim()]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });

  test("from both at once", () => {
    const pair = new Pair();
    const { hub, connector } = pair.openWebSocket();
    hub.stream?.close(1000, "mine");
    connector.stream?.close(1001, "yours");
    pair.settle();
    expect(hub.told).toEqual(["response 101", "close 1001 yours"]);
    expect(connector.told).toEqual(["close 1000 mine"]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });

  test("the other half goes on until it is answered", () => {
    const pair = new Pair();
    const { hub, connector } = pair.openWebSocket();
    hub.stream?.close(1000, "");
    hub.stream?.writeMessageFrame(bytes("too late"), text);
    pair.settle();
    connector.stream?.writeMessageFrame(bytes("last words"), text);
    pair.settle();
    expect(connector.told).toEqual(["close 1000"]);
    expect(hub.told).toEqual(["response 101", "data 10 text"]);
  });

  test("an empty message is a message", () => {
    const pair = new Pair();
    const { hub, connector } = pair.openWebSocket();
    connector.stream?.writeMessageFrame(new Uint8Array(0), text);
    pair.settle();
    expect(hub.told).toEqual(["response 101", "data 0 text"]);
  });
});

/** A sender at one end and a receiver at the other, which takes messages and gives them back at once. */
function messages(pair: Pair, limits: { maxBytes?: number; maxQueueBytes?: number } = {}) {
  const ends = pair.openWebSocket();
  const { hub, connector } = ends;
  if (!hub.stream || !connector.stream) throw new Error("no stream");
  const hubStream = hub.stream;
  const sender = new MessageSender(connector.stream, limits.maxQueueBytes ?? Number.POSITIVE_INFINITY);
  connector.writable = () => sender.drain();
  const arrived: { data: Uint8Array; text: boolean }[] = [];
  const receiver = new MessageReceiver(
    hubStream,
    limits.maxBytes ?? LIMITS.webSocketMessageBytes,
    (data, isText, last) => {
      arrived.push({ data, text: isText });
      hubStream.consume(last);
    },
  );
  hub.data = (payload, isText, more) => receiver.data(payload, isText, more);
  return { ...ends, sender, receiver, arrived };
}

const PERIOD = Uint8Array.from({ length: 65_521 }, (_, index) => (index * 31 + (index >> 8)) & 255);

/** Bytes in which a shifted or lost byte shows: its period is no multiple of a frame's size. */
function pattern(size: number): Uint8Array {
  const whole = new Uint8Array(size);
  for (let at = 0; at < size; at += PERIOD.byteLength) whole.set(PERIOD.subarray(0, size - at), at);
  return whole;
}

function expectSame(actual: Uint8Array | undefined, wanted: Uint8Array): void {
  expect(actual?.byteLength).toBe(wanted.byteLength);
  let same = 0;
  while (same < wanted.byteLength && actual?.[same] === wanted[same]) same++;
  expect(same).toBe(wanted.byteLength);
}

describe("whole messages", () => {
  test.each([
    0,
    1,
    65_535,
    65_536,
    65_537,
    512 * 1024,
    512 * 1024 + 1,
    3 * 1024 * 1024,
    LIMITS.webSocketMessageBytes,
  ])("of %i bytes arrive as they were, larger than the window or not", (size) => {
    const pair = new Pair();
    const { sender, receiver, arrived } = messages(pair);
    const message = pattern(size);
    sender.send(message, false);
    sender.send(bytes("after"), true);
    pair.settle();
    expect(arrived.map(({ text: isText }) => isText)).toEqual([false, true]);
    expectSame(arrived[0]?.data, message);
    expectSame(arrived[1]?.data, bytes("after"));
    expect([sender.queuedBytes, receiver.isPartial]).toEqual([0, false]);
  });

  test("one byte over the limit resets the stream with too_large, whatever is held then", () => {
    const pair = new Pair();
    const { hub, connector, sender, arrived } = messages(pair, { maxBytes: 1_000_000 });
    sender.send(new Uint8Array(1_000_001), false);
    pair.settle();
    expect(arrived).toEqual([]);
    expect(hub.error?.code).toBe("too_large");
    expect(connector.error?.code).toBe("too_large");
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });

  test("close waits for what was queued before", () => {
    const pair = new Pair({ hub: { stream_window: 1024 } });
    const { hub, sender, arrived } = messages(pair);
    sender.send(pattern(5000), false);
    sender.close(1000, "done");
    sender.send(bytes("not any more"), true);
    pair.settle();
    expect(arrived).toHaveLength(1);
    expect(hub.told).toEqual(["response 101", "close 1000 done"]);
  });

  test("a queue that is full resets the stream with stalled", () => {
    const pair = new Pair({ hub: { stream_window: 1024 } });
    const { hub, connector, sender } = messages(pair, { maxQueueBytes: 10_000 });
    hub.data = () => undefined;
    sender.send(new Uint8Array(1024), false);
    for (let sent = 0; sent < 9; sent++) sender.send(new Uint8Array(1024), false);
    expect(connector.error?.code).toBe("stalled");
    pair.settle();
    expect(hub.error?.code).toBe("stalled");
  });

  test("empty messages behind a stalled one fill the queue too", () => {
    const pair = new Pair({ hub: { stream_window: 1024 } });
    const { hub, connector, sender } = messages(pair, { maxQueueBytes: 1_000_000 });
    hub.data = () => undefined;
    sender.send(new Uint8Array(2000), false);
    let empty = 0;
    while (!connector.error && empty < 100_000) {
      sender.send(new Uint8Array(0), false);
      empty++;
    }
    expect(connector.error?.code).toBe("stalled");
    expect(empty).toBeLessThan(10_000);
  });

  test("frames of one byte cost no more memory than the message", () => {
    const pair = new Pair();
    const { hub, receiver, arrived } = messages(pair);
    hub.stream?.handler?.data(new Uint8Array(0), true, true);
    expect(receiver.isPartial).toBe(true);
    for (let sent = 0; sent < 5000; sent++) {
      pair.hub.receive(dataFrame(1, Uint8Array.of(sent & 255), 4));
      pair.hub.receive(dataFrame(1, new Uint8Array(0), 4));
    }
    pair.hub.receive(dataFrame(1, new Uint8Array(0), 0));
    expect(arrived).toHaveLength(1);
    expect(arrived[0]?.text).toBe(true);
    expectSame(
      arrived[0]?.data,
      Uint8Array.from({ length: 5000 }, (_, index) => index & 255),
    );
    expect(arrived[0]?.data.buffer.byteLength).toBeLessThanOrEqual(2 * 5000);
  });

  test("what is left over when the stream ends goes nowhere", () => {
    const pair = new Pair({ hub: { stream_window: 1024 } });
    const { hub, sender } = messages(pair);
    hub.data = () => undefined;
    sender.send(new Uint8Array(4096), false);
    pair.settle();
    hub.stream?.reset("cancelled");
    pair.settle();
    const before = pair.sent.toHub;
    sender.send(bytes("x"), true);
    sender.close(1000, "");
    sender.drain();
    pair.settle();
    expect(pair.sent.toHub).toBe(before);
  });
});

function dataFrame(streamId: number, payload: Uint8Array, flags: number): Uint8Array {
  return encodeFrames([{ type: FrameType.DATA, flags, streamId, payload }]);
}

test("a reader that wants only messages is told of none after it threw", () => {
  const pair = new Pair();
  const { hub, connector } = pair.openWebSocket();
  hub.data = () => {
    throw new StreamError("too_large", "enough");
  };
  connector.stream?.writeMessageFrame(bytes("a"), text);
  connector.stream?.writeMessageFrame(bytes("b"), text);
  pair.settle();
  expect(hub.told).toEqual(["response 101", "reset too_large: enough"]);
  expect(connector.told).toEqual(["reset too_large: enough"]);
});
