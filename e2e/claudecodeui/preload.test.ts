/** An unmodified claudecodeui with the connector preloaded into its own process, and a hub that is killed and started ten times. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { WebSocket } from "ws";
import { growthSince, measureAtRest } from "../embedding/measure.ts";
import { askLocally, keepAsking } from "../embedding/traffic.ts";
import { startHub, type TestHub } from "../hub.ts";
import { Viewer } from "../tunnel/viewer.ts";
import { type RealClaudecodeui, startRealClaudecodeui } from "./harness.ts";

const RESTARTS = 10;
const repository = path.resolve(import.meta.dirname, "../..");

let folder: string;
let probe: string;
let hub: TestHub;
let real: RealClaudecodeui;
let viewer: Viewer;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "preloaded-"));
  probe = path.join(folder, "probe");
  hub = await startHub();
  real = await startRealClaudecodeui({
    // The Node it was compiled for may not read TypeScript, and what people install is what was built.
    preload: [
      pathToFileURL(path.join(repository, "packages/connector/dist/preload.js")).href,
      await plainProbe(),
    ],
    environment: {
      PROBE_SOCKET: probe,
      ORCHESTRATOR_MODE: "client",
      ORCHESTRATOR_URL: hub.origin,
      ORCHESTRATOR_TOKEN: await hub.createToken(),
      ORCHESTRATOR_RECONNECT_INTERVAL: "500",
    },
  });
  viewer = new Viewer();
  await viewer.navigate(await hub.signInLink());
});

afterAll(async () => {
  await real?.stop();
  await hub?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function plainProbe(): Promise<string> {
  const source = readFileSync(path.join(import.meta.dirname, "../embedding/probe.ts"), "utf8");
  const file = path.join(folder, "probe.mjs");
  await writeFile(file, stripTypeScriptTypes(source));
  return pathToFileURL(file).href;
}

/** How often it was connected, as the hub tells: the connector's own log says less of what goes on and on. */
const connections = () => hub.logs().filter(({ message }) => message.includes("instance_connected")).length;
const connected = (times: number) =>
  vi.waitFor(() => expect(connections()).toBeGreaterThanOrEqual(times), { timeout: 15_000, interval: 50 });
/** The address the preload prints, on stderr. */
const address = () => /^orchestrator: Connected: (http:\S+)/m.exec(real.output())?.[1] ?? "";

/** The chat's WebSocket through the hub, as its page opens it; resolves once claudecodeui has answered. */
async function openChat(origin: string): Promise<WebSocket> {
  const page = (await viewer.navigate(`${origin}/`)).body.toString();
  const placeholder = /localStorage\.setItem\("auth-token","([\w.-]+)"\)/.exec(page)?.[1] ?? "";
  const socket = viewer.webSocket(`${origin}/ws?token=${placeholder}`);
  socket.on("error", () => socket.terminate());
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("close", (code) => reject(new Error(`the chat was closed with ${code}`)));
  });
  return socket;
}

test(`claudecodeui notices nothing of a hub that is killed and started again ${RESTARTS} times`, async () => {
  await connected(1);
  const origin = await vi.waitFor(() => address() || Promise.reject(new Error(real.output())));
  expect((await viewer.navigate(`${origin}/`)).body.toString()).toContain("<title>");

  const round = async () => {
    const before = connections();
    const chat = await openChat(origin);
    await delay(100);
    await hub.kill();
    await hub.restart();
    await connected(before + 1);
    chat.terminate();
  };
  const traffic = () => ({
    local: keepAsking(() => askLocally(`${real.origin}/health`), 10),
    through: keepAsking(async () => {
      const { status } = await viewer.fetch(`${origin}/api/auth/user`);
      if (status !== 200) throw new Error(`answered ${status}`);
    }, 20),
  });

  const warmUp = traffic();
  for (let restart = 0; restart < 2; restart++) await round();
  await Promise.all([warmUp.local.stop(), warmUp.through.stop()]);
  const before = await measureAtRest(probe);

  const { local, through } = traffic();
  for (let restart = 0; restart < RESTARTS; restart++) await round();
  await Promise.all([local.stop(), through.stop()]);
  const { after, grown } = await growthSince(before, probe);

  console.log(
    `${local.answered} local requests, ${through.answered} through the hub (${through.failures.length} while it was away); ` +
      `heap ${before.heapBytes} → ${after.heapBytes} bytes, objects ${JSON.stringify(before.objects)} → ${JSON.stringify(after.objects)}`,
  );
  expect([...warmUp.local.failures, ...local.failures]).toEqual([]);
  expect(through.answered).toBeGreaterThan(RESTARTS);
  expect(grown).toEqual([]);
}, 300_000);
