import { describe, expect, test } from "vitest";
import close from "../vectors/close.json" with { type: "json" };
import control from "../vectors/control.json" with { type: "json" };
import data from "../vectors/data.json" with { type: "json" };
import malformed from "../vectors/malformed.json" with { type: "json" };
import messages from "../vectors/messages.json" with { type: "json" };
import request from "../vectors/request.json" with { type: "json" };
import reset from "../vectors/reset.json" with { type: "json" };
import response from "../vectors/response.json" with { type: "json" };
import versionOne from "../vectors/version-1.json" with { type: "json" };
import window from "../vectors/window.json" with { type: "json" };
import { encodeControl, parseConnectorMessage, parseHubMessage, type HubMessage } from "./control.ts";
import { ConnectionError, STREAM_ERRORS, streamErrorName } from "./errors.ts";
import { encodeFrames, FrameFlag, FrameType, readFrames, type Frame } from "./frames.ts";
import {
  decodeRequestHead,
  decodeResponseHead,
  encodeRequestHead,
  encodeResponseHead,
} from "./header-block.ts";
import { decodeCode, encodeCode } from "./reason.ts";
import { toHex } from "./testing/naive-codec.ts";
import { Pair } from "./testing/pair.ts";
import { encodeMessage, parseMessage, type HubMessage as VersionOneHubMessage } from "./version-1.ts";
import { bytesOf, type FrameVector, type MalformedVector, type VectorFrame } from "./testing/vectors.ts";

const files = { request, response, data, window, reset, close, messages };

function encodePayload(frame: VectorFrame): Uint8Array {
  switch (frame.type) {
    case "REQUEST":
      return encodeRequestHead(frame.head, "latin1");
    case "RESPONSE":
      return encodeResponseHead(frame.head, "latin1");
    case "DATA":
      return bytesOf([frame.payload]);
    case "WINDOW": {
      const payload = new Uint8Array(4);
      new DataView(payload.buffer).setUint32(0, frame.credit);
      return payload;
    }
    case "RESET":
    case "CLOSE":
      return encodeCode(frame.code, frame.reason);
  }
}

function encode(frame: VectorFrame): Frame {
  const flags = frame.flags.reduce((sum, flag) => sum + FrameFlag[flag], 0);
  return { type: FrameType[frame.type], flags, streamId: frame.stream, payload: encodePayload(frame) };
}

/** What a read frame means, in the form of the vectors; for DATA its bytes in hexadecimal. */
function meaningOf({ type, payload }: Frame): unknown {
  switch (type) {
    case FrameType.REQUEST:
      return decodeRequestHead(payload, "latin1");
    case FrameType.RESPONSE:
      return decodeResponseHead(payload, "latin1");
    case FrameType.RESET:
    case FrameType.CLOSE:
      return decodeCode(payload);
    default:
      return toHex(payload);
  }
}

function statedMeaning(frame: VectorFrame): unknown {
  switch (frame.type) {
    case "REQUEST":
    case "RESPONSE":
      return frame.head;
    case "RESET":
    case "CLOSE":
      return { code: frame.code, reason: frame.reason };
    case "WINDOW":
      return frame.credit.toString(16).padStart(8, "0");
    case "DATA":
      return toHex(bytesOf([frame.payload]));
  }
}

/** How many bytes are the same from the beginning; -1 if the lengths differ. */
function sameUpTo(actual: Uint8Array, wanted: Uint8Array): number {
  if (actual.byteLength !== wanted.byteLength) return -1;
  let same = 0;
  while (same < wanted.byteLength && actual[same] === wanted[same]) same++;
  return same;
}

describe.each(Object.entries(files))("%s.json", (_file, { vectors }) => {
  test.each(vectors as FrameVector[])("$name", ({ message, frames }) => {
    const bytes = bytesOf(message);
    expect(sameUpTo(encodeFrames(frames.map(encode)), bytes)).toBe(bytes.byteLength);
    const left = [...frames];
    readFrames(bytes, {
      frame(frame) {
        const meaning = left.shift();
        if (!meaning) throw new Error("more frames than the vector has");
        const { type, flags, streamId } = encode(meaning);
        expect(frame).toMatchObject({ type, flags, streamId });
        expect(meaningOf(frame)).toEqual(statedMeaning(meaning));
      },
      malformed: ({ streamId }) => expect.unreachable(`a frame of stream ${streamId} was malformed`),
    });
    expect(left).toEqual([]);
  });
});

test("reset.json has every code of the table", () => {
  const [every] = reset.vectors;
  const codes = (every?.frames ?? []).map(({ code }) => code);
  expect(codes).toEqual(Object.values(STREAM_ERRORS));
});

describe("control.json", () => {
  test.each(control.vectors)("$name", ({ from, text, message, error }) => {
    const parse = () => (from === "hub" ? parseHubMessage(text) : parseConnectorMessage(text));
    expect(outcomeOf(parse)).toEqual(error === undefined ? { message } : { error });
  });

  test.each(control.vectors.filter(({ name, message }) => message && name !== "a field of a later version"))(
    "$name is written so",
    ({ text, message }) => {
      expect(encodeControl(message as HubMessage)).toBe(text);
    },
  );
});

function outcomeOf(parse: () => unknown): { message: unknown } | { error: string } {
  try {
    return { message: parse() };
  } catch (error) {
    if (error instanceof ConnectionError) return { error: error.code };
    throw error;
  }
}

describe("version-1.json", () => {
  const vectors = versionOne.vectors as {
    name: string;
    from: string;
    text: string;
    message?: object | null;
    costs?: string | null;
    error?: string;
  }[];

  test.each(vectors.filter(({ from }) => from === "client"))("$name", ({ text, message, costs, error }) => {
    const outcome = outcomeOf(() => parseMessage(text));
    if (costs === undefined) expect(outcome).toEqual(error === undefined ? { message } : { error });
    else expect(outcome).toMatchObject({ message: { type: "malformed", request_id: costs ?? undefined } });
  });

  test.each(vectors.filter(({ from }) => from === "hub"))("$name is written so", ({ text, message }) => {
    expect(encodeMessage(message as VersionOneHubMessage)).toBe(text);
  });
});

describe("malformed.json", () => {
  test.each(malformed.vectors as MalformedVector[])("$name", (vector) => {
    const pair = new Pair();
    for (const kind of vector.open)
      if (kind === "http") pair.open();
      else pair.openWebSocket();
    const end = pair[vector.role];
    const failure = end.receive(bytesOf(vector.message));
    expect(failure?.code ?? null).toBe(vector.closed);
    pair.endTurn();
    const sent = vector.role === "connector" ? pair.toHub : pair.toConnector;
    expect(resetsIn(sent)).toEqual(vector.resets);
    expect(openIn(end)).toEqual(vector.left);
  });
});

function resetsIn(sent: Uint8Array[]): { stream: number; code: string }[] {
  const resets: { stream: number; code: string }[] = [];
  for (const message of sent) {
    readFrames(message, {
      frame({ type, streamId, payload }) {
        expect(type).toBe(FrameType.RESET);
        resets.push({ stream: streamId, code: streamErrorName(decodeCode(payload).code) });
      },
      malformed: () => expect.unreachable(),
    });
  }
  return resets;
}

/** The ids at which a connection still has a stream. */
function openIn(connection: Pair["hub"]): number[] {
  return [...connection.streamIds];
}
