import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type FakeHub, startFakeHub } from "./testing/fake-hub.ts";

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

interface Program {
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
  write(text: string): void;
  /** Has its servers closed; resolves once it has ended by itself. */
  close(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<NodeJS.Signals | null>;
}

/** Runs a script with the preload. Its servers close when its standard input ends. */
async function start(script: string, more: NodeJS.ProcessEnv = {}, name = "program.mjs"): Promise<Program> {
  const file = path.join(home, name);
  await writeFile(file, script);
  const child = spawn(process.execPath, [...FLAGS, file], { env: environment(more), timeout: 60_000 });
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once("close", (_code, signal) => resolve(signal)),
  );
  const written = { stdout: "", stderr: "" };
  child.stdout.on("data", (data: Buffer) => (written.stdout += data.toString()));
  child.stderr.on("data", (data: Buffer) => (written.stderr += data.toString()));
  return {
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    write: (text) => child.stdin.write(text),
    close: async () => {
      child.stdin.end();
      expect(await ended).toBeNull();
    },
    kill: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}

const UNTIL_TOLD = `process.stdin.resume().on("end", () => server.close());`;
const SERVER = `
  import http from "node:http";
  const server = http.createServer((request, response) => response.end("ok"));
  server.listen(0, "127.0.0.1", () => process.stderr.write("listens\\n"));
  ${UNTIL_TOLD}`;

const PATIENCE = { timeout: 20_000, interval: 50 };
const registered = () => vi.waitFor(() => expect(hub.received[0]?.type).toBe("register"), PATIENCE);
const says = (program: Program, text: string) =>
  vi.waitFor(() => expect(program.stderr()).toContain(text), PATIENCE);
/** Long enough for a preload that would connect to do so. */
const aWhile = () => delay(1_500);

it("connects a server that knows nothing of it, prints nothing to stdout, and lets it end", async () => {
  const program = await start(SERVER);
  await says(program, "orchestrator: Connected: http://here.hub.localhost");
  await program.close();
  expect(program.stdout()).toBe("");
  expect(hub.received[0]).toMatchObject({ type: "register" });
  expect(hub.closed).toBe(1000);
});

it("connects a CommonJS server as well", async () => {
  const script = SERVER.replace('import http from "node:http"', 'const http = require("node:http")');
  const program = await start(script, {}, "program.cjs");
  await registered();
  await program.close();
  expect(program.stdout()).toBe("");
});

it("does nothing in a program without a web server", async () => {
  const program = await start(`
    import net from "node:net";
    const server = net.createServer().listen(0, "127.0.0.1", () => server.close(() => console.log("done")));`);
  await program.close();
  expect(program.stdout()).toBe("done\n");
  expect(program.stderr()).toBe("");
  expect(hub.dials).toBe(0);
});

it("says nothing in standalone mode, and one line where the settings are wrong", async () => {
  const alone = await start(SERVER, { ORCHESTRATOR_MODE: "standalone" });
  const wrong = await start(SERVER, { ORCHESTRATOR_URL: "nonsense" });
  await says(wrong, "orchestrator: ");
  await says(alone, "listens");
  await aWhile();
  await Promise.all([alone.close(), wrong.close()]);
  expect(alone.stdout() + wrong.stdout()).toBe("");
  expect(alone.stderr()).toBe("listens\n");
  expect(wrong.stderr()).toMatch(/^listens\norchestrator: Not connected to a hub: .*ORCHESTRATOR_URL.*\n$/);
  expect(hub.dials).toBe(0);
});

it("leaves alone the servers of what an attached program starts, though they inherit the preload", async () => {
  const child = path.join(home, "child.mjs");
  await writeFile(child, SERVER);
  const script = `${SERVER}
    import { spawn } from "node:child_process";
    const look = setInterval(() => {
      if (process.env.AI_ORCHESTRATOR_ATTACHED_PID === undefined) return;
      clearInterval(look);
      const child = spawn(process.execPath, [${JSON.stringify(child)}], { stdio: ["pipe", "ignore", "pipe"] });
      child.stderr.on("data", (text) => console.log("child: " + text));
      process.stdin.on("end", () => child.stdin.end());
    }, 50);`;
  const program = await start(script, { NODE_OPTIONS: FLAGS.join(" ") });
  await vi.waitFor(() => expect(program.stdout()).toContain("child: listens"), PATIENCE);
  await aWhile();
  await program.close();
  expect(program.stdout()).not.toContain("orchestrator");
  expect(hub.authorizations).toHaveLength(1);
});

it("connects the server that is named, of several", async () => {
  const port = await freePort();
  const script = `${SERVER}
    const named = http.createServer((request, response) => response.end("ok")).listen(${port}, "127.0.0.1");
    process.stdin.on("end", () => named.close());`;
  const program = await start(script, { ORCHESTRATOR_TARGET: `http://127.0.0.1:${port}` });
  await registered();
  await aWhile();
  await program.close();
  expect(hub.authorizations).toHaveLength(1);
  expect(program.stderr()).toMatch(new RegExp(`Connecting to .*as ${clientId(port)}`));
});

it("connects what listens in the place of a server that has closed, and a server that first listens elsewhere", async () => {
  const listen = `(await new Promise((resolve) => process.stdin.once("data", resolve)), await new Promise((resolve) => server.close(resolve)));`;
  const program = await start(`
    import http from "node:http";
    const answer = (request, response) => response.end("ok");
    let server = http.createServer(answer).listen(${JSON.stringify(path.join(home, "web.sock"))});
    ${listen}
    server.listen(0, "127.0.0.1");
    ${listen}
    server = http.createServer(answer).listen(0, "127.0.0.1");
    ${UNTIL_TOLD}`);
  await aWhile();
  expect(hub.dials).toBe(0);
  program.write("listen on TCP");
  await vi.waitFor(() => expect(hub.received).toHaveLength(1), PATIENCE);
  program.write("another one");
  await vi.waitFor(() => expect(hub.received).toHaveLength(2), PATIENCE);
  await program.close();
  expect(hub.closed).toBe(1000);
});

it("ends with a signal as the program would without it", async () => {
  const program = await start(SERVER);
  await registered();
  expect(await program.kill("SIGTERM")).toBe("SIGTERM");
});

/** The id that was made for a port is kept in a file of its own. */
function clientId(port: number): string {
  return readFileSync(path.join(home, "orchestrator", `client-id-${port}`), "utf8").trim();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
