/** A real program with the library in it, whose event loop is blocked. */
import { type ChildProcess, spawn } from "node:child_process";
import { HEARTBEAT_PING, HEARTBEAT_PONG } from "@ai-orchestrator/protocol";
import { afterEach, expect, test, vi } from "vitest";
import { type FakeHub, startFakeHub } from "./testing/fake-hub.ts";

/** Long enough to look as if this process had not run. */
const BLOCKED_MS = 11_500;

/** It works with something else for a while, and works on. */
const BUSY = `
const { OrchestratorClient } = await import(process.env.LIBRARY);
const client = new OrchestratorClient({
  url: process.env.HUB, token: "orch_canary", clientId: "c", target: "http://127.0.0.1:9",
  metadata: { hostname: "h", project: "p", platform: "linux" }, heartbeatIntervalMs: 1_000,
});
client.on("log", ({ text }) => console.log(text));
const block = (ms) => {
  for (const until = performance.now() + ms; performance.now() < until; );
};
client.once("connected", () => setTimeout(() => {
  block(${BLOCKED_MS});
  // Time to ask the hub for a proof, whose answer is here long before it is read: where the loop begins its turn with what is due, behind that.
  setImmediate(() => setTimeout(() => setImmediate(() => {
    block(2_000);
    console.log("works on");
  }), 50));
}, 1_500));
client.start();
`;

let hub: FakeHub;
let child: ChildProcess;
afterEach(async () => {
  child.kill("SIGKILL");
  await hub.stop();
});

test(
  "a program whose event loop was blocked keeps its connection: nothing slept, and the hub has long answered",
  { timeout: 60_000 },
  async () => {
    hub = await startFakeHub();
    const library = new URL("client.ts", import.meta.url).href;
    const program = spawn(process.execPath, ["--conditions=source", "--input-type=module", "-e", BUSY], {
      env: { PATH: process.env["PATH"], HUB: hub.url, LIBRARY: library },
      stdio: ["ignore", "pipe", "inherit"],
    });
    child = program;
    let output = "";
    program.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    await vi.waitFor(() => expect(hub.socket).toBeDefined(), { timeout: 10_000 });
    // So that it answers while the program is blocked again.
    hub.answers.pings = false;
    hub.socket?.on("message", (data: Buffer) => {
      if (data.toString() === HEARTBEAT_PING) setTimeout(() => hub.socket?.send(HEARTBEAT_PONG), 200);
    });
    await vi.waitFor(() => expect(output).toContain("works on"), { timeout: 30_000 });
    const { pings } = hub;
    await vi.waitFor(() => expect(hub.pings).toBeGreaterThan(pings + 2), { timeout: 10_000 });
    expect(hub.dials).toBe(1);
    expect(output).not.toContain("lost");
  },
);
