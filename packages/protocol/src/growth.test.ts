/** Windows that grow where the way is long and the reader quick, and nowhere else. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LIMITS } from "./limits.ts";
import { Path } from "./path.ts";
import { Pair } from "./testing/pair.ts";
import { expectComplete, simulate, type Exchange } from "./testing/simulation.ts";
import { ReceiveWindow } from "./window.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const INITIAL = LIMITS.streamWindowBytes;
/** 100 Mbit/s. */
const FAST = 12_500;

function sizeOf({ stream }: { stream: { state: { receive: { size: number } } } }): number {
  return stream.state.receive.size;
}

describe("one stream over a way of 100 ms", () => {
  test("has 100 Mbit/s after six round trips, and keeps them", () => {
    const exchange = { down: 40 * MIB };
    const { clock, ends } = simulate({ latencyMs: 50, bytesPerMs: FAST }, [exchange]);
    clock.run(600);
    const [pair] = ends();
    if (!pair) throw new Error("no stream");
    const { received } = pair.hub.reader;
    clock.run(2600);
    // A frame more or less is on its way at either moment.
    expect(pair.hub.reader.received - received).toBeGreaterThan(2000 * FAST * 0.99);
    clock.run();
    expectComplete(pair, exchange);
  });

  test("grows to the most there is where the network is wide, twice as large with every round trip", () => {
    const { clock, ends } = simulate({ latencyMs: 50 }, [{ down: 100 * MIB }]);
    const sizes: number[] = [];
    for (let now = 150; now <= 750; now += 100) {
      clock.run(now);
      sizes.push(...ends().map(({ hub }) => sizeOf(hub) / INITIAL));
    }
    const most = LIMITS.grownWindowBytes / INITIAL;
    expect(sizes.map((size) => Math.min(size, most))).toEqual(sizes);
    expect(sizes.at(-1)).toBe(most);
    expect(sizes.slice(0, 3)).toEqual([2, 4, 8].map((size) => Math.min(size, most)));
  });

  test("is quick both ways at once", () => {
    const exchange = { down: 30 * MIB, up: 30 * MIB };
    // Without a bound on what waits in the socket, credit for one way would wait behind the bodies of the other.
    const { clock, ends } = simulate({ latencyMs: 50, bytesPerMs: FAST, roomBytes: 128 * KIB }, [exchange]);
    clock.run();
    const [pair] = ends();
    if (!pair) throw new Error("no stream");
    expectComplete(pair, exchange);
    const ideal = (30 * MIB) / FAST;
    expect(pair.hub.endedAt).toBeLessThan(ideal + 700);
    expect(pair.connector.endedAt).toBeLessThan(ideal + 700);
  });

  test("is quick over a way that trembles by half its length", () => {
    const { clock, ends } = simulate({ latencyMs: 37, jitterMs: 25, bytesPerMs: FAST }, [{ down: 80 * MIB }]);
    clock.run(1000);
    const before = ends()[0]?.hub.reader.received ?? 0;
    clock.run(4000);
    expect((ends()[0]?.hub.reader.received ?? 0) - before).toBeGreaterThan(3000 * FAST * 0.95);
  });
});

describe("nothing grows", () => {
  const cases: [string, Parameters<typeof simulate>[0], Exchange][] = [
    [
      "for a reader that stands still",
      { latencyMs: 50 },
      { down: 20 * MIB, atHub: { is: "stalled", untilMs: 1e6 } },
    ],
    [
      "for a reader that is slow",
      { latencyMs: 50 },
      { down: 4 * MIB, atHub: { is: "slow", bytesPerMs: 1000 } },
    ],
    ["on this machine", { latencyMs: 0.4 }, { down: 20 * MIB }],
    [
      "where the network is no faster than the window",
      { latencyMs: 10, bytesPerMs: 5000 },
      { down: 20 * MIB },
    ],
  ];
  test.each(cases)("%s", (_name, options, exchange) => {
    const { clock, ends, network } = simulate(options, [exchange]);
    let largest = 0;
    for (let now = 10; now < 2000; now += 10) {
      clock.run(now);
      for (const { hub } of ends()) largest = Math.max(largest, sizeOf(hub));
    }
    expect(largest).toBe(INITIAL);
    expect(network.hub.path.growth).toBe(LIMITS.windowGrowthBytes);
  });
});

test("a hundred streams have a hundred windows and what all may grow by, and all get on", () => {
  const crowd = Array.from({ length: 100 }, () => ({ down: 20 * MIB }));
  const { clock, ends, network } = simulate({ latencyMs: 50, bytesPerMs: 10 * FAST }, crowd);
  clock.run(1500);
  const sizes = ends().map(({ hub }) => sizeOf(hub));
  expect(sizes).toHaveLength(100);
  const sum = sizes.reduce((total, size) => total + size, 0);
  expect(sum).toBeGreaterThan(100 * INITIAL);
  expect(sum).toBeLessThanOrEqual(100 * INITIAL + LIMITS.windowGrowthBytes);
  expect(sum + network.hub.path.growth).toBe(100 * INITIAL + LIMITS.windowGrowthBytes);
  for (const { hub } of ends()) expect(hub.reader.received).toBeGreaterThan(INITIAL);
});

test("64 stalled readers, 64 stalled uploads and 64 busy streams at once hold their windows and no more", () => {
  const never = { is: "stalled", untilMs: Number.POSITIVE_INFINITY } as const;
  const crowd: Exchange[] = [
    ...Array.from({ length: 64 }, () => ({ down: 8 * MIB, atHub: never })),
    ...Array.from({ length: 64 }, () => ({ down: 0, up: 8 * MIB, atConnector: never })),
    ...Array.from({ length: 64 }, () => ({ down: MIB, up: MIB - 1 })),
  ];
  const way = { latencyMs: 20, bytesPerMs: 50 * FAST, roomBytes: 128 * KIB };
  const { clock, network, ends } = simulate(way, crowd);
  clock.run();
  expect([network.hub.heldBytes, network.connector.heldBytes]).toEqual([64 * INITIAL, 64 * INITIAL]);
  expect(network.hub.path.growth).toBe(LIMITS.windowGrowthBytes);
  expect(network.connector.path.growth).toBe(LIMITS.windowGrowthBytes);
  const busy = ends().slice(128);
  for (const pair of busy) expectComplete(pair, { down: MIB, up: MIB - 1 });
});

test("what a stream had grown by is the others' once it is over and read", () => {
  const { clock, network } = simulate({ latencyMs: 50 }, [{ down: 20 * MIB }, { down: 20 * MIB }]);
  clock.run(500);
  expect(network.hub.path.growth).toBeLessThan(LIMITS.windowGrowthBytes);
  clock.run();
  expect(network.hub.path.growth).toBe(LIMITS.windowGrowthBytes);
});

test("an answer that is complete and not read keeps what its window had grown by", () => {
  const down = 12 * MIB;
  const atHub = { is: "bursty", everyMs: 100 } as const;
  const { clock, network, ends } = simulate({ latencyMs: 50 }, [{ down, atHub }]);
  let [keptAfterEnd, held] = [0, 0];
  for (let now = 100; now < 5000; now += 10) {
    clock.run(now);
    if (ends()[0]?.hub.stream.isOver !== true || network.hub.heldBytes === 0) continue;
    keptAfterEnd = LIMITS.windowGrowthBytes - network.hub.path.growth;
    held = network.hub.heldBytes;
  }
  expect(held).toBeGreaterThan(0);
  expect(keptAfterEnd).toBeGreaterThan(0);
  clock.run();
  expect([network.hub.heldBytes, network.hub.path.growth]).toEqual([0, LIMITS.windowGrowthBytes]);
});

/** A window that somebody drives by hand. */
function driven(size = INITIAL) {
  let now = 1000;
  const path = new Path(() => now);
  const window = new ReceiveWindow(path, size);
  return {
    path,
    window,
    pass: (ms: number) => {
      now += ms;
    },
    /** A way there and back of so long: a quarter arrives, is consumed, and the next comes as soon as it can. */
    useUp: (roundTripMs: number) => {
      for (let quarter = 0; quarter < 4; quarter++) {
        const bytes = window.state.size / 4;
        window.receive(bytes);
        window.consume(bytes);
      }
      now += roundTripMs;
    },
  };
}

describe("a grown window", () => {
  test("becomes small again while its stream is slow, by credit that is not given back", () => {
    const { path, window, pass, useUp } = driven();
    for (let round = 0; round < 8; round++) useUp(50);
    expect(window.state.size).toBe(LIMITS.grownWindowBytes);
    let [consumed, credited] = [0, 0];
    while (window.state.size > INITIAL && consumed < 100 * MIB) {
      pass(1100);
      window.receive(64 * KIB);
      credited += window.consume(64 * KIB);
      consumed += 64 * KIB;
    }
    expect(window.state.size).toBe(INITIAL);
    expect(path.growth).toBe(LIMITS.windowGrowthBytes);
    expect(consumed - credited).toBeGreaterThanOrEqual(LIMITS.grownWindowBytes - INITIAL);
    expect(consumed).toBeLessThanOrEqual(2 * LIMITS.grownWindowBytes);
  });

  test("is known again after its owner was out of memory, and counts", () => {
    const { path, window } = driven();
    const size = INITIAL + 3 * MIB;
    const kept = new ReceiveWindow(path, INITIAL, { available: size - 10, unreturned: 4, size });
    expect(path.growth).toBe(LIMITS.windowGrowthBytes - 3 * MIB);
    expect(kept.held).toBe(6);
    kept.release();
    window.release();
    expect(path.growth).toBe(LIMITS.windowGrowthBytes);
  });

  test("is one of 512 KiB where its state says nothing of a size", () => {
    const window = new ReceiveWindow(new Path(() => 0), INITIAL, {
      available: 512 * KIB - 30,
      unreturned: 10,
    });
    expect([window.state.size, window.held]).toEqual([512 * KIB, 20]);
  });
});

describe("a peer that lies about the way", () => {
  test("gets the largest window by making the way look long, and no more", () => {
    const { path, window, useUp } = driven();
    for (let round = 0; round < 50; round++) useUp(10_000);
    expect(path.roundTripMs).toBe(500);
    expect(window.state.size).toBeLessThanOrEqual(LIMITS.grownWindowBytes);
    expect(path.growth).toBe(LIMITS.windowGrowthBytes - (window.state.size - INITIAL));
  });

  test("cannot have many streams have more than all may grow by together, whatever it does when", () => {
    const step = fc.record({
      stream: fc.nat({ max: 29 }),
      receive: fc.double({ min: 0, max: 1, noNaN: true }),
      consume: fc.double({ min: 0, max: 1, noNaN: true }),
      passMs: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 3000 })),
      ends: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        let now = 0;
        const path = new Path(() => now);
        const begin = () => ({ window: new ReceiveWindow(path, INITIAL), isOver: false });
        const streams = Array.from({ length: 30 }, begin);
        for (const { stream, receive, consume, passMs, ends } of steps) {
          now += passMs;
          const one = streams[stream];
          if (!one || one.isOver) continue;
          one.window.receive(Math.floor(one.window.state.available * receive));
          const used = Math.floor(one.window.held * consume);
          const before = one.window.state;
          const credit = one.window.consume(used);
          const { size, available, unreturned } = one.window.state;
          expect(available).toBe(before.available + credit);
          expect(available + unreturned + one.window.held).toBe(size);
          expect(size).toBeGreaterThanOrEqual(INITIAL);
          expect(size).toBeLessThanOrEqual(LIMITS.grownWindowBytes);
          if (ends && one.window.held === 0) {
            one.window.release();
            one.isOver = true;
          }
        }
        const open = streams.filter(({ isOver }) => !isOver);
        const grown = open.reduce((sum, { window }) => sum + window.state.size - INITIAL, 0);
        expect(grown + path.growth).toBe(LIMITS.windowGrowthBytes);
        expect(path.growth).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

test("a clock that is set back harms nothing", () => {
  const { path, window, pass, useUp } = driven();
  useUp(50);
  pass(-3_600_000);
  for (let round = 0; round < 3; round++) useUp(50);
  expect(path.roundTripMs).toBe(50);
  expect(window.state.size).toBeGreaterThanOrEqual(INITIAL);
});

test("grown windows live through an eviction", () => {
  const pair = new Pair();
  const { hub, connector } = pair.openWebSocket();
  const state = hub.stream?.state;
  expect(state?.receive.size).toBe(INITIAL);
  connector.stream?.writeMessageFrame(new Uint8Array(10), { text: false, more: false });
  pair.settle();
  pair.evictHub([hub]);
  expect(hub.stream?.state.receive.size).toBe(INITIAL);
});
