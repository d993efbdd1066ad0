/** `npm start` as a newcomer and a script meet it: what it prints, how it ends, what it says when something is in its way. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, writeFile } from "node:fs/promises";
import { createServer, get, type IncomingMessage, type Server } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loopbackAddresses } from "../packages/hub/local/port.ts";
import { findProcess } from "../packages/hub/local/processes.ts";
import { freePort } from "./port.ts";
import { Viewer } from "./tunnel/viewer.ts";

const REPOSITORY = path.resolve(import.meta.dirname, "..");
/** Where a hub listens on this machine, which may have no IPv6. */
const addresses = await loopbackAddresses();
/** As /proc writes them. */
const WRITTEN: Record<string, string> = {
  "127.0.0.1": "0100007F",
  "::1": "00000000000000000000000001000000",
};
const LINK = /http:\/\/hub\.localhost:\d+\/auth\/local\?code=[\w-]+/g;

/** One `npm start`, its output collected; its home has no claudecodeui unless a test puts one there. */
interface Started {
  child: ChildProcess;
  output(): string;
  /** Waits until what was printed matches. */
  printed(pattern: RegExp): Promise<string[]>;
  /** Waits for the end and returns the exit code. */
  code(): Promise<number | null>;
}

let folder: string;
let port: number;
let everything: Started[];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "start-"));
  port = await freePort();
  everything = [];
});

afterEach(async () => {
  for (const { child } of everything) endGroup(child);
  await Promise.all(everything.map((one) => one.code()));
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

it("prints a link that signs in once, a fresh one for Enter, and ends on SIGTERM with 0, leaving nothing", async () => {
  const hub = npmStart();
  const [link = ""] = await hub.printed(LINK);
  const viewer = new Viewer();
  const page = await viewer.navigate(link);
  expect(page.status).toBe(200);
  expect(new URL(page.url).pathname).toBe("/dashboard");
  expect((await new Viewer().navigate(link)).status).not.toBe(200);

  hub.child.stdin?.write("\n");
  await expect.poll(() => new Set(hub.output().match(LINK)).size).toBe(2);
  const fresh = hub.output().match(LINK)?.[1] ?? "";
  expect((await new Viewer().navigate(fresh)).status).toBe(200);

  const { runner, children } = await running();
  expect(children.length).toBeGreaterThan(0);
  hub.child.kill("SIGTERM");
  expect(await hub.code()).toBe(0);
  for (const pid of [runner, ...children]) expect(findProcess(pid)?.command ?? "").toBe("");
});

it("prints a setup link where people are to sign in with GitHub and there is no App yet, and lets no other setting through", async () => {
  const plain = npmStart();
  await plain.printed(LINK);
  expect(plain.output()).not.toContain("/setup");
  plain.child.kill("SIGTERM");
  await plain.code();

  const setup = /http:\/\/hub\.localhost:\d+\/setup\?code=[\w-]{43}/;
  const hub = npmStart({ GITHUB_SIGN_IN: "enabled", HUB_ORIGIN: "http://evil.example", HUB_SECRET: "x" });
  const [link = ""] = await hub.printed(setup);
  expect(link).toContain(`http://hub.localhost:${port}/`);
  const page = await new Viewer().navigate(link);
  expect([page.status, page.body.includes("Set up signing in with GitHub")]).toEqual([200, true]);
});

it("ends on Ctrl-C, which reaches the whole group, with 0 and within five seconds", async () => {
  const hub = npmStart();
  await hub.printed(LINK);
  const { runner, children } = await running();
  const at = Date.now();
  process.kill(-(hub.child.pid ?? 0), "SIGINT");
  expect(await hub.code()).toBe(0);
  expect(Date.now() - at).toBeLessThan(5_000);
  for (const pid of [runner, ...children]) expect(findProcess(pid)?.command ?? "").toBe("");
});

it("ends when npm is killed", async () => {
  const hub = npmStart();
  await hub.printed(LINK);
  const { runner, children } = await running();
  hub.child.kill("SIGKILL");
  await expect
    .poll(() => [runner, ...children].map((pid) => findProcess(pid)?.command ?? ""), { timeout: 5_000 })
    .toEqual(["", ...children.map(() => "")]);
});

it("says that a hub runs already, and leaves it alone", async () => {
  const first = npmStart();
  await first.printed(LINK);
  const second = npmStart();
  expect(await second.code()).toBe(1);
  const { runner } = await running();
  expect(second.output()).toContain(
    `A hub runs here already, at http://hub.localhost:${port} (process ${runner})`,
  );
  expect(first.child.exitCode).toBeNull();
});

it.each([
  ["127.0.0.1", ""],
  ["::1", " at ::1, where browsers look first"],
])("says who holds the port at %s", async (address, where) => {
  if (!addresses.includes(address)) return;
  const holder = createServer().listen(port, address);
  await once(holder, "listening");
  const hub = npmStart();
  expect(await hub.code()).toBe(1);
  const words = `Port ${port} is held by process ${process.pid} \\(.+\\)${where}\\.`;
  expect(hub.output()).toMatch(new RegExp(words));
  await closed(holder);
});

it("ends what a killed one has left, and starts", async () => {
  const killed = npmStart();
  await killed.printed(LINK);
  const { runner, children } = await running();
  process.kill(runner, "SIGKILL");
  await killed.code();
  expect(children.some((pid) => (findProcess(pid)?.command ?? "") !== "")).toBe(true);
  const hub = npmStart();
  await hub.printed(LINK);
  expect(hub.output()).toMatch(/The last run was killed\. Ended what it had left: process \d+/);
});

it.each([
  [{ PORT: "87x" }, /PORT must be a number from 1 to 65535, not "87x"\./],
  [{ PORT: "70000" }, /PORT must be a number/],
  [{ ORCHESTRATOR_STATE: "/proc/nowhere" }, /The state folder \/proc\/nowhere cannot be made \(ENOENT\)\./],
])("says what is wrong with %o", async (environment, words) => {
  const hub = npmStart(environment);
  expect(await hub.code()).toBe(1);
  expect(hub.output()).toMatch(words);
});

it("keeps its secrets for its owner", async () => {
  const secrets = ["hub-secret", "running.json"].map((name) => path.join(folder, "state", name));
  const first = npmStart();
  await first.printed(LINK);
  for (const file of secrets) expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(path.join(folder, "state"))).mode & 0o777).toBe(0o700);
});

it.runIf(process.platform === "linux")("listens on loopback only, and at both of its addresses", async () => {
  const hub = npmStart();
  await hub.printed(LINK);
  const { children } = await running();
  const listening = await listeners(children);
  const written = port.toString(16).toUpperCase().padStart(4, "0");
  const expected = addresses.map((address) => `${WRITTEN[address]}:${written}`);
  expect(listening).toEqual(expect.arrayContaining(expected));
  expect(listening.filter((address) => !/^(?:0100007F|0{24}01000000):/.test(address))).toEqual([]);
  for (const address of addresses) expect(await health(address)).toBe(200);
});

it.runIf(addresses.includes("::1"))("leaves nobody room at ::1", async () => {
  const hub = npmStart();
  await hub.printed(LINK);
  const late = createServer().listen(port, "::1");
  const [error] = (await once(late, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("EADDRINUSE");
});

it("attaches a claudecodeui that comes up later", async () => {
  const hub = npmStart();
  await hub.printed(LINK);
  const pretender = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    if (request.url === "/health") response.end(`{"status":"ok","installMode":"npm","version":"1.37.3"}`);
    else response.writeHead(404).end("{}");
  }).listen(0, "127.0.0.1");
  await once(pretender, "listening");
  await pretend(pretender);
  await hub.printed(/connector: Connected: http:\/\/[a-z0-9-]+\.hub\.localhost:\d+/);
  expect((await stat(path.join(folder, "state", "token"))).mode & 0o777).toBe(0o600);
  expect(hub.output()).not.toContain((await readFile(path.join(folder, "state", "token"), "utf8")).trim());
  await closed(pretender);
});

function npmStart(environment: Record<string, string> = {}): Started {
  const { npm_lifecycle_event: _event, ...own } = process.env;
  const child = spawn("npm", ["start", "--silent"], {
    cwd: REPOSITORY,
    env: {
      ...own,
      HOME: folder,
      PORT: String(port),
      ORCHESTRATOR_STATE: path.join(folder, "state"),
      ...environment,
    },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const exit = once(child, "exit").then(([code]) => code as number | null);
  const started: Started = {
    child,
    output: () => output,
    printed: async (pattern) => {
      await expect.poll(() => output, { timeout: 20_000 }).toMatch(pattern);
      return output.match(pattern) ?? [];
    },
    code: () => exit,
  };
  everything.push(started);
  return started;
}

/** The processes that a hub with this test's state has noted. */
async function running(): Promise<{ runner: number; children: number[] }> {
  const text = await readFile(path.join(folder, "state", "running.json"), "utf8");
  const noted = JSON.parse(text) as { runner: { pid: number }; children: { pid: number }[] };
  return { runner: noted.runner.pid, children: noted.children.map((child) => child.pid) };
}

/** The status of `/health`, asked at one address of this machine. */
async function health(host: string): Promise<number | undefined> {
  const request = get({ host, port, path: "/health", headers: { host: `hub.localhost:${port}` } });
  const [answer] = (await once(request, "response")) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
}

/** Writes what a claudecodeui that listens there would have written into this test's home. */
async function pretend(server: Server): Promise<void> {
  const address = server.address();
  const marker = {
    pid: process.pid,
    host: "127.0.0.1",
    port: typeof address === "object" ? address?.port : 0,
  };
  await mkdir(path.join(folder, ".cloudcli"), { recursive: true });
  await writeFile(path.join(folder, ".cloudcli/local-server.json"), JSON.stringify(marker));
}

/** Addresses, as /proc writes them, on which these processes listen. */
async function listeners(pids: number[]): Promise<string[]> {
  const sockets = new Set<string>();
  for (const pid of pids) {
    for (const fd of await readdir(`/proc/${pid}/fd`)) {
      sockets.add(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ""));
    }
  }
  const tables = await Promise.all(["tcp", "tcp6"].map((name) => readFile(`/proc/net/${name}`, "utf8")));
  const rows = tables.flatMap((table) => table.split("\n").map((line) => line.trim().split(/\s+/)));
  const own = rows.filter((row) => row[3] === "0A" && sockets.has(`socket:[${row[9]}]`));
  return own.map((row) => row[1] ?? "");
}

function endGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid ?? 0), "SIGTERM");
  } catch {
    // It has ended already.
  }
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) =>
    server.close(() => {
      resolve();
    }),
  );
}
