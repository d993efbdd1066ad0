/** A day without a hub: what is left of thousands of attempts. */
import { globalAgent } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import os from "node:os";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { OrchestratorClientOptions } from "./client-contract.ts";
import { OrchestratorClient } from "./client.ts";
import { ownAgent } from "./own-connection.ts";
import { answer, type Fault, message, REGISTERED, startFaultyHub } from "./testing/faulty-hub.ts";

const HOUR_MS = 3_600_000;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
/** A spy would remember every call. */
const real = { uptime: os.uptime, networkInterfaces: os.networkInterfaces };

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"],
  });
  os.uptime = () => performance.now() / 1000;
  os.networkInterfaces = () => ({});
});
afterEach(() => {
  Object.assign(os, real);
  vi.useRealTimers();
});

function start(url: string, more: Partial<OrchestratorClientOptions> = {}) {
  const client = new OrchestratorClient({
    url,
    token: "orch_canary",
    clientId: "c",
    target: "http://127.0.0.1:9",
    metadata: { hostname: "h", project: "p", platform: "linux" },
    ...more,
  });
  const waits: ((retryMs: number) => void)[] = [];
  client.on("disconnected", ({ retryMs }) => waits.shift()?.(retryMs));
  /** Resolves to the pause that follows. */
  const ended = () => new Promise<number>((resolve) => waits.push(resolve));
  return { client, ended };
}

/** What would grow: each kind of open handle, timers, listeners, sockets of the agent, and the heap in MB. */
function held(client: OrchestratorClient) {
  collectGarbage();
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const listeners = client.eventNames().map((name) => client.listenerCount(name));
  const agents = [ownAgent, globalAgent].flatMap(({ sockets, freeSockets, requests }) =>
    [sockets, freeSockets, requests].map((map) => Object.keys(map).length),
  );
  const process_ = process.eventNames().map((name) => process.listenerCount(name));
  const { TCPSocketWrap = 0, TCPWRAP = 0, FSReqPromise = 0 } = resources;
  return {
    flat: {
      listeners,
      agents,
      process: process_,
      timers: vi.getTimerCount(),
      TCPSocketWrap,
      TCPWRAP,
      FSReqPromise,
    },
    megabytes: process.memoryUsage().heapUsed / 2 ** 20,
  };
}

/** Lets them pass; returns what was held after the first and at the end. */
async function hours(count: number, { client, ended }: ReturnType<typeof start>) {
  let first: ReturnType<typeof held> | undefined;
  let attempts = 0;
  let pause = await ended();
  for (let ms = 0; ms < count * HOUR_MS; attempts++) {
    const next = ended();
    ms += pause;
    vi.advanceTimersByTime(pause);
    pause = await next;
    // Sockets end a little later than what is said of them.
    if (attempts % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (ms > HOUR_MS) first ??= await settled(client);
  }
  return { first, last: await settled(client), attempts };
}

async function settled(client: OrchestratorClient) {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  return held(client);
}

test(
  "nothing answers for a day: thousands of attempts, 24 lines, and nothing grows",
  { timeout: 120_000 },
  async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const running = start(`http://127.0.0.1:${port}`);
    running.client.start();
    const { first, last, attempts } = await hours(24, running);
    console.log(
      `${attempts} attempts, heap ${first?.megabytes.toFixed(1)} MB, then ${last.megabytes.toFixed(1)} MB`,
    );
    expect(attempts).toBeGreaterThan(4_000);
    expect(last.flat).toEqual(first?.flat);
    expect(last.megabytes - (first?.megabytes ?? 0)).toBeLessThan(3);
    expect(running.client.log.length).toBeGreaterThan(20);
    expect(running.client.log.length).toBeLessThanOrEqual(26);
    await running.client.stop();
    expect(vi.getTimerCount()).toBe(0);
  },
);

test("everything goes wrong by turns for hours, and nothing grows", { timeout: 120_000 }, async () => {
  const faults: Fault[] = [
    answer(500),
    answer(200),
    answer(302, "location: /\r\n"),
    (socket) => socket.end("nonsense\r\n\r\n"),
    (socket) => socket.resetAndDestroy(),
    (socket, accept) => {
      accept();
      socket.write(message(2, "garbage"));
    },
    (socket, accept) => {
      accept();
      socket.write(message(1, REGISTERED));
      socket.write(Buffer.from([0x88, 2, 1011 >> 8, 1011 & 255]));
    },
  ];
  let dials = 0;
  const hub = await startFaultyHub((...given) => faults[dials++ % faults.length]?.(...given));
  // Whose port it is, is read from a list of this machine's connections, which this fills.
  const running = start(hub.url, { allowOtherUser: { hub: true } });
  running.client.start();
  const { first, last, attempts } = await hours(6, running);
  console.log(
    `${attempts} attempts, heap ${first?.megabytes.toFixed(1)} MB, then ${last.megabytes.toFixed(1)} MB`,
  );
  expect(attempts).toBeGreaterThan(1_000);
  expect({ ...last.flat, TCPSocketWrap: 0, TCPWRAP: 0 }).toEqual({
    ...first?.flat,
    TCPSocketWrap: 0,
    TCPWRAP: 0,
  });
  expect(last.flat.TCPSocketWrap).toBeLessThanOrEqual(4);
  expect(last.megabytes - (first?.megabytes ?? 0)).toBeLessThan(3);
  // A line for each kind of trouble, the connections before the first was known not to last, and the reminders.
  expect(running.client.log.length).toBeLessThanOrEqual(8 + 6);
  await running.client.stop();
  await hub.stop();
  expect(hub.open).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});
