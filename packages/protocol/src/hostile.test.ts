import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StreamError } from "./errors.ts";
import { encodeFrames, FrameType, type Frame } from "./frames.ts";
import { encodeRequestHead, encodeResponseHead } from "./header-block.ts";
import { anyFrame, anyRequest, anyResponse, mutated } from "./testing/arbitraries.ts";
import { naiveRead } from "./testing/naive-codec.ts";
import { Pair, requestHead } from "./testing/pair.ts";
import { Recorder } from "./testing/recorder.ts";
import type { Stream } from "./stream.ts";

const WINDOW = 2048;
const MAX_STREAMS = 8;
const limits = { stream_window: WINDOW, max_streams: MAX_STREAMS };

const id = fc.integer({ min: 1, max: 12 });
const flags = fc.integer({ min: 0, max: 15 });
const make = (type: number, payload: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Frame> =>
  fc.record({ type: fc.constant(type), flags, streamId: id, payload });
const code = fc.uint8Array({ minLength: 2, maxLength: 125 });

/** Frames that are often legal, so that the streams get somewhere before something is wrong. */
const likelyFrame = fc.oneof(
  make(
    FrameType.REQUEST,
    anyRequest.map((head) => encodeRequestHead(head, "latin1")),
  ),
  make(
    FrameType.RESPONSE,
    anyResponse.map((head) => encodeResponseHead(head, "latin1")),
  ),
  make(FrameType.RESPONSE, fc.constant(encodeResponseHead({ status: 101, headers: [] }, "latin1"))),
  make(FrameType.DATA, fc.uint8Array({ maxLength: 1200 })),
  make(FrameType.DATA, fc.uint8Array({ maxLength: 1200 })),
  make(
    FrameType.WINDOW,
    fc.integer({ min: 0, max: 4000 }).map((credit) => new Uint8Array([0, 0, credit >> 8, credit & 255])),
  ),
  make(FrameType.RESET, code),
  make(FrameType.CLOSE, code),
  anyFrame,
);

const frames = fc.array(likelyFrame, { minLength: 1, maxLength: 6 }).map(encodeFrames);
const message = fc.oneof(
  { weight: 8, arbitrary: frames },
  { weight: 1, arbitrary: mutated(frames) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) },
);

/** An owner that now and then consumes, answers, throws or resets, as the numbers of a list decide. */
class Erratic extends Recorder {
  /** What it was told although its stream, or the peer's half of it, was over. */
  readonly wrongs: string[] = [];
  readonly #choices: number[];

  constructor(choices: number[]) {
    super();
    this.consumes = false;
    this.#choices = choices;
  }

  override response(...given: Parameters<Recorder["response"]>): void {
    this.#hears("response");
    super.response(...given);
    this.act();
  }

  override data(...given: Parameters<Recorder["data"]>): void {
    this.#hears("data");
    super.data(...given);
    this.act();
  }

  override end(): void {
    this.#hears("end");
    super.end();
    this.act();
  }

  override close(...given: Parameters<Recorder["close"]>): void {
    this.#hears("close");
    super.close(...given);
    this.act();
  }

  override reset(error: StreamError): void {
    super.reset(error);
    if (this.#next() === 0) throw new Error("broken in reset");
  }

  act(): void {
    const { stream } = this;
    if (!stream) return;
    const acts = [
      () => stream.consume(stream.held),
      () => stream.consume(Math.min(stream.held, 300)),
      () => void stream.write(new Uint8Array(500)),
      () => stream.end(),
      () => stream.close(1000, "bye"),
      () => stream.reset("cancelled"),
      () => {
        throw new Error("broken");
      },
      () => {
        throw new StreamError("too_large");
      },
    ];
    acts[this.#next()]?.();
  }

  #next(): number {
    return (this.#choices.shift() ?? 99) % 16;
  }

  #hears(what: string): void {
    const last = this.told.at(-1) ?? "";
    if (this.stream?.isOver || /^(?:end|close|reset)/.test(last)) this.wrongs.push(`${what} after ${last}`);
  }
}

/** A hub and a connector, each with streams of both kinds in several states, and erratic owners. */
function standing(choices: number[]): { pair: Pair; owners: Erratic[] } {
  const owners: Erratic[] = [];
  const own = (): Erratic => {
    const owner = new Erratic(choices);
    owners.push(owner);
    return owner;
  };
  const pair = new Pair({
    hub: limits,
    connector: limits,
    request: (stream, head) => {
      const owner = own();
      owner.stream = stream;
      stream.handler = owner;
      if (stream.id % 2 === 0) stream.respond({ status: head.kind === "websocket" ? 101 : 200, headers: [] });
      if (stream.id > 4) owner.act();
    },
  });
  for (const kind of ["http", "http", "websocket", "websocket"] as const) {
    const owner = own();
    owner.stream = pair.hub.open(requestHead({ kind }), owner, false);
  }
  pair.settle();
  return { pair, owners };
}

function expectSound(pair: Pair, owners: Erratic[]): void {
  for (const { stream, told, wrongs } of owners) {
    if (!stream) continue;
    expect(isOpenAt(pair, stream)).toBe(!stream.isOver);
    expect(wrongs).toEqual([]);
    expect(stream.held).toBeGreaterThanOrEqual(0);
    expect(stream.held).toBeLessThanOrEqual(WINDOW);
    expect(told.filter((line) => line.startsWith("reset")).length).toBeLessThanOrEqual(1);
    expect(told.filter((line) => line === "end").length).toBeLessThanOrEqual(1);
  }
  expect(pair.hub.streamCount).toBeLessThanOrEqual(MAX_STREAMS);
  expect(pair.connector.streamCount).toBeLessThanOrEqual(MAX_STREAMS);
}

function isOpenAt(pair: Pair, stream: Stream): boolean {
  return pair.hub.stream(stream.id) === stream || pair.connector.stream(stream.id) === stream;
}

describe.each(["hub", "connector"] as const)("whatever is sent to a %s", (role) => {
  test("nothing is thrown, nothing leaks, nobody holds more than the window, every answer is well formed", () => {
    const choices = fc.array(fc.nat({ max: 15 }), { maxLength: 60 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 30 }), choices, (messages, chosen) => {
        const { pair, owners } = standing([...chosen]);
        const answers = role === "hub" ? pair.toConnector : pair.toHub;
        for (const bytes of messages) {
          const failure = pair[role].receive(bytes);
          expect(failure === undefined || ["bad_message", "message_too_big"].includes(failure.code)).toBe(
            true,
          );
          expectSound(pair, owners);
          pair.endTurn();
        }
        for (const answer of answers) expect(naiveRead(answer).every(({ is }) => is === "frame")).toBe(true);
        pair.settle();
        expect(pair.ends).toEqual([]);
        expectSound(pair, owners);
      }),
      { numRuns: 300 },
    );
  });

  test("an answer is at most one RESET for each frame", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 60 }), (list) => {
        const pair = new Pair({ hub: limits, connector: limits });
        pair.open();
        pair.openWebSocket();
        const answers = role === "hub" ? pair.toConnector : pair.toHub;
        for (const frame of list) pair[role].receive(encodeFrames([frame]));
        pair.endTurn();
        const sent = answers.flatMap((answer) => naiveRead(answer));
        const resets = sent.filter((event) => event.is === "frame" && event.type === FrameType.RESET);
        expect(resets.length).toBeLessThanOrEqual(list.length);
      }),
    );
  });
});

describe("memory", () => {
  test("64 MiB pressed into streams that nobody reads: each holds its window and is reset", () => {
    const pair = new Pair({ hub: { stream_window: 64 * 1024 } });
    const ends = Array.from({ length: 16 }, () => pair.open({}, true));
    for (const { hub, connector } of ends) {
      hub.consumes = false;
      connector.stream?.respond({ status: 200, headers: [] });
    }
    pair.settle();
    const payload = new Uint8Array(32 * 1024);
    for (let round = 0; round < 128; round++) {
      for (let streamId = 1; streamId <= 16; streamId++)
        pair.hub.receive(encodeFrames([{ type: FrameType.DATA, flags: 0, streamId, payload }]));
    }
    for (const { hub } of ends) {
      expect(hub.bytes).toBe(64 * 1024);
      expect(hub.error?.code).toBe("flow_control_error");
    }
    expect(pair.hub.streamCount).toBe(0);
  });

  test("20,000 requests that are reset at once leave nothing behind", () => {
    const pair = new Pair();
    const payload = encodeRequestHead(requestHead(), "utf-8");
    const cancel = new Uint8Array([0, 1]);
    for (let streamId = 1; streamId <= 20_000; streamId++) {
      pair.connector.receive(
        encodeFrames([
          { type: FrameType.REQUEST, flags: 0, streamId, payload },
          { type: FrameType.RESET, flags: 0, streamId, payload: cancel },
        ]),
      );
      pair.accepted.clear();
    }
    pair.endTurn();
    expect([pair.connector.streamCount, pair.toHub.length]).toEqual([0, 0]);
  });
});
