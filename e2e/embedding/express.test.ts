/** The connector in an Express server, and a hub that goes and comes, was never there, or is silent: the server notices nothing. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, it, vi } from "vitest";
import { startHub } from "../hub.ts";
import { freePort } from "../port.ts";
import { Viewer } from "../tunnel/viewer.ts";
import type { HostEvent, HostMessage } from "./express-host.ts";
import { growth, growthSince, measure, measureAtRest } from "./measure.ts";
import { askLocally, keepAsking } from "./traffic.ts";

const RESTARTS = 10;

interface Host {
  origin: string;
  /** What `initializeOrchestrator` kept its caller. */
  tookMs: number;
  /** What the client said. */
  events: HostEvent[];
  probe: string;
  /** Has it close its server; resolves to how long it ran on after that, in milliseconds. */
  close(): Promise<number>;
}

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function startHost(url: string, token: string): Promise<Host> {
  const home = await mkdtemp(path.join(tmpdir(), "express-"));
  const probe = path.join(home, "probe");
  const child = fork(path.join(import.meta.dirname, "express-host.ts"), [], {
    execArgv: ["--conditions=source", "--import", path.join(import.meta.dirname, "probe.ts")],
    env: {
      ...process.env,
      HOME: home,
      XDG_CONFIG_HOME: home,
      PROBE_SOCKET: probe,
      ORCHESTRATOR_MODE: "client",
      ORCHESTRATOR_URL: url,
      ORCHESTRATOR_TOKEN: token,
      ORCHESTRATOR_RECONNECT_INTERVAL: "500",
    },
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  cleanups.push(async () => {
    child.kill("SIGKILL");
    await ended;
    await rm(home, { recursive: true, force: true });
  });
  const events: HostEvent[] = [];
  const started = await firstWords(child, events);
  return {
    origin: `http://127.0.0.1:${started.port}`,
    tookMs: started.tookMs,
    events,
    probe,
    close: async () => {
      const at = performance.now();
      child.send("close");
      await ended;
      return performance.now() - at;
    },
  };
}

function firstWords(child: ChildProcess, events: HostEvent[]): Promise<{ port: number; tookMs: number }> {
  return new Promise((resolve, reject) => {
    child.on("message", (message: HostMessage) => {
      if ("name" in message) events.push(message);
      else resolve(message);
    });
    child.once("exit", (code) => reject(new Error(`the host ended with ${code}`)));
  });
}

const connections = ({ events }: Host) => events.filter(({ name }) => name === "connected");

it(`loses nothing and keeps nothing while the hub is killed and started again ${RESTARTS} times`, async () => {
  const hub = await startHub();
  cleanups.push(() => hub.stop());
  const host = await startHost(hub.origin, await hub.createToken());
  await vi.waitFor(() => expect(connections(host)).toHaveLength(1), 10_000);
  const instance = connections(host)[0]?.detail ?? "";
  const viewer = new Viewer();
  await viewer.navigate(await hub.signInLink());
  await viewer.navigate(`${instance}/`);

  const round = async (expected: number) => {
    const events = await viewer.open(`${instance}/events`);
    events.on("error", () => events.destroy());
    events.resume();
    const upload = viewer.begin(`${instance}/upload`, { method: "POST" });
    upload.on("error", () => upload.destroy());
    upload.write(Buffer.alloc(100_000));
    await delay(100);
    await hub.kill();
    upload.destroy();
    await hub.restart();
    await vi.waitFor(() => expect(connections(host)).toHaveLength(expected), 10_000);
    const answer = await viewer.fetch(`${instance}/`);
    expect(answer.status).toBe(200);
  };
  const traffic = () => ({
    local: keepAsking(() => askLocally(host.origin), 10),
    through: keepAsking(async () => {
      const { status } = await viewer.fetch(`${instance}/`);
      if (status !== 200) throw new Error(`answered ${status}`);
    }, 10),
  });

  // Code is compiled and caches fill the first times.
  const warmUp = traffic();
  for (let restart = 1; restart <= 2; restart++) await round(1 + restart);
  await Promise.all([warmUp.local.stop(), warmUp.through.stop()]);
  const before = await measureAtRest(host.probe);

  const { local, through } = traffic();
  for (let restart = 1; restart <= RESTARTS; restart++) await round(3 + restart);
  await Promise.all([local.stop(), through.stop()]);
  const { after, grown } = await growthSince(before, host.probe);

  console.log(
    `${local.answered} local requests, ${through.answered} through the hub (${through.failures.length} while it was away); ` +
      `heap ${before.heapBytes} → ${after.heapBytes} bytes, objects ${JSON.stringify(before.objects)} → ${JSON.stringify(after.objects)}`,
  );
  expect(local.failures).toEqual([]);
  expect(warmUp.local.failures).toEqual([]);
  expect(through.answered).toBeGreaterThan(RESTARTS);
  expect(grown).toEqual([]);
  // What the comparison is worth.
  expect(growth(after, await measure(host.probe, "plant objects"))).toEqual([
    expect.stringContaining("EventEmitter"),
  ]);
  const planted = growth(after, await measure(host.probe, "plant bytes"));
  expect(planted).toContainEqual(expect.stringContaining("bytes of heap"));
  expect(await host.close()).toBeLessThan(6_000);
}, 300_000);

it.each<[string, () => Promise<string>]>([
  ["was never there", async () => `http://127.0.0.1:${await freePort()}`],
  ["takes connections and never answers", startSilentHub],
])("serves as it would without while the hub %s", async (_what, start) => {
  const host = await startHost(await start(), "orc_token-of-nobody");
  const before = await measureAtRest(host.probe);
  const local = keepAsking(() => askLocally(host.origin), 5);
  await delay(3_000);
  await local.stop();
  const { grown } = await growthSince(before, host.probe);
  expect(local.failures).toEqual([]);
  expect(local.answered).toBeGreaterThan(20);
  expect(grown).toEqual([]);
  // Said once, however often it tries.
  expect(host.events.filter(({ name }) => name === "log").length).toBeLessThanOrEqual(2);
  console.log(`initializeOrchestrator returned after ${host.tookMs.toFixed(2)} ms`);
  expect(await host.close()).toBeLessThan(6_000);
});

async function startSilentHub(): Promise<string> {
  const port = await freePort();
  const server = createServer((socket) => socket.on("error", () => socket.destroy()));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  cleanups.push(async () => {
    server.close();
    return Promise.resolve();
  });
  return `http://127.0.0.1:${port}`;
}
