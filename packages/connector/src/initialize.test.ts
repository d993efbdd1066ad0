import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { OrchestratorClient } from "./client.ts";
import { createOrchestratorClientFromEnv, initializeOrchestrator } from "./initialize.ts";
import type { InitializeOptions } from "./initialize-options.ts";
import { askRunning } from "./local-control-ask.ts";
import { settingsFolder } from "./settings-folder.ts";
import { startFakeClaudecodeui } from "./testing/fake-claudecodeui.ts";
import { type FakeHub, startFakeHub } from "./testing/fake-hub.ts";

const TOKEN = "orc_canary-token";

let home: string;
let hub: FakeHub;
let server: http.Server;
let port: number;
let lines: string[];
const clients: OrchestratorClient[] = [];

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), "embedded-"));
  hub = await startFakeHub();
  server = http.createServer((_request, response) => response.end("the host's own"));
  port = await listen(server);
  lines = [];
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.stop()));
  await hub.stop();
  server.closeAllConnections();
  server.close();
  await rm(home, { recursive: true, force: true });
});

async function listen(one: net.Server): Promise<number> {
  await new Promise<void>((resolve) => one.listen(0, "127.0.0.1", resolve));
  return (one.address() as AddressInfo).port;
}

async function initialize(options: InitializeOptions = {}, env: NodeJS.ProcessEnv = {}) {
  const client = await initializeOrchestrator({
    port,
    argv: [],
    env: { HOME: home, ...env },
    log: (line) => lines.push(line),
    ...options,
  });
  if (client) clients.push(client);
  return client;
}

const asking = () => ({ ORCHESTRATOR_MODE: "client", ORCHESTRATOR_URL: hub.url, ORCHESTRATOR_TOKEN: TOKEN });
const registered = () => vi.waitFor(() => expect(hub.received[0]?.type).toBe("register"), 5_000);

it("is null, says nothing and dials nobody where nothing asks for a connection", async () => {
  expect(await initialize()).toBeNull();
  expect(await initialize({}, { ...asking(), ORCHESTRATOR_MODE: "standalone" })).toBeNull();
  expect(lines).toEqual([]);
  expect(hub.dials).toBe(0);
});

it("connects by environment, by flags, and by what is named in code", async () => {
  expect(await initialize({}, asking())).not.toBeNull();
  const flags = [`--orchestrator-url=${hub.url}`, "--orchestrator-token", TOKEN, "--port", "1"];
  expect(await initialize({ argv: flags })).not.toBeNull();
  expect(await initialize({ url: hub.url, token: TOKEN })).not.toBeNull();
  await vi.waitFor(() => expect(hub.authorizations).toHaveLength(3), 5_000);
  expect(new Set(hub.authorizations)).toEqual(new Set([`Bearer ${TOKEN}`]));
});

it("takes what code says before everything else, but who is told to stand alone does", async () => {
  const client = await initialize({ clientId: "in-code", heartbeatIntervalMs: 7_000 }, asking());
  expect(client?.options).toMatchObject({ clientId: "in-code", heartbeatIntervalMs: 7_000 });
  const named = { url: hub.url, token: TOKEN };
  expect(await initialize(named, { ORCHESTRATOR_MODE: "standalone" })).toBeNull();
  expect(await initialize({ ...named, mode: "standalone" }, asking())).toBeNull();
  expect(await initialize({ ...named, mode: "client" }, { ORCHESTRATOR_MODE: "standalone" })).not.toBeNull();
});

it.each<[string, InitializeOptions, RegExp]>([
  ["an interval that was meant in seconds", { heartbeatIntervalMs: 30 }, /heartbeatIntervalMs \(in code\)/],
  ["a hub that would be sent a token in clear", { url: "http://hub.example.com" }, /https:/],
  ["no hub", { url: "" }, /url/],
  ["a port that is none", { port: 0 }, /1 to 65535/],
  ["an application elsewhere", { target: "http://192.168.0.1:80" }, /this machine/],
  ["a flag that is not known", { argv: ["--orchestrator-tokn", "x"] }, /--orchestrator-token/],
])("says in one line what is wrong, and is null: %s", async (_what, options, message) => {
  const defaults = { url: hub.url, token: TOKEN };
  expect(await initialize({ ...defaults, ...options })).toBeNull();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(message);
  expect(lines[0]).not.toContain("\n");
  expect(lines[0]).not.toContain(TOKEN);
});

it("is null where a config file is no JSON, or the server's address is not known yet", async () => {
  const config = path.join(home, "config.json");
  await writeFile(config, "{");
  expect(await initialize({}, { ORCHESTRATOR_CONFIG: config })).toBeNull();
  expect(lines[0]).toContain(config);
  const { port: _, ...unnamed } = {
    port,
    server: http.createServer(),
    argv: [],
    env: { HOME: home, ...asking() },
  };
  expect(await initializeOrchestrator({ ...unnamed, log: (line) => lines.push(line) })).toBeNull();
  expect(lines[1]).toContain("does not listen yet");
});

it("never throws into its host, whatever its log and its listeners do", async () => {
  const warnings = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  const log = () => {
    throw new Error("the log is full");
  };
  expect(await initialize({ log, url: "nonsense" })).toBeNull();
  const client = await initialize({ log }, asking());
  client?.on("connected", log);
  await registered();
  await vi.waitFor(() => expect(client?.log.at(-1)?.text).toContain("Connected"), 5_000);
  expect(warnings).toHaveBeenCalled();
  warnings.mockRestore();
});

it("waits for a server that listens later, and dials though that answers nothing", async () => {
  const later = http.createServer();
  const free = await listen(later);
  await new Promise((resolve) => later.close(resolve));
  await initialize({ port: free }, asking());
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(hub.dials).toBe(0);
  await new Promise<void>((resolve) => later.listen(free, "127.0.0.1", resolve));
  await registered();
  later.close();
});

it("recognises claudecodeui by itself", async () => {
  const fake = await startFakeClaudecodeui();
  await initialize({ target: fake.target }, asking());
  await registered();
  expect(hub.received[0]).toMatchObject({ metadata: { upstream: { name: "claudecodeui" } } });
  await fake.stop();
});

it("stops with the server it is given, and leaves no listener on it", async () => {
  const client = await initialize({ server }, asking());
  await registered();
  const ended = new Promise<void>((resolve) => client?.once("ended", resolve));
  await new Promise((resolve) => server.close(resolve));
  await ended;
  const before = server.listenerCount("close");
  const again = http.createServer();
  await listen(again);
  const second = await initialize({ server: again }, asking());
  expect(again.listenerCount("close")).toBe(before + 1);
  await second?.stop();
  expect(again.listenerCount("close")).toBe(before);
  again.close();
});

it("stops by itself when the hub says to stay away for good", async () => {
  const client = await initialize({}, asking());
  await registered();
  const ended = new Promise<void>((resolve) => client?.once("ended", resolve));
  hub.send({ type: "go_away", code: "token_revoked", message: "Its token was revoked." });
  await ended;
  expect(lines.at(-1)).toContain("Stopped by the hub");
});

it("is seen by `orchestrator status`, and ended by `orchestrator disconnect`, but not its host", async () => {
  const folder = settingsFolder({ HOME: home });
  const client = await initialize({ clientId: "embedded" }, asking());
  await registered();
  const ended = new Promise<void>((resolve) => client?.once("ended", resolve));
  const { running } = await askRunning(folder, "status");
  expect(running).toMatchObject([{ embedded: true, clientId: "embedded", pid: process.pid }]);
  await askRunning(folder, "disconnect");
  await ended;
  expect(await askRunning(folder, "status")).toEqual({ running: [], problems: [] });
  expect(server.listening).toBe(true);
  // Its log is where somebody looks who wonders later.
  expect(lines.at(-1)).toBe(
    "Disconnected by orchestrator disconnect; after orchestrator connect, this program connects again when it starts",
  );
});

it("makes a client of an environment, and starts nothing", async () => {
  expect(await createOrchestratorClientFromEnv({ HOME: home })).toBeNull();
  const client = await createOrchestratorClientFromEnv({ HOME: home, ...asking(), SERVER_PORT: "4711" });
  expect(client?.options).toMatchObject({ url: hub.url, target: "http://127.0.0.1:4711" });
  expect(hub.dials).toBe(0);
  const wrong = { HOME: home, ...asking(), ORCHESTRATOR_URL: "nonsense" };
  await expect(createOrchestratorClientFromEnv(wrong)).rejects.toThrow("ORCHESTRATOR_URL");
  await client?.stop();
});

const run = promisify(execFile);

/** Runs a host in a process of its own; it must end by itself. */
async function runHost(script: string, env: NodeJS.ProcessEnv) {
  const file = path.join(home, "host.mjs");
  const library = path.join(import.meta.dirname, "initialize.ts");
  await writeFile(file, `import { initializeOrchestrator } from ${JSON.stringify(library)};\n${script}`);
  const began = performance.now();
  const { stdout } = await run(
    process.execPath,
    ["--conditions=source", "--disable-warning=ExperimentalWarning", file],
    {
      env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, ...env },
      timeout: 20_000,
    },
  );
  return { stdout, tookMs: performance.now() - began };
}

const HOST = `
  import http from "node:http";
  const server = http.createServer((request, response) => response.end("ok"));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const before = process.getActiveResourcesInfo().toSorted();
  const began = performance.now();
  const promise = initializeOrchestrator({ port: server.address().port });
  const called = performance.now() - began;
  const client = await promise;
`;

it("leaves no timer, socket or listener behind when it is stopped", async () => {
  const { stdout } = await runHost(
    `${HOST}
    const listeners = () => process.eventNames().map((name) => [String(name), process.listenerCount(name)]);
    const asBefore = JSON.stringify(listeners());
    await new Promise((resolve) => client.once("connected", resolve));
    await client.stop();
    const left = process.getActiveResourcesInfo().toSorted();
    console.log(JSON.stringify({ before, left, sameListeners: JSON.stringify(listeners()) === asBefore }));
    server.close();`,
    asking(),
  );
  const { before, left, sameListeners } = JSON.parse(stdout) as Record<string, unknown>;
  expect(left).toEqual(before);
  expect(sameListeners).toBe(true);
});

it.each([
  ["connected", (host: FakeHub) => host.url],
  ["no hub there", () => "http://127.0.0.1:9"],
])("does not keep a host running whose server closes: %s", async (state, url) => {
  const wait =
    state === "connected"
      ? `await new Promise((resolve) => client.once("connected", resolve));`
      : `await new Promise((resolve) => client.once("disconnected", resolve));`;
  const { stdout } = await runHost(
    `${HOST} ${wait} console.log(called < 1000); const at = performance.now();
     process.on("exit", () => console.log(performance.now() - at < 6000)); server.close();`,
    { ...asking(), ORCHESTRATOR_URL: url(hub) },
  );
  expect(stdout).toBe("true\ntrue\n");
});

it("does not keep a host running while a hub takes connections and never answers, if it knows the server", async () => {
  const silent = net.createServer();
  const silentPort = await listen(silent);
  const { stdout } = await runHost(
    `${HOST.replace("initializeOrchestrator({", "initializeOrchestrator({ server,")}
     await new Promise((resolve) => client.once("connecting", resolve));
     await new Promise((resolve) => setTimeout(resolve, 500));
     const at = performance.now();
     process.on("exit", () => console.log(performance.now() - at < 6000)); server.close();`,
    { ...asking(), ORCHESTRATOR_URL: `http://127.0.0.1:${silentPort}` },
  );
  expect(stdout).toBe("true\n");
  silent.close();
});
