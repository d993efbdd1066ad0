/** Running connectors and the command that asks after them, over real sockets. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer, connect } from "node:net";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { OrchestratorClient } from "./client.ts";
import { askRunning } from "./local-control-ask.ts";
import { newSocketPath } from "./local-control-folder.ts";
import { startLocalControl, type LocalControlOptions } from "./local-control.ts";
import { type FakeHub, startFakeHub } from "./testing/fake-hub.ts";

let folder: string;
let hub: FakeHub;
const clients: OrchestratorClient[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "control-"));
  hub = await startFakeHub();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.stop()));
  await hub.stop();
  await rm(folder, { recursive: true, force: true });
});

const TOKEN = "orch_canary_0123456789";

function start(clientId: string, options: LocalControlOptions = {}) {
  const client = new OrchestratorClient({
    url: hub.url,
    token: TOKEN,
    clientId,
    target: "http://127.0.0.1:9",
    metadata: { hostname: "h", project: `/projects/${clientId}`, platform: "linux" },
    holdsProcess: false,
  });
  clients.push(client);
  startLocalControl(client, { folder, ...options });
  client.start();
  return client;
}

const ask = async () => (await askRunning(folder, "status")).running;
const run = () => path.join(folder, "run");

test("none, one, two, each as it is; one that ends is gone, and its socket with it", async () => {
  expect(await askRunning(folder, "status")).toEqual({ running: [], problems: [] });
  const first = start("first");
  await vi.waitFor(async () => expect(await ask()).toMatchObject([{ state: "connected" }]));
  start("second", { embedded: true });
  await vi.waitFor(async () => expect(await ask()).toHaveLength(2));
  await vi.waitFor(async () =>
    expect((await ask()).map(({ state }) => state)).toEqual(["connected", "connected"]),
  );
  const running = (await ask()).toSorted((a, b) => a.clientId.localeCompare(b.clientId));
  expect(running[0]).toEqual({
    pid: process.pid,
    state: "connected",
    embedded: false,
    hub: hub.url,
    clientId: "first",
    target: "http://127.0.0.1:9",
    project: "/projects/first",
    url: "http://here.hub.localhost:1",
    since: running[0]?.since,
    status: "idle",
    needsPerson: 0,
  });
  expect(running[1]).toMatchObject({ clientId: "second", embedded: true });
  expect(JSON.stringify(running)).not.toContain("canary");
  await first.stop();
  expect(await ask()).toMatchObject([{ clientId: "second" }]);
  expect(await readdir(run())).toHaveLength(1);
});

test("why one is not connected is said, and since when", async () => {
  hub.refusal = { status: 503, code: "internal", message: `Away, not ${TOKEN} with https://a:b@c/?d` };
  start("lost");
  await vi.waitFor(async () => expect(await ask()).toMatchObject([{ state: "waiting", reason: /./ }]));
  const [one] = await ask();
  expect(one?.reason).not.toMatch(/canary|a:b|\?d/);
});

test("disconnect ends the connection and answers when it has ended", async () => {
  const client = start("one");
  const ended = vi.fn<() => void>();
  client.on("ended", ended);
  await vi.waitFor(async () => expect(await ask()).toMatchObject([{ state: "connected" }]));
  const { running, problems } = await askRunning(folder, "disconnect");
  expect(running).toMatchObject([{ clientId: "one" }]);
  expect(problems).toEqual([]);
  expect(ended).toHaveBeenCalledOnce();
  expect(await ask()).toEqual([]);
});

test("the folder and what is in it are this user's alone", async () => {
  await mkdir(run(), { mode: 0o755 });
  start("one");
  await vi.waitFor(async () => expect(await ask()).toHaveLength(1));
  expect((await stat(run())).mode & 0o777).toBe(0o700);
});

test("sockets that were left behind are taken away, what is not ours stays", async () => {
  start("one");
  await vi.waitFor(async () => expect(await ask()).toHaveLength(1));
  // A process that is killed leaves its socket.
  const script = `
    const { newSocketPath } = await import(${JSON.stringify(new URL("local-control-folder.ts", import.meta.url).href)});
    const server = (await import("node:net")).createServer().listen(newSocketPath(${JSON.stringify(folder)}));
    server.on("listening", () => process.kill(process.pid, "SIGKILL"));`;
  spawnSync(process.execPath, ["--conditions=source", "--input-type=module", "-e", script]);
  await writeFile(path.join(run(), "notes.txt"), "mine");
  const otherMachines = (await readdir(run()))
    .find((name) => name.includes(`-${process.pid}-`))
    ?.replace(/^\w+/, "0123456789ab")
    .replace(`-${process.pid}-`, "-4194301-");
  await writeFile(path.join(run(), otherMachines ?? ""), "");
  expect(await readdir(run())).toHaveLength(4);
  expect(await ask()).toMatchObject([{ clientId: "one" }]);
  const left = (await readdir(run())).filter((name) => name !== otherMachines && name !== "notes.txt");
  expect(left).toEqual([expect.stringContaining(`-${process.pid}-`)]);
  expect(await readdir(run())).toHaveLength(3);
});

test("one that does not answer, or says nothing of use, is told and costs the others nothing", async () => {
  start("one");
  const odd = createServer((socket) => socket.end("hello\n")).listen(newSocketPath(folder));
  const silent = createServer(() => undefined).listen(newSocketPath(folder));
  const endless = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.write("x".repeat(100_000));
  }).listen(newSocketPath(folder));
  await Promise.all([odd, silent, endless].map((server) => once(server, "listening")));
  const { running, problems } = await askRunning(folder, "status");
  expect(running).toMatchObject([{ clientId: "one" }]);
  expect(problems).toHaveLength(3);
  for (const problem of problems) expect(problem).toMatch(/cannot be asked: no answer$/);
  odd.close();
  silent.close();
  endless.close();
});

test.each(["", "{}\n", '{"ask":"token"}\n', "x".repeat(40_000), '["status"]\n', "\u0000\n"])(
  "what is no question (%#) does no harm",
  async (text) => {
    const client = start("one");
    await vi.waitFor(async () => expect(await ask()).toMatchObject([{ state: "connected" }]));
    const [name = ""] = await readdir(run());
    const reply = await new Promise<string>((resolve) => {
      let said = "";
      const socket = connect(path.join(run(), name), () => socket.write(text));
      socket.on("data", (chunk) => (said += chunk.toString()));
      socket.on("error", () => socket.destroy());
      socket.on("close", () => resolve(said));
    });
    expect(reply).toBe(
      text.endsWith("\n") ? '{"ok":false,"message":"not a question that this version knows"}\n' : "",
    );
    expect(await ask()).toMatchObject([{ state: "connected" }]);
    await client.stop();
  },
);

test.runIf(process.getuid?.() === 0)(
  "a folder of another user is neither listened in nor asked",
  async () => {
    await mkdir(run(), { mode: 0o777 });
    await chmod(run(), 0o777);
    await chown(run(), 65_534, 65_534);
    const failed = vi.fn<(message: string) => void>();
    start("one", { failed });
    expect(failed).toHaveBeenCalledWith(expect.stringMatching(/is not a folder of this user$/));
    expect(await readdir(run())).toEqual([]);
    const problems = [
      expect.stringMatching(/^What runs cannot be looked for: .* is not a folder of this user$/),
    ];
    expect(await askRunning(folder, "disconnect")).toEqual({ running: [], problems });
  },
);

test("a link in the folder's place is not followed", async () => {
  const elsewhere = await mkdtemp(path.join(tmpdir(), "elsewhere-"));
  await symlink(elsewhere, run());
  const failed = vi.fn<(message: string) => void>();
  start("one", { failed });
  expect(failed).toHaveBeenCalledOnce();
  expect(await readdir(elsewhere)).toEqual([]);
  await rm(elsewhere, { recursive: true });
});

test("a folder whose path is too long for a socket has its sockets elsewhere, for this user alone", async () => {
  folder = path.join(folder, "a".repeat(120));
  start("one");
  await vi.waitFor(async () => expect(await ask()).toMatchObject([{ clientId: "one" }]));
  const used = path.dirname(newSocketPath(folder));
  expect(used).not.toContain("aaaa");
  expect((await stat(used)).mode & 0o777).toBe(0o700);
  await Promise.all(clients.splice(0).map((client) => client.stop()));
  await rm(used, { recursive: true });
  folder = path.dirname(folder);
});

test("on Windows it is a pipe with a name of this folder's", () => {
  const name = newSocketPath(folder, "win32");
  expect(name).toMatch(/^\\\\\.\\pipe\\orchestrator-[0-9a-f]{12}-[0-9a-f]{12}-\d+-[0-9a-f]{8}$/);
  expect(name).not.toContain(hostname());
});

test("it keeps no process running", () => {
  const script = `
    const { OrchestratorClient } = await import(${JSON.stringify(new URL("client.ts", import.meta.url).href)});
    const { startLocalControl } = await import(${JSON.stringify(new URL("local-control.ts", import.meta.url).href)});
    const client = new OrchestratorClient({ url: "http://127.0.0.1:1", token: "t", clientId: "c", target: "http://127.0.0.1:9", metadata: { hostname: "h", project: "p", platform: "linux" } });
    startLocalControl(client, { folder: ${JSON.stringify(folder)} });`;
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--conditions=source", "--input-type=module", "-e", script],
    { timeout: 5_000, encoding: "utf8" },
  );
  expect(stderr).toBe("");
  expect(status).toBe(0);
});
