/** What becomes of bytes on their way when one end stops, leaves or does not keep to what it should. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { LIMITS, type Stream, type StreamError } from "@ai-orchestrator/protocol";
import { connectFake } from "../../test/fake-connector.ts";
import { ownerWithToken } from "../../test/hub.ts";
import { openWebSocket, tunnelOf, view } from "../../test/viewer.ts";
import { ResponseWriter } from "./response-writer.ts";

const OWNER = "github:1";
const WINDOW = LIMITS.streamWindowBytes;
let token: string;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const text = (value: string) => new TextEncoder().encode(value);

describe("what nobody waits for any more", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Lets time pass for the object's timers. */
  async function pass(clientId: string, ms: number): Promise<void> {
    const tunnel = await tunnelOf(OWNER, clientId);
    await runInDurableObject(tunnel, () => vi.advanceTimersByTime(ms) && undefined);
  }

  /** A stream's owner that takes nothing; `told` of how it was reset. */
  function standsStill(told: string[]) {
    return {
      held: 0,
      data(payload: Uint8Array) {
        this.held += payload.byteLength;
      },
      end: () => undefined,
      reset: (error: StreamError) => void told.push(error.code),
      writable: () => undefined,
    };
  }

  it("ends where a browser has left and its last messages are not taken", async () => {
    const told: string[] = [];
    const handler = standsStill(told);
    await connectFake(token, "stands-still", {
      webSocket(stream) {
        stream.respond({ status: 101, headers: [] });
        stream.handler = handler;
      },
    });
    const browser = await openWebSocket(OWNER, "stands-still");
    browser.socket.send("x".repeat(WINDOW + 1000));
    await expect.poll(() => handler.held).toBe(WINDOW);
    browser.socket.close(1000, "");
    await browser.closed;
    expect(told).toEqual([]);
    for (let seconds = 0; seconds < 90; seconds += 30) await pass("stands-still", 30_000);
    await expect.poll(() => told).toEqual(["stalled"]);
  });

  it("ends where an answer without a body has no end", async () => {
    const told: string[] = [];
    await connectFake(token, "no-end", {
      http(stream) {
        stream.handler = standsStill(told);
        stream.respond({ status: 204, headers: [] });
      },
    });
    const before = vi.getTimerCount();
    expect((await view(OWNER, "no-end", "/")).status).toBe(204);
    for (let seconds = 0; seconds <= 180; seconds += 10) await pass("no-end", 10_000);
    await expect.poll(() => told).toEqual(["upstream_timeout"]);
    expect(vi.getTimerCount()).toBe(before);
  });
});

it.each([[":ping\r\n\r\n"], ["data: 1\n|\n"], ["data: 1\r\n|\r\n"], ["data: 1\r|\n\r|\n"]])(
  "knows the end of an event by its empty line, in one piece or several: %j",
  async (event) => {
    const said: string[] = [];
    const writer = new ResponseWriter(new Headers({ "content-type": "text/event-stream" }), {
      consumed: () => undefined,
      abandoned: () => said.push("abandoned"),
      over: () => undefined,
    });
    const reader = writer.readable.getReader();
    const next = async () => new TextDecoder().decode((await reader.read()).value as Uint8Array);
    for (const piece of event.split("|")) {
      writer.write(text(piece));
      expect(await next()).toBe(piece);
    }
    writer.look(Date.now() + 400_000);
    expect([await next(), said]).toEqual([":\n\n", []]);
    writer.write(text("data: 2\n"));
    expect(await next()).toBe("data: 2\n");
    writer.look(Date.now());
    writer.write(text("data: 3\n"));
    expect(await next()).toBe("data: 3\n");
    await reader.cancel();
  },
);

type Write = (this: WritableStreamDefaultWriter, chunk: Uint8Array) => Promise<void>;

it("keeps of a message only what of it waits for a slow browser", async () => {
  const kept: number[] = [];
  const { write } = WritableStreamDefaultWriter.prototype as { write: Write };
  const written = vi.spyOn(WritableStreamDefaultWriter.prototype, "write");
  written.mockImplementation(function (this: WritableStreamDefaultWriter, chunk: Uint8Array) {
    kept.push(chunk.buffer.byteLength);
    return write.call(this, chunk);
  });
  let slow: Stream | undefined;
  const connector = await connectFake(token, "pins", {
    http(stream) {
      slow = stream;
      stream.respond({ status: 200, headers: [] });
      stream.write(text("1"));
    },
  });
  const answer = await view(OWNER, "pins", "/");
  const reader = answer.body?.getReader();
  await reader?.read();
  kept.length = 0;
  for (let round = 0; round < 5; round++) {
    connector.connection.write({ type: 15, flags: 0, streamId: 9999, payload: new Uint8Array(50_000) });
    slow?.write(text("2"));
    connector.connection.flush();
  }
  await vi.waitFor(() => expect(kept).toHaveLength(5));
  expect(Math.max(...kept)).toBeLessThan(100);
  await reader?.cancel();
});

it("loses nothing of a WebSocket to evictions right after a message, whatever state it is in", async () => {
  await connectFake(token, "evicted", { message: (said, reply) => reply(said) });
  const browser = await openWebSocket(OWNER, "evicted");
  const tunnel = await tunnelOf(OWNER, "evicted");
  const asked: string[] = [];
  const answered: string[] = [];
  for (let round = 0; round < 30; round++) {
    const messages = [10, 70_000, 3, 40_000].map((size, n) => `${round}.${n}.${"x".repeat(size)}`);
    for (const message of messages) browser.socket.send(message);
    asked.push(...messages.map((message) => `${message.length}:${message.slice(0, 8)}`));
    while (answered.length < asked.length) {
      const got = await browser.next();
      answered.push(`${got.length}:${got.slice(0, 8)}`);
    }
    if (round % 3 === 1) await new Promise((resolve) => setTimeout(resolve, round));
    await evictDurableObject(tunnel, { webSockets: "hibernate" });
  }
  expect(answered).toEqual(asked);
});
