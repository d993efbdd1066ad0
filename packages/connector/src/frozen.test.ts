/** A real connector process that is stopped and goes on. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { CONNECTION_ERRORS } from "@ai-orchestrator/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type FakeClaudecodeui, startFakeClaudecodeui } from "./testing/fake-claudecodeui.ts";
import { type FakeHub, startFakeHub } from "./testing/fake-hub.ts";

const script = fileURLToPath(new URL("cli.ts", import.meta.url));
/** Longer than a busy machine lets a timer wait. */
const STOPPED_MS = 11_500;

let home: string;
let application: FakeClaudecodeui;
const hubs: FakeHub[] = [];
const children: ChildProcess[] = [];

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), "frozen-"));
  application = await startFakeClaudecodeui();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all([...hubs.splice(0).map((hub) => hub.stop()), application.stop()]);
  await rm(home, { recursive: true, force: true });
});

/** A connector of its own hub, connected. */
async function connect() {
  const hub = await startFakeHub();
  hubs.push(hub);
  const child = spawn(
    process.execPath,
    ["--conditions=source", script, "connect", "--target", application.target, "--client-id", "c"],
    {
      env: {
        PATH: process.env["PATH"],
        HOME: home,
        ORCHESTRATOR_URL: hub.url,
        ORCHESTRATOR_TOKEN: "orch_canary_0123456789",
      },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  children.push(child);
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await vi.waitFor(() => expect(output).toContain("Connected: "), { timeout: 10_000 });
  const registers = () => hub.received.filter((message) => message.type === "register");
  return { hub, child, registers, output: () => output };
}

test.runIf(process.platform === "linux")(
  "stopped and gone on: it says that it was frozen where that cost the connection, and nothing where it did not",
  { timeout: 60_000 },
  async () => {
    const [good, ended] = await Promise.all([connect(), connect()]);
    const since = Date.now();
    for (const { child } of [good, ended]) child.kill("SIGSTOP");
    // As the hub would after 90 s, were somebody looking.
    ended.hub.socket?.close(CONNECTION_ERRORS.heartbeat_timeout.close, "No heartbeat for 90 seconds.");
    await new Promise((resolve) => setTimeout(resolve, STOPPED_MS));
    const until = Date.now();
    for (const { child } of [good, ended]) child.kill("SIGCONT");

    await vi.waitFor(() => expect(ended.registers()).toHaveLength(2), { timeout: 5_000 });
    console.log(`registered ${Date.now() - until} ms after SIGCONT`);
    const { absence } = ended.registers()[1] ?? {};
    expect(absence?.cause).toBe("frozen");
    expect(Math.abs((absence?.since ?? 0) - since)).toBeLessThan(2_000);
    expect(Math.abs((absence?.until ?? 0) - until)).toBeLessThan(2_000);
    await vi.waitFor(() =>
      expect(ended.output()).toMatch(/Connected again: \S+ \(this process did not run for 1\d s\)/),
    );

    await vi.waitFor(() => expect(good.hub.pings).toBe(1), { timeout: 5_000 });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(good.registers()).toHaveLength(1);
    expect(good.output()).not.toContain("lost");
  },
);
