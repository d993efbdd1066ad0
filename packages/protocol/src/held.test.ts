/** The memory that a connection holds for all its streams is counted, and bounded. */
import { expect, test } from "vitest";
import { LIMITS } from "./limits.ts";
import { MessageReceiver, MessageSender } from "./message-stream.ts";
import { Pair } from "./testing/pair.ts";

const WINDOW = LIMITS.streamWindowBytes;
const STREAMS = LIMITS.connectionHeldBytes / WINDOW;
const ok = { status: 200, headers: [] };

/** Streams whose answers nobody reads, each a full window. */
function stalled(pair: Pair, count: number, ends: boolean) {
  return Array.from({ length: count }, () => {
    const { hub, connector } = pair.open({}, true);
    hub.consumes = false;
    connector.stream?.respond(ok);
    connector.stream?.write(new Uint8Array(WINDOW));
    if (ends) connector.stream?.end();
    pair.settle();
    return hub;
  });
}

test("the stream that would exceed the limit is reset, and only that one", () => {
  const pair = new Pair();
  const readers = stalled(pair, STREAMS, false);
  expect(pair.hub.heldBytes).toBe(LIMITS.connectionHeldBytes);
  const { hub: last, connector } = pair.open({}, true);
  connector.stream?.respond(ok);
  connector.stream?.write(new Uint8Array(1));
  pair.settle();
  expect(last.error?.code).toBe("overloaded");
  expect(connector.error?.code).toBe("overloaded");
  expect(readers.filter(({ error }) => error)).toEqual([]);
  readers[0]?.stream?.consume(WINDOW);
  expect(pair.hub.heldBytes).toBe(LIMITS.connectionHeldBytes - WINDOW);
});

test("answers that are complete and not read yet still count", () => {
  const pair = new Pair();
  const readers = stalled(pair, STREAMS + 3, true);
  expect(readers.filter(({ error }) => error?.code === "overloaded")).toHaveLength(3);
  expect(pair.hub.heldBytes).toBe(LIMITS.connectionHeldBytes);
  for (const { stream } of readers) stream?.consume(WINDOW);
  expect(pair.hub.heldBytes).toBe(0);
});

test("what is dropped with a stream does not count any more", () => {
  const pair = new Pair();
  const [given, lost, over] = [stalled(pair, 1, false), stalled(pair, 1, false), stalled(pair, 1, true)];
  expect(pair.hub.heldBytes).toBe(3 * WINDOW);
  given[0]?.stream?.reset("cancelled");
  over[0]?.stream?.reset("cancelled");
  expect(pair.hub.heldBytes).toBe(WINDOW);
  pair.hub.lost();
  expect(lost[0]?.error?.code).toBe("connection_lost");
  expect(pair.hub.heldBytes).toBe(0);
});

test("an unfinished message counts, though its parts are consumed", () => {
  const pair = new Pair();
  const { hub, connector } = pair.openWebSocket();
  const { stream } = hub;
  if (!stream || !connector.stream) throw new Error("not open");
  const whole: number[] = [];
  const receiver = new MessageReceiver(stream, LIMITS.webSocketMessageBytes, (message, _text, bytes) => {
    whole.push(message.byteLength);
    stream.consume(bytes);
  });
  hub.data = (payload, text, more) => receiver.data(payload, text, more);
  const sender = new MessageSender(connector.stream, Number.POSITIVE_INFINITY);
  connector.writable = () => sender.drain();
  const message = new Uint8Array(3 * WINDOW + 1);
  connector.stream.writeMessageFrame(message.subarray(0, 1000), { text: false, more: true });
  pair.settle();
  expect(pair.hub.heldBytes).toBe(1000);
  connector.stream.writeMessageFrame(new Uint8Array(0), { text: false, more: false });
  pair.settle();
  expect([whole, pair.hub.heldBytes]).toEqual([[1000], 0]);
  sender.send(message, false);
  expect(pair.connector.heldBytes).toBeGreaterThan(2 * WINDOW);
  pair.settle();
  expect(whole).toEqual([1000, message.byteLength]);
  expect([pair.hub.heldBytes, pair.connector.heldBytes]).toEqual([0, 0]);
});

test("queues of messages without credit count, and the one that is too much is reset", () => {
  const pair = new Pair();
  const senders = Array.from({ length: 5 }, () => {
    const { hub, connector } = pair.openWebSocket();
    connector.consumes = false;
    if (!hub.stream) throw new Error("not open");
    return { hub, sender: new MessageSender(hub.stream, Number.POSITIVE_INFINITY) };
  });
  for (const { sender } of senders) sender.send(new Uint8Array(LIMITS.webSocketMessageBytes), false);
  expect(senders.map(({ hub }) => hub.error?.code)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    "overloaded",
  ]);
  expect(pair.hub.heldBytes).toBeLessThanOrEqual(LIMITS.connectionHeldBytes);
});

test("a queue that goes out after the peer has closed does not count any more", () => {
  const pair = new Pair();
  const { hub, connector } = pair.openWebSocket();
  if (!connector.stream) throw new Error("not open");
  hub.consumes = false;
  const sender = new MessageSender(connector.stream, Number.POSITIVE_INFINITY);
  connector.writable = () => sender.drain();
  sender.send(new Uint8Array(WINDOW + 1000), false);
  pair.settle();
  hub.stream?.close(1000, "");
  sender.close(1000, "");
  pair.settle();
  expect(pair.connector.heldBytes).toBeGreaterThan(1000);
  hub.stream?.consume(WINDOW);
  pair.settle();
  hub.stream?.consume(1000);
  expect([pair.connector.streamCount, pair.connector.heldBytes, pair.hub.heldBytes]).toEqual([0, 0, 0]);
});

test("what neither end sends or reads to its end any more does not count", () => {
  const pair = new Pair();
  const { hub, connector } = pair.openWebSocket();
  if (!hub.stream || !connector.stream) throw new Error("not open");
  const receiver = new MessageReceiver(hub.stream, LIMITS.webSocketMessageBytes, () => undefined);
  hub.data = (payload, text, more) => receiver.data(payload, text, more);
  connector.consumes = false;
  new MessageSender(hub.stream, Number.POSITIVE_INFINITY).send(new Uint8Array(WINDOW + 1000), false);
  connector.stream.writeMessageFrame(new Uint8Array(500), { text: false, more: true });
  connector.stream.close(1000, "");
  pair.settle();
  expect(pair.hub.heldBytes).toBeGreaterThan(1500);
  hub.stream.close(1000, "");
  pair.settle();
  expect(pair.hub.heldBytes).toBe(0);
  expect(pair.connector.heldBytes).toBe(WINDOW);
  connector.stream.consume(WINDOW);
  expect([pair.hub.streamCount, pair.connector.streamCount, pair.connector.heldBytes]).toEqual([0, 0, 0]);
});
