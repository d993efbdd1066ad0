import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectComplete, simulate, type Exchange } from "./testing/simulation.ts";
import type { Temper } from "./testing/virtual-peers.ts";

const KIB = 1024;
const EAGER: Temper = { is: "eager" };
const NEVER: Temper = { is: "stalled", untilMs: Number.POSITIVE_INFINITY };

describe("throughput", () => {
  test.each([
    { latencyMs: 5, window: 64 * KIB },
    { latencyMs: 50, window: 64 * KIB },
    { latencyMs: 50, window: 512 * KIB },
    { latencyMs: 150, window: 512 * KIB },
  ])("of one stream reaches window / RTT: $latencyMs ms one way, $window bytes", ({ latencyMs, window }) => {
    const windows = 20;
    const exchange = { down: windows * window };
    const { clock, ends } = simulate({ latencyMs, limits: { stream_window: window }, grows: false }, [
      exchange,
    ]);
    clock.run();
    const [pair] = ends();
    if (!pair) throw new Error("no stream");
    expectComplete(pair, exchange);
    // One way for the request, then a window arrives and its credit returns, again and again.
    expect(pair.hub.endedAt).toBe(2 * latencyMs + (windows - 1) * 2 * latencyMs);
  });

  test("of one stream reaches the bandwidth where three quarters of the window cover bandwidth * RTT", () => {
    const exchange = { down: 8 * 1024 * KIB };
    const { clock, ends } = simulate({ latencyMs: 20, bytesPerMs: 8000, grows: false }, [exchange]);
    clock.run();
    const [pair] = ends();
    if (!pair) throw new Error("no stream");
    expectComplete(pair, exchange);
    const ideal = exchange.down / 8000 + 2 * 20;
    expect(pair.hub.endedAt).toBeGreaterThan(ideal);
    expect(pair.hub.endedAt).toBeLessThan(ideal * 1.001);
  });

  test("of many streams is shared evenly", () => {
    const exchanges = Array.from({ length: 10 }, () => ({ down: 1024 * KIB }));
    const { clock, ends } = simulate(
      { latencyMs: 10, bytesPerMs: 5000, limits: { stream_window: 128 * KIB }, grows: false },
      exchanges,
    );
    clock.run(1000);
    const received = ends().map(({ hub }) => hub.reader.received);
    const mean = received.reduce((sum, bytes) => sum + bytes, 0) / received.length;
    for (const bytes of received) expect(Math.abs(bytes - mean)).toBeLessThanOrEqual(128 * KIB);
    clock.run();
    for (const [index, pair] of ends().entries()) expectComplete(pair, exchanges[index] ?? { down: 0 });
  });

  test("both ways at once is each way's own", () => {
    const exchange = { down: 20 * 64 * KIB, up: 20 * 64 * KIB };
    const { clock, ends } = simulate({ latencyMs: 50, limits: { stream_window: 64 * KIB }, grows: false }, [
      exchange,
    ]);
    clock.run();
    const [pair] = ends();
    if (!pair) throw new Error("no stream");
    expectComplete(pair, exchange);
    expect(pair.connector.endedAt).toBe(50 + 19 * 100);
    expect(pair.hub.endedAt).toBe(2 * 50 + 19 * 100);
  });

  test("of a slow reader is its own, and it never waits for more", () => {
    const exchange: Exchange = { down: 500_000, atHub: { is: "slow", bytesPerMs: 100 } };
    const { clock, ends } = simulate({ latencyMs: 20, limits: { stream_window: 16 * KIB } }, [exchange]);
    clock.run();
    const [pair] = ends();
    if (!pair) throw new Error("no stream");
    expectComplete(pair, exchange);
    expect(clock.now).toBeCloseTo(500_000 / 100 + 2 * 20, 6);
  });
});

describe("a reader that stands still", () => {
  test("costs its window at the reader's end and stops its sender there", () => {
    const { clock, ends, network } = simulate({ latencyMs: 5 }, [{ down: 100 * 1024 * KIB, atHub: NEVER }]);
    clock.run();
    const [pair] = ends();
    expect(pair?.hub.reader.received).toBe(512 * KIB);
    expect(pair?.hub.stream.held).toBe(512 * KIB);
    expect(pair?.connector.source.sent).toBe(512 * KIB);
    expect(network.messages.toHub).toBe(8);
  });

  test("does not delay another stream by a moment where the network is wide", () => {
    const exchange = { down: 40 * 64 * KIB };
    const options = { latencyMs: 25, limits: { stream_window: 64 * KIB } };
    const alone = simulate(options, [exchange]);
    alone.clock.run();
    const crowd = Array.from({ length: 99 }, (): Exchange => ({ down: 1024 * KIB, atHub: NEVER }));
    const among = simulate(options, [exchange, ...crowd]);
    among.clock.run();
    expect(among.ends()[0]?.hub.endedAt).toBe(alone.ends()[0]?.hub.endedAt);
  });

  test("delays the others by its window at most where the network is narrow, and only once", () => {
    const exchange = { down: 1024 * KIB };
    const options = { latencyMs: 10, bytesPerMs: 1000, limits: { stream_window: 64 * KIB }, grows: false };
    const alone = simulate(options, [exchange]);
    alone.clock.run();
    const crowd = Array.from({ length: 20 }, (): Exchange => ({ down: 1024 * KIB, atHub: NEVER }));
    const among = simulate(options, [...crowd, exchange]);
    among.clock.run();
    const endedAt = among.ends().at(-1)?.hub.endedAt ?? Number.NaN;
    const windowMs = (64 * KIB + 100) / 1000;
    expect(endedAt - (alone.ends()[0]?.hub.endedAt ?? 0)).toBeLessThanOrEqual(20 * windowMs);
  });

  test("goes on where it stood once it reads again", () => {
    const exchange: Exchange = { down: 3 * 512 * KIB, atHub: { is: "stalled", untilMs: 60_000 } };
    const { clock, ends } = simulate({ latencyMs: 30 }, [exchange]);
    clock.run(59_999);
    expect(ends()[0]?.hub.reader.received).toBe(512 * KIB);
    clock.run();
    const [pair] = ends();
    if (!pair) throw new Error("no stream");
    expectComplete(pair, exchange);
    expect(pair.hub.endedAt).toBe(60_000 + 4 * 30);
  });
});

test("a small answer behind bulk waits for what is already on the wire, at most the windows of the others", () => {
  const bulk = Array.from({ length: 4 }, () => ({ down: 4 * 1024 * KIB }));
  const { clock, ends } = simulate({ latencyMs: 10, bytesPerMs: 1000, limits: { stream_window: 64 * KIB } }, [
    ...bulk,
    { down: 100, up: 0 },
  ]);
  clock.run();
  const small = ends().at(-1)?.hub.endedAt ?? Number.NaN;
  expect(small).toBeLessThanOrEqual(2 * 10 + (4 * (64 * KIB + 100)) / 1000 + 1);
});

test("credit returns in steps of a quarter: at most one WINDOW for each quarter of a window", () => {
  const { clock, network } = simulate({ latencyMs: 5, limits: { stream_window: 64 * KIB }, grows: false }, [
    { down: 64 * 64 * KIB },
  ]);
  clock.run();
  // The request and its end are one message.
  expect(network.messages.toConnector - 1).toBeLessThanOrEqual(64 * 4);
});

describe("a hundred streams of every temper, both ways, over any network", () => {
  const temper: fc.Arbitrary<Temper> = fc.oneof(
    { weight: 3, arbitrary: fc.constant<Temper>(EAGER) },
    fc.record({ is: fc.constant("slow" as const), bytesPerMs: fc.integer({ min: 50, max: 5000 }) }),
    fc.record({ is: fc.constant("bursty" as const), everyMs: fc.integer({ min: 1, max: 300 }) }),
    fc.record({ is: fc.constant("stalled" as const), untilMs: fc.integer({ min: 1, max: 20_000 }) }),
    fc.constant<Temper>(NEVER),
  );
  const bytes = fc.oneof(fc.nat({ max: 2000 }), fc.nat({ max: 60_000 }));
  const exchange: fc.Arbitrary<Exchange> = fc.record({
    down: bytes,
    up: bytes,
    atHub: temper,
    atConnector: temper,
  });
  const network = fc.record({
    latencyMs: fc.nat({ max: 200 }),
    bytesPerMs: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 200, max: 100_000 })),
    limits: fc.record({ stream_window: fc.integer({ min: 1024, max: 20_000 }) }),
  });

  test("every body whose reader reads arrives whole, every other stops at its window, and credit adds up", () => {
    fc.assert(
      fc.property(network, fc.array(exchange, { minLength: 100, maxLength: 100 }), (options, exchanges) => {
        const { clock, ends } = simulate(options, exchanges);
        clock.run();
        for (const [index, { hub, connector }] of ends().entries()) {
          const { down, up = 0, atHub, atConnector } = exchanges[index] ?? { down: 0 };
          const window = options.limits.stream_window;
          expect(hub.reader).toMatchObject({
            received: atHub === NEVER ? Math.min(down, window) : down,
            wrong: 0,
          });
          expect(connector.reader).toMatchObject({
            received: atConnector === NEVER ? Math.min(up, window) : up,
            wrong: 0,
          });
          expect([hub.error, connector.error]).toEqual([undefined, undefined]);
        }
      }),
      { numRuns: 15 },
    );
  });

  test("once everything is consumed, a sender's window is full but for what was not returned yet", () => {
    fc.assert(
      fc.property(
        network,
        fc.array(
          temper.filter((one) => one !== NEVER),
          { minLength: 5, maxLength: 5 },
        ),
        (options, tempers) => {
          const exchanges = tempers.map((each) => ({
            down: 50_000,
            up: 50_000,
            atHub: each,
            atConnector: each,
            ends: false,
          }));
          const { clock, ends } = simulate(options, exchanges);
          clock.run();
          for (const { hub, connector } of ends()) {
            for (const [from, to] of [
              [hub.stream, connector.stream],
              [connector.stream, hub.stream],
            ] as const) {
              expect(to.held).toBe(0);
              expect(from.credit + to.state.receive.unreturned).toBe(to.state.receive.size);
            }
          }
        },
      ),
      { numRuns: 30 },
    );
  });
});
