import { describe, expect, test } from "vitest";
import { Connection } from "./connection.ts";
import { StreamError, type StreamErrorCode } from "./errors.ts";
import { encodeFrames, FrameType, readFrames, type Frame } from "./frames.ts";
import { encodeRequestHead } from "./header-block.ts";
import { DEFAULT_PEER_LIMITS } from "./limits.ts";
import { Pair, requestHead } from "./testing/pair.ts";
import { Recorder } from "./testing/recorder.ts";

const ok = { status: 200, headers: [] };

/** The code of the `StreamError` that a call ends with. */
function failureOf(run: () => unknown): StreamErrorCode | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof StreamError) return error.code;
    throw error;
  }
}

describe("ids", () => {
  test("grow from 1 and are never used again", () => {
    const pair = new Pair();
    for (let id = 1; id <= 5; id++) {
      const { hub, connector } = pair.open({}, true);
      expect(hub.stream?.id).toBe(id);
      if (id % 2 === 0) hub.stream?.reset("cancelled");
      else connector.stream?.respond(ok, true);
      pair.settle();
    }
    expect([pair.hub.lastId, pair.connector.lastId, pair.hub.streamCount]).toEqual([5, 5, 0]);
  });

  test("skip what was used before the hub was out of memory, and never go back", () => {
    const pair = new Pair();
    pair.hub.skipIds(1000);
    pair.hub.skipIds(10);
    expect(pair.open({}, true).hub.stream?.id).toBe(1001);
  });

  test("come to an end: then streams are refused instead of taking 0", () => {
    const pair = new Pair();
    pair.hub.skipIds(0xffff_fffe);
    const { hub, connector } = pair.open({}, true);
    expect(hub.stream?.id).toBe(0xffff_ffff);
    connector.stream?.respond(ok, true);
    pair.settle();
    expect(hub.told).toEqual(["response 200", "end"]);
    expect(failureOf(() => pair.hub.open(requestHead(), new Recorder(), true))).toBe("refused_stream");
  });

  test("are used up by a request that was refused or malformed", () => {
    const pair = new Pair();
    const payload = new Uint8Array(65_537);
    const message = new Uint8Array(8 + payload.byteLength);
    message.set([0x11, 1, 0, 1, 0, 0, 0, 9]);
    pair.connector.receive(message);
    expect(pair.connector.lastId).toBe(9);
    pair.hub.receive(message);
    expect(pair.hub.lastId).toBe(0);
  });
});

describe("max_streams", () => {
  test("the hub does not open more than the connector takes, and may again once one is over", () => {
    const pair = new Pair({ connector: { max_streams: 2 } });
    const first = pair.open();
    pair.open();
    expect(failureOf(() => pair.open())).toBe("refused_stream");
    first.hub.stream?.reset("cancelled");
    pair.open();
    expect(pair.connector.streamCount).toBe(2);
    expect(pair.at(3).told).toEqual([]);
  });

  test("the connector refuses what is beyond it, with an id that is used up, and goes on", () => {
    const pair = new Pair({ connector: { max_streams: 1 } });
    const { connector } = pair.open({}, true);
    const payload = encodeRequestHead(requestHead(), "utf-8");
    pair.connector.receive(encodeFrames([{ type: FrameType.REQUEST, flags: 1, streamId: 7, payload }]));
    pair.endTurn();
    expect(framesOf(pair.toHub.splice(0))).toMatchObject([{ type: FrameType.RESET, streamId: 7 }]);
    expect(pair.connector.lastId).toBe(7);
    connector.stream?.respond(ok, true);
    pair.connector.receive(encodeFrames([{ type: FrameType.REQUEST, flags: 1, streamId: 8, payload }]));
    expect(pair.at(8).told).toEqual(["end"]);
  });
});

describe("frames of one turn leave in one message", () => {
  test("whatever streams they belong to", () => {
    const pair = new Pair();
    const recorders = Array.from({ length: 10 }, () => new Recorder());
    for (const recorder of recorders) recorder.stream = pair.hub.open(requestHead(), recorder, true);
    expect(pair.sent.toConnector).toBe(0);
    pair.settle();
    expect(pair.sent.toConnector).toBe(1);
    for (const { stream } of pair.accepted.values()) {
      stream?.respond(ok);
      stream?.write(new Uint8Array(100));
      stream?.end();
    }
    pair.settle();
    expect(pair.sent.toHub).toBe(1);
    for (const recorder of recorders) expect(recorder.told).toEqual(["response 200", "data 100", "end"]);
  });

  test("in two turns in two messages, and none in a turn without frames", () => {
    const pair = new Pair();
    const { connector } = pair.open({}, true);
    connector.stream?.respond(ok);
    pair.settle();
    connector.stream?.write(new Uint8Array(1));
    pair.settle();
    pair.endTurn();
    pair.connector.flush();
    expect(pair.sent).toEqual({ toConnector: 1, toHub: 2 });
  });

  test("a large turn leaves in messages of 64 KiB and little more, in order", () => {
    const pair = new Pair();
    const { connector } = pair.open({}, true);
    connector.stream?.respond(ok);
    connector.stream?.write(new Uint8Array(300_000));
    expect(pair.toHub.map((message) => message.byteLength)).toEqual([
      12 + 8 + 65_536,
      8 + 65_536,
      8 + 65_536,
      8 + 65_536,
    ]);
    pair.endTurn();
    expect(pair.toHub.at(-1)?.byteLength).toBe(8 + 300_000 - 4 * 65_536);
  });

  test("flush sends at once, and the end of the turn then sends nothing", () => {
    const pair = new Pair();
    pair.hub.open(requestHead(), new Recorder(), true);
    pair.hub.flush();
    expect(pair.sent.toConnector).toBe(1);
    pair.settle();
    expect(pair.sent.toConnector).toBe(1);
  });

  test("without a schedule of one's own, the turn ends with the microtask", async () => {
    const sent: Uint8Array[] = [];
    const limits = { local: DEFAULT_PEER_LIMITS, remote: DEFAULT_PEER_LIMITS };
    const hub = new Connection({
      role: "hub",
      text: "utf-8",
      ...limits,
      send: (message) => void sent.push(message),
    });
    hub.open(requestHead(), new Recorder(), true);
    hub.open(requestHead(), new Recorder(), true);
    expect(sent).toHaveLength(0);
    await Promise.resolve();
    expect(sent).toHaveLength(1);
  });

  test("a frame over the limit is its writer's mistake and takes nobody else's frames with it", () => {
    const pair = new Pair();
    const { hub, connector } = pair.openWebSocket();
    const other = pair.open({}, true);
    other.connector.stream?.respond(ok, true);
    const write = () =>
      connector.stream?.writeMessageFrame(new Uint8Array(65_537), { text: false, more: false });
    expect(write).toThrow(RangeError);
    pair.settle();
    expect(other.hub.told).toEqual(["response 200", "end"]);
    expect(hub.told).toEqual(["response 101"]);
  });
});

describe("a handler that throws costs its stream and no other", () => {
  const broken = () => {
    throw new Error("broken");
  };

  test.each(["response", "data", "end", "close", "writable", "reset"] as const)("in %s", (method) => {
    const pair = new Pair({ connector: { stream_window: 1024 } });
    const other = pair.openWebSocket();
    const { hub, connector } = method === "response" ? pair.open() : openFor(pair, method);
    Object.assign(hub, { [method]: broken });
    connector.stream?.respond(ok);
    connector.stream?.write(new Uint8Array(1));
    connector.stream?.end();
    connector.stream?.close(1000, "");
    if (method === "reset") connector.stream?.fail(new StreamError("upstream_failed"));
    pair.settle();
    expect([...pair.hub.streamIds]).toEqual([1]);
    expect(hub.stream?.isOver).toBe(true);
    other.connector.stream?.writeMessageFrame(new Uint8Array(2), { text: true, more: false });
    pair.settle();
    expect(other.hub.told).toEqual(["response 101", "data 2 text"]);
    expect(pair.ends).toEqual([]);
  });

  /** A stream in which the hub's handler is about to be told of `method`. */
  function openFor(pair: Pair, method: string) {
    if (method === "close") return pair.openWebSocket();
    const ends = pair.open({ method: "POST" });
    ends.connector.stream?.respond(ok);
    pair.settle();
    if (method === "writable") {
      ends.hub.stream?.write(new Uint8Array(1024));
    }
    return ends;
  }

  test("both in data and in the reset that follows", () => {
    const pair = new Pair();
    const other = pair.open();
    const { hub, connector } = pair.openWebSocket();
    Object.assign(hub, { data: broken, reset: broken });
    connector.stream?.writeMessageFrame(new Uint8Array(1), { text: true, more: false });
    pair.settle();
    expect(pair.ends).toEqual([]);
    expect(connector.error?.code).toBe("internal_error");
    expect([...pair.hub.streamIds]).toEqual([other.hub.stream?.id]);
  });

  test("with something that has no text", () => {
    const pair = new Pair();
    const { hub, connector } = pair.openWebSocket();
    hub.data = () => {
      throw Object.create(null);
    };
    connector.stream?.writeMessageFrame(new Uint8Array(1), { text: true, more: false });
    pair.settle();
    expect(pair.ends).toEqual([]);
    expect(connector.error?.code).toBe("internal_error");
  });

  test("in the connector's answer to a new stream", () => {
    const asked: Recorder[] = [];
    const pair = new Pair({
      request: (stream, head) => {
        const recorder = new Recorder();
        stream.handler = recorder;
        asked.push(recorder);
        if (head.target === "/broken") throw new Error("broken");
        if (head.target === "/denied") throw new StreamError("denied", "not you");
      },
    });
    const handlers = ["/broken", "/denied", "/fine"].map((target) => {
      const recorder = new Recorder();
      recorder.stream = pair.hub.open(requestHead({ target }), recorder, false);
      return recorder;
    });
    pair.settle();
    expect(handlers.map(({ told }) => told)).toEqual([
      ["reset internal_error: Error: broken"],
      ["reset denied: not you"],
      [],
    ]);
    expect(asked.map(({ told }) => told.length)).toEqual([1, 1, 0]);
    expect([...pair.connector.streamIds]).toEqual([3]);
  });
});

describe("the connection", () => {
  test("lost: every stream ends with connection_lost, even when a handler throws; nothing is sent or taken any more", () => {
    const pair = new Pair();
    const all = [pair.open(), pair.openWebSocket(), pair.open({}, true)];
    const [first] = all;
    if (first)
      first.hub.reset = () => {
        throw new Error("broken");
      };
    pair.hub.lost("the cable");
    const rest = all.slice(1).map(({ hub }) => hub.told.at(-1));
    expect(rest).toEqual(["reset connection_lost: the cable", "reset connection_lost: the cable"]);
    const before = pair.sent.toConnector;
    for (const { hub } of all) hub.stream?.reset("cancelled");
    pair.settle();
    expect([pair.hub.streamCount, pair.sent.toConnector]).toEqual([0, before]);
    expect(pair.hub.receive(new Uint8Array(3))).toBeUndefined();
    expect(failureOf(() => pair.hub.open(requestHead(), new Recorder(), true))).toBe("connection_lost");
  });

  test("lost: a handler that opens another stream at once is refused, not asked for ever", () => {
    const pair = new Pair();
    const { hub } = pair.open();
    let tries = 0;
    hub.reset = () => {
      tries++;
      if (tries < 10) pair.hub.open(requestHead(), hub, true);
    };
    pair.hub.lost();
    expect(tries).toBe(1);
  });

  test("lost: frames of the turn are not sent", () => {
    const pair = new Pair();
    pair.hub.open(requestHead(), new Recorder(), true);
    pair.hub.lost();
    pair.endTurn();
    expect(pair.sent.toConnector).toBe(0);
  });

  test("whose socket throws when it is sent to is lost", () => {
    const turn: (() => void)[] = [];
    const hub = new Connection({
      role: "hub",
      text: "utf-8",
      local: DEFAULT_PEER_LIMITS,
      remote: DEFAULT_PEER_LIMITS,
      schedule: (flush) => void turn.push(flush),
      send: () => {
        throw new TypeError("send() after close()");
      },
    });
    const recorder = new Recorder();
    hub.open(requestHead(), recorder, true);
    for (const flush of turn) flush();
    expect(recorder.error?.code).toBe("connection_lost");
    expect(hub.streamCount).toBe(0);
  });

  test("ends for a message that cannot be laid to one stream, after the frames before it", () => {
    const pair = new Pair();
    const { hub } = pair.open({}, true);
    const reset = encodeFrames([
      { type: FrameType.RESET, flags: 0, streamId: 1, payload: new Uint8Array([0, 1]) },
    ]);
    const message = new Uint8Array([...reset, 1, 2, 3]);
    const failure = pair.hub.receive(message);
    expect([failure?.code, failure?.closeCode]).toEqual(["bad_message", 4400]);
    expect(hub.told).toEqual(["reset cancelled: cancelled"]);
    const tooBig = pair.hub.receive(new Uint8Array(1024 * 1024 + 1));
    expect([tooBig?.code, tooBig?.closeCode]).toEqual(["message_too_big", 4413]);
  });

  test("has no handler for new streams: they wait, unread, until one is set or the window is full", () => {
    const pair = new Pair({ request: () => undefined });
    const hub = new Recorder();
    hub.stream = pair.hub.open(requestHead({ method: "POST" }), hub, false);
    hub.stream.write(new Uint8Array(10));
    pair.settle();
    expect(pair.connector.streamCount).toBe(1);
    expect(hub.told).toEqual([]);
  });
});

function framesOf(messages: Uint8Array[]): Frame[] {
  const frames: Frame[] = [];
  for (const message of messages) {
    readFrames(message, {
      frame: (frame) => void frames.push(frame),
      malformed: ({ streamId }) => expect.unreachable(`a malformed frame of stream ${streamId}`),
    });
  }
  return frames;
}
