import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex } from "./testing/naive-codec.ts";
import { Pair } from "./testing/pair.ts";
import type { Recorder } from "./testing/recorder.ts";

type End = "hub" | "connector";

/** One thing that happens in a conversation over two WebSockets. */
type Step =
  | { does: "send"; end: End; socket: number; bytes: number; more: boolean }
  | { does: "consume"; end: End; socket: number; bytes: number }
  | { does: "close" | "reset"; end: End; socket: number }
  | { does: "carry" };

const end = fc.constantFrom<End>("hub", "connector");
const socket = fc.nat({ max: 1 });
const bytes = fc.nat({ max: 900 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ does: fc.constant("send" as const), end, socket, bytes, more: fc.boolean() }),
  },
  { weight: 6, arbitrary: fc.record({ does: fc.constant("consume" as const), end, socket, bytes }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("close" as const), end, socket }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("reset" as const), end, socket }) },
  { weight: 8, arbitrary: fc.constant({ does: "carry" as const }) },
);

/** Plays a conversation, with the hub evicted before the steps in `evictions`; returns all that can be seen of it. */
function play(steps: Step[], evictions: ReadonlySet<number>) {
  const pair = new Pair({ hub: { stream_window: 1024 }, connector: { stream_window: 2048 } });
  const sockets = [pair.openWebSocket(), pair.openWebSocket()];
  const owners = sockets.map(({ hub }) => hub);
  for (const { hub, connector } of sockets) {
    hub.consumes = false;
    connector.consumes = false;
  }
  const seen: string[] = [];
  const look = () =>
    seen.push(JSON.stringify(sockets.map(({ hub, connector }) => [view(hub), view(connector)])));
  for (const [index, next] of steps.entries()) {
    // Without an eviction the turn ends here too, so that both plays send the same messages.
    if (evictions.has(index)) pair.evictHub(owners);
    else pair.endTurn();
    perform(pair, sockets, next);
    look();
  }
  pair.settle();
  look();
  return { seen, sent: pair.sent, ends: pair.ends, streams: [...pair.hub.streamIds] };
}

function view({ stream, told, received }: Recorder) {
  return { state: stream?.state, isOver: stream?.isOver, told, received: received.map(toHex) };
}

function perform(pair: Pair, sockets: Record<End, Recorder>[], now: Step): void {
  if (now.does === "carry") {
    pair.carry();
    return;
  }
  const owner = sockets[now.socket]?.[now.end];
  const stream = owner?.stream;
  if (!stream) return;
  if (now.does === "send") {
    const size = Math.min(now.bytes, stream.credit);
    stream.writeMessageFrame(new Uint8Array(size).fill(now.bytes), {
      text: size % 2 === 0,
      more: now.more,
    });
  } else if (now.does === "consume") stream.consume(Math.min(now.bytes, stream.held));
  else if (now.does === "close") stream.close(1000, "bye");
  else stream.reset("cancelled");
}

describe("a hub that lost its memory", () => {
  test("goes on exactly: the same bytes, credits and endings, wherever it happened", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(), (steps, at) => {
        const undisturbed = play(steps, new Set());
        expect(play(steps, new Set([at % (steps.length + 1)]))).toEqual(undisturbed);
      }),
      { numRuns: 200 },
    );
  });

  test("goes on exactly when it happens before every single step", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        expect(play(steps, new Set(steps.keys()))).toEqual(play(steps, new Set()));
      }),
      { numRuns: 100 },
    );
  });

  test("keeps six numbers of a stream, and nothing else", () => {
    const pair = new Pair();
    const { hub, connector } = pair.openWebSocket();
    hub.stream?.writeMessageFrame(new Uint8Array(10), { text: false, more: false });
    connector.stream?.writeMessageFrame(new Uint8Array(20), { text: false, more: false });
    pair.settle();
    expect(hub.stream?.state).toEqual({
      id: 1,
      sendCredit: 524_278,
      receive: { available: 524_268, unreturned: 20, size: 524_288 },
      localEnded: false,
      remoteEnded: false,
    });
  });

  test("opens new streams with new ids, and ignores the frames of those it forgot", () => {
    const pair = new Pair();
    const kept = pair.openWebSocket();
    const forgotten = pair.open({ method: "POST" });
    pair.evictHub([kept.hub]);
    forgotten.connector.stream?.respond({ status: 200, headers: [] }, true);
    pair.settle();
    expect(forgotten.hub.told).toEqual([]);
    expect(pair.ends).toEqual([]);
    expect(pair.open({}, true).hub.stream?.id).toBe(3);
    kept.connector.stream?.writeMessageFrame(new Uint8Array(3), { text: true, more: false });
    pair.settle();
    expect(kept.hub.told).toEqual(["response 101", "data 3 text"]);
  });

  test("knows which half had ended", () => {
    const pair = new Pair();
    const { hub, connector } = pair.openWebSocket();
    hub.stream?.close(1000, "");
    pair.settle();
    pair.evictHub([hub]);
    hub.stream?.writeMessageFrame(new Uint8Array(3), { text: true, more: false });
    connector.stream?.close(1000, "");
    pair.settle();
    expect(connector.told).toEqual(["close 1000"]);
    expect(hub.told).toEqual(["response 101", "close 1000"]);
    expect([pair.hub.streamCount, pair.connector.streamCount]).toEqual([0, 0]);
  });
});
