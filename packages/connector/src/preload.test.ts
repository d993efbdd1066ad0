import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type FakeHub, startFakeHub } from "./testing/fake-hub.ts";

const run = promisify(execFile);
const preload = pathToFileURL(path.join(import.meta.dirname, "preload.ts")).href;
const FLAGS = ["--conditions=source", "--disable-warning=ExperimentalWarning", "--import", preload];

let home: string;
let hub: FakeHub;

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), "preloaded-"));
  hub = await startFakeHub();
});
afterEach(async () => {
  await hub.stop();
  await rm(home, { recursive: true, force: true });
});

const environment = (more: NodeJS.ProcessEnv = {}) => ({
  ...process.env,
  HOME: home,
  XDG_CONFIG_HOME: home,
  ORCHESTRATOR_MODE: "client",
  ORCHESTRATOR_URL: hub.url,
  ORCHESTRATOR_TOKEN: "orc_canary-token",
  ...more,
});

/** Runs a script with the preload until it ends by itself. */
async function runWith(script: string, more: NodeJS.ProcessEnv = {}) {
  const file = path.join(home, "program.mjs");
  await writeFile(file, script);
  return run(process.execPath, [...FLAGS, file], { env: environment(more), timeout: 20_000 });
}

const SERVER = `
  import http from "node:http";
  const server = http.createServer((request, response) => response.end("ok"));
  server.listen(0, "127.0.0.1");`;
const SERVES_A_SECOND = `${SERVER} setTimeout(() => server.close(), 1000);`;

it("connects a server that knows nothing of it, prints nothing to stdout, and lets it end", async () => {
  const { stdout, stderr } = await runWith(SERVES_A_SECOND);
  expect(stdout).toBe("");
  expect(stderr).toContain("orchestrator: Connected: http://here.hub.localhost");
  expect(hub.received[0]).toMatchObject({ type: "register" });
  expect(hub.closed).toBe(1000);
});

it("connects a CommonJS server as well", async () => {
  const file = path.join(home, "program.cjs");
  await writeFile(
    file,
    SERVES_A_SECOND.replace('import http from "node:http"', 'const http = require("node:http")'),
  );
  const { stdout } = await run(process.execPath, [...FLAGS, file], { env: environment(), timeout: 20_000 });
  expect(stdout).toBe("");
  expect(hub.received[0]).toMatchObject({ type: "register" });
});

it("does nothing in a program without a web server", async () => {
  const { stdout, stderr } = await runWith(`
    import net from "node:net";
    const server = net.createServer().listen(0, "127.0.0.1", () => server.close(() => console.log("done")));`);
  expect(stdout).toBe("done\n");
  expect(stderr).toBe("");
  expect(hub.dials).toBe(0);
});

it("says nothing in standalone mode, and one line where the settings are wrong", async () => {
  const alone = await runWith(SERVES_A_SECOND, { ORCHESTRATOR_MODE: "standalone" });
  expect(alone).toMatchObject({ stdout: "", stderr: "" });
  const wrong = await runWith(SERVES_A_SECOND, { ORCHESTRATOR_URL: "nonsense" });
  expect(wrong.stdout).toBe("");
  expect(wrong.stderr).toMatch(/^orchestrator: Not connected to a hub: .*ORCHESTRATOR_URL.*\n$/);
  expect(hub.dials).toBe(0);
});

it("leaves alone the servers of what an attached program starts, though they inherit the preload", async () => {
  const child = path.join(home, "child.mjs");
  await writeFile(child, `${SERVES_A_SECOND}`);
  const script = `${SERVER}
    import { spawnSync } from "node:child_process";
    setTimeout(() => {
      const { stderr } = spawnSync(process.execPath, [${JSON.stringify(child)}], { env: process.env });
      console.log(JSON.stringify(stderr.toString()));
      server.close();
    }, 700);`;
  const { stdout } = await runWith(script, { NODE_OPTIONS: FLAGS.join(" ") });
  expect(stdout).toBe('""\n');
  expect(hub.authorizations).toHaveLength(1);
});

it("connects the server that is named, of several", async () => {
  const script = `${SERVER.replaceAll("server", "other")}
    import http2 from "node:http";
    const named = http2.createServer((request, response) => response.end("ok")).listen(Number(process.env.PORT), "127.0.0.1");
    setTimeout(() => { named.close(); other.close(); }, 1000);`;
  const port = 20_000 + (process.pid % 10_000);
  await runWith(script, { PORT: String(port), ORCHESTRATOR_TARGET: `http://127.0.0.1:${port}` });
  expect(hub.authorizations).toHaveLength(1);
});

it("ends with a signal as the program would without it", async () => {
  const file = path.join(home, "program.mjs");
  await writeFile(file, SERVER);
  const child = spawn(process.execPath, [...FLAGS, file], { env: environment(), stdio: "ignore" });
  await vi.waitFor(() => expect(hub.received[0]?.type).toBe("register"), 10_000);
  const ended = new Promise((resolve) => child.once("exit", (_code, signal) => resolve(signal)));
  child.kill("SIGTERM");
  expect(await ended).toBe("SIGTERM");
});
