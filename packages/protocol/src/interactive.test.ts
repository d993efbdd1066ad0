/** What people wait for never stands behind what they do not look at: bodies wait outside the socket, by turns. */
import { expect, test } from "vitest";
import { simulate } from "./testing/simulation.ts";
import { requestHead } from "./testing/pair.ts";
import type { Stream } from "./stream.ts";

const KIB = 1024;
/** 10 Mbit/s. */
const SLOW = 1250;
const ROOM = 128 * KIB;
/** A frame may be begun as long as there is any room. */
const MOST_AHEAD = ROOM + 64 * KIB;

/** Ten downloads over a slow way; what waits in the socket is looked at each millisecond. */
function downloads(roomBytes?: number) {
  const exchanges = Array.from({ length: 10 }, () => ({ down: 100_000 * KIB }));
  const way = { latencyMs: 20, bytesPerMs: SLOW };
  return simulate(roomBytes === undefined ? way : { ...way, roomBytes }, exchanges);
}

test("ten downloads keep a slow way full, with no more in the socket than there is room for", () => {
  const { clock, network, ends } = downloads(ROOM);
  let most = 0;
  for (let now = 1; now <= 5000; now++) {
    clock.run(now);
    most = Math.max(most, network.waitingBytes);
  }
  expect(most).toBeGreaterThan(ROOM / 2);
  expect(most).toBeLessThanOrEqual(MOST_AHEAD + 1000);
  const received = ends().map(({ hub }) => hub.reader.received);
  const sum = received.reduce((total, bytes) => total + bytes, 0);
  expect(sum).toBeGreaterThan(SLOW * (5000 - 40) * 0.98 - MOST_AHEAD);
  expect(Math.max(...received) - Math.min(...received)).toBeLessThanOrEqual(2 * 64 * KIB);
});

test("a WebSocket's echo and a small answer wait for little more than alone", () => {
  const measure = (roomBytes: number | undefined, withBulk: boolean) => {
    const { clock, network } = withBulk
      ? downloads(roomBytes)
      : simulate({ latencyMs: 20, bytesPerMs: SLOW }, [{ down: 0 }]);
    clock.run(100);
    let answered = Number.NaN;
    const serve = (stream: Stream) => {
      stream.respond({ status: 101, headers: [] });
      return {
        data: (payload: Uint8Array) => {
          stream.consume(payload.byteLength);
          stream.writeMessageFrame(payload.slice(), { text: false, more: false });
        },
        end: () => undefined,
        reset: () => undefined,
        writable: () => undefined,
      };
    };
    network.serveNext(serve);
    const head = requestHead({ kind: "websocket" });
    const handler = {
      data: (payload: Uint8Array) => {
        socket.consume(payload.byteLength);
        answered = clock.now;
      },
      end: () => undefined,
      reset: () => undefined,
      writable: () => undefined,
    };
    const socket = network.hub.open(head, handler, false);
    const trips: number[] = [];
    for (let turn = 1; turn <= 20; turn++) {
      clock.run(turn * 1000);
      const asked = clock.now;
      answered = Number.NaN;
      socket.writeMessageFrame(new Uint8Array(20), { text: true, more: false });
      clock.run(turn * 1000 + 999);
      trips.push(Number.isNaN(answered) ? 999 : answered - asked);
    }
    return Math.max(...trips);
  };
  const idle = measure(undefined, false);
  const bounded = measure(ROOM, true);
  const unbounded = measure(undefined, true);
  console.log(
    `echo: ${idle.toFixed(0)} ms idle, ${bounded.toFixed(0)} behind bodies, ${unbounded} without a bound`,
  );
  expect(bounded).toBeLessThanOrEqual(idle + (MOST_AHEAD + 1000) / SLOW);
  expect(unbounded).toBe(999);
});

test("a small answer does not wait for a round of all downloads", () => {
  const { clock, network } = downloads(ROOM);
  const trips: number[] = [];
  for (let turn = 1; turn <= 20; turn++) {
    clock.run(turn * 500);
    network.serveNext((stream) => {
      stream.respond({ status: 200, headers: [] });
      const send = () => {
        if (stream.write(new Uint8Array(2000)) > 0) stream.end();
      };
      send();
      return { data: () => undefined, end: () => undefined, reset: () => undefined, writable: send };
    });
    const asked = clock.now;
    const handler = {
      data: (payload: Uint8Array) => stream.consume(payload.byteLength),
      end: () => void trips.push(clock.now - asked),
      reset: () => undefined,
      writable: () => undefined,
    };
    const stream = network.hub.open(requestHead(), handler, true);
  }
  clock.run(11_000);
  expect(trips).toHaveLength(20);
  // Behind what is in the socket, and one frame that was begun.
  expect(Math.max(...trips)).toBeLessThanOrEqual(40 + (2 * MOST_AHEAD) / SLOW);
});
