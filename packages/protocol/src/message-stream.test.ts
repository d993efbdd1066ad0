import { expect, test } from "vitest";
import { MessageReceiver, MessageSender } from "./message-stream.ts";
import { Pair } from "./testing/pair.ts";

/** The connector's end of an open WebSocket. */
function openStream(window?: number) {
  const pair = new Pair(window === undefined ? {} : { hub: { stream_window: window } });
  const { hub, connector } = pair.open({ kind: "websocket" });
  const { stream } = connector;
  if (!stream) throw new Error("no stream");
  stream.respond({ status: 101, headers: [] });
  pair.settle();
  return { pair, hub, stream };
}

test("a message in one frame is handed on as it is, and copied where it would keep much else in memory", () => {
  const delivered: Uint8Array[] = [];
  const receiver = new MessageReceiver(openStream().stream, 1000, (message) => delivered.push(message));
  const buffer = Uint8Array.from({ length: 100 }, (_, index) => index);
  for (const payload of [buffer.subarray(10, 90), buffer.subarray(10, 20), buffer.subarray(5, 5)])
    receiver.data(payload, false, false);
  expect(delivered.map((message) => message.buffer === buffer.buffer)).toEqual([true, false, false]);
  expect(delivered.map((message) => message.length)).toEqual([80, 10, 0]);
  buffer.fill(0);
  expect(delivered[1]?.[0]).toBe(10);
});

test("ten thousand messages that wait go out in order, each once, and cost nothing when they have", () => {
  const { pair, hub, stream } = openStream(64);
  const sender = new MessageSender(stream, Number.POSITIVE_INFINITY);
  const sent = Array.from({ length: 10_000 }, (_, index) => new Uint8Array([index >> 8, index & 255]));
  for (const message of sent) sender.send(message, false);
  expect(sender.queuedBytes).toBeGreaterThan(0);
  const numbers: number[] = [];
  const receiver = new MessageReceiver(hub.stream ?? stream, 1000, ([high = 0, low = 0], _text, bytes) => {
    numbers.push(high * 256 + low);
    hub.stream?.consume(bytes);
  });
  hub.data = (payload, text, more) => receiver.data(payload, text, more);
  for (let round = 0; round < 2000 && sender.queuedBytes > 0; round++) {
    pair.settle();
    sender.drain();
  }
  pair.settle();
  expect(numbers).toEqual(Array.from(sent.keys()));
  expect([sender.queuedBytes, pair.connector.heldBytes]).toEqual([0, 0]);
});
