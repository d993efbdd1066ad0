/** What the library does about time in which it did not run, or had no way to the hub. */
import os, { type NetworkInterfaceInfo } from "node:os";
import { CONNECTION_ERRORS } from "@ai-orchestrator/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import { jumpingClocks } from "./testing/clocks.ts";
import { startFakeHub } from "./testing/fake-hub.ts";
import { type RunningClient, startClient } from "./testing/running-client.ts";

const HOUR = 3_600_000;
const onLinux = process.platform === "linux";

let running: RunningClient;
afterEach(async () => {
  vi.restoreAllMocks();
  await running.stop();
});

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const connections = ({ events }: RunningClient) => events.filter((event) => event === "connected").length;

async function connected() {
  const clocks = jumpingClocks();
  // Pauses grow to half a minute otherwise, which is longer than a test waits.
  running = await startClient({ reconnectIntervalMs: 2000 });
  await vi.waitFor(() => expect(connections(running)).toBe(1));
  return { ...running, clocks };
}

/** How many milliseconds it took to be connected again. */
async function again(count = 2): Promise<number> {
  const from = process.hrtime.bigint();
  await vi.waitFor(() => expect(connections(running)).toBe(count), { timeout: 10_000, interval: 5 });
  return Number(process.hrtime.bigint() - from) / 1e6;
}

test("awake again with a good connection: proved at once, and nothing is said", async () => {
  const { hub, clocks, events } = await connected();
  clocks.sleep(HOUR);
  await vi.waitFor(() => expect(hub.pings).toBe(1), { timeout: 2_000 });
  await wait(2_500);
  expect(events).toEqual(["connecting", "connected"]);
  hub.socket?.terminate();
  await again();
  expect(running.registers()[1]).not.toHaveProperty("absence");
});

test("awake again with a connection that is none any more: another at once, and why", async () => {
  const { hub, clocks, client, registers, log } = await connected();
  hub.answers.pings = false;
  const connectedAgain = new Promise((resolve) => client.on("connected", resolve));
  const since = Date.now();
  clocks.sleep(HOUR);
  const ms = await again();
  console.log(`connected again ${Math.round(ms)} ms after waking, to a hub that said nothing`);
  expect(ms).toBeLessThan(2_000);
  const { absence } = registers()[1] ?? {};
  expect(absence?.cause).toBe("asleep");
  expect(Math.abs((absence?.since ?? 0) - since)).toBeLessThan(2_000);
  expect(Math.abs((absence?.until ?? 0) - since - HOUR)).toBeLessThan(2_000);
  expect(await connectedAgain).toMatchObject({ label: "here", absence });
  expect(log().at(-1)).toBe("Connected again: http://here.hub.localhost:1 (this machine slept for 60 min)");
});

test("what the hub ended meanwhile is known for what it was before any timer runs", async () => {
  const { hub, clocks, registers } = await connected();
  const since = Date.now();
  clocks.sleep(HOUR);
  hub.socket?.close(CONNECTION_ERRORS.heartbeat_timeout.close, "No heartbeat for 90 seconds.");
  console.log(`connected again ${Math.round(await again())} ms after waking, to a hub that had hung up`);
  expect(registers()[1]?.absence).toMatchObject({ cause: "asleep" });
  expect(Math.abs((registers()[1]?.absence?.since ?? 0) - since)).toBeLessThan(2_000);
  // A later end has nothing to do with it, also where the hub of before did not understand it.
  hub.socket?.terminate();
  await again(3);
  expect(registers()[2]).not.toHaveProperty("absence");
});

test.runIf(onLinux)("a process that was frozen says so", async () => {
  const { hub, clocks, registers } = await connected();
  clocks.pass(20_000);
  hub.socket?.terminate();
  await again();
  expect(registers()[1]?.absence).toMatchObject({ cause: "frozen" });
});

test("who wakes while waiting to try again tries at once, unless the hub has asked for the wait", async () => {
  const { hub, clocks } = await connected();
  vi.spyOn(Math, "random").mockReturnValue(0.99);
  hub.refusal = { status: 503, code: "x", message: "later" };
  hub.socket?.terminate();
  // Half a second, one, two, four: the fifth attempt is nearly eight seconds away.
  await vi.waitFor(() => expect(hub.dials).toBe(5), { timeout: 12_000 });
  hub.refusal.retryAfter = "60";
  clocks.sleep(HOUR);
  await vi.waitFor(() => expect(hub.dials).toBe(6), { timeout: 1_500 });
  clocks.sleep(HOUR);
  await wait(1_500);
  expect(hub.dials).toBe(6);
});

describe("another network", () => {
  const networks = (...addresses: string[]) => ({
    wlan0: addresses.map((address) => ({
      address,
      cidr: `${address}/24`,
      internal: false,
    })) as NetworkInterfaceInfo[],
  });
  async function inNetwork() {
    const interfaces = vi.spyOn(os, "networkInterfaces").mockReturnValue(networks("192.0.2.1"));
    return { ...(await connected()), interfaces };
  }

  test("and a good connection: proved at once, and nothing is said", async () => {
    const { hub, events, interfaces } = await inNetwork();
    interfaces.mockReturnValue(networks("192.0.2.1", "198.51.100.1"));
    await vi.waitFor(() => expect(hub.pings).toBe(1), { timeout: 1_000 });
    await wait(1_500);
    expect([hub.pings, events]).toEqual([1, ["connecting", "connected"]]);
  });

  test("and a connection that is none any more: another within two seconds", async () => {
    const { hub, interfaces, log } = await inNetwork();
    hub.answers.pings = false;
    interfaces.mockReturnValue({});
    // Without any network nothing can be proved, and the same one may come back.
    await wait(1_000);
    expect(hub.pings).toBe(0);
    interfaces.mockReturnValue(networks("198.51.100.1"));
    const ms = await again();
    console.log(`connected again ${Math.round(ms)} ms after the network changed, to a hub that said nothing`);
    expect(ms).toBeLessThan(2_000);
    expect(log().at(-2)).toMatch(
      /^Connection lost: the hub did not answer a heartbeat\. Trying again at once/,
    );
  });

  test("ends the wait for the next attempt, and not one that the hub has asked for", async () => {
    const { hub, interfaces } = await inNetwork();
    vi.spyOn(Math, "random").mockReturnValue(0.99);
    hub.refusal = { status: 503, code: "x", message: "later" };
    hub.socket?.terminate();
    await vi.waitFor(() => expect(hub.dials).toBe(4), { timeout: 12_000 });
    hub.refusal.retryAfter = "60";
    interfaces.mockReturnValue(networks("198.51.100.1"));
    await vi.waitFor(() => expect(hub.dials).toBe(5), { timeout: 1_000 });
    interfaces.mockReturnValue(networks("198.51.100.2"));
    await wait(1_500);
    expect(hub.dials).toBe(5);
  });
});

test("awake again before its network is: it tries quickly, and is there within a second of the network", async () => {
  const { hub, clocks } = await connected();
  const port = Number(new URL(hub.url).port);
  hub.answers.pings = false;
  const dials = { count: 0 };
  running.client.on("connecting", () => dials.count++);
  await hub.stop();
  clocks.sleep(HOUR);
  await wait(6_000);
  // After six seconds of doubling pauses there would be four.
  expect(dials.count).toBeGreaterThan(8);
  expect(dials.count).toBeLessThan(30);
  const back = await startFakeHub(port);
  const ms = await again();
  console.log(`connected ${Math.round(ms)} ms after the network came back`);
  expect(ms).toBeLessThan(1_500);
  await back.stop();
});

test("a hub that is started anew is no absence, and half a minute without one is the network", async () => {
  const { hub, clocks, registers } = await connected();
  const port = Number(new URL(hub.url).port);
  await hub.stop();
  const lostAt = Date.now();
  await wait(700);
  const restarted = await startFakeHub(port);
  await again();
  expect(restarted.received[0]).not.toHaveProperty("absence");
  await restarted.stop();
  // In steps: time that passes all at once is time in which this process did not run.
  for (let count = 0; count < 8; count++) {
    clocks.pass(5_000);
    await wait(600);
  }
  const third = await startFakeHub(port);
  await again(3);
  expect(third.received[0]).toMatchObject({ type: "register", absence: { cause: "network" } });
  const { absence } = third.received[0] as ReturnType<typeof registers>[0];
  expect((absence?.until ?? 0) - (absence?.since ?? 0)).toBeGreaterThan(38_000);
  expect(absence?.since).toBeGreaterThanOrEqual(lostAt);
  await third.stop();
});

test("a clock that is set back is nothing", async () => {
  const { hub, clocks, events } = await connected();
  vi.spyOn(Date, "now").mockReturnValue(1_000);
  await wait(1_200);
  expect([hub.pings, events]).toEqual([0, ["connecting", "connected"]]);
  hub.socket?.terminate();
  await again();
  expect(running.registers()[1]).not.toHaveProperty("absence");
  clocks.sleep(HOUR);
});
