/** The command as people run it: started as a process, read on its terminal. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { CONNECTION_ERRORS } from "@ai-orchestrator/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { processStart } from "./claudecodeui/registry.ts";
import { type FakeClaudecodeui, startFakeClaudecodeui } from "./testing/fake-claudecodeui.ts";
import { type FakeHub, startFakeHub } from "./testing/fake-hub.ts";
import { asOtherUser, canBeOtherUser } from "./testing/other-user.ts";

const TOKEN = "orch_canary_0123456789";
const script = fileURLToPath(new URL("cli.ts", import.meta.url));

let home: string;
let hub: FakeHub;
let application: FakeClaudecodeui;
const children: ChildProcess[] = [];

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), "cli-"));
  hub = await startFakeHub();
  application = await startFakeClaudecodeui();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all([hub.stop(), application.stop()]);
  await rm(home, { recursive: true, force: true });
});

interface Run {
  child: ChildProcess;
  output: () => string;
  /** Resolves when the terminal shows `text`. */
  shows: (text: string | RegExp) => Promise<unknown>;
  ended: Promise<number | null>;
}

function run(args: string[], env: NodeJS.ProcessEnv = {}): Run {
  const child = spawn(process.execPath, ["--conditions=source", script, ...args], {
    cwd: home,
    env: {
      PATH: process.env["PATH"],
      HOME: home,
      ORCHESTRATOR_URL: hub.url,
      ORCHESTRATOR_TOKEN: TOKEN,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const shows = (text: string | RegExp) => vi.waitFor(() => expect(output).toMatch(text), { timeout: 8_000 });
  return { child, output: () => output, shows, ended };
}

const connect = (...more: string[]) => run(["connect", "--target", application.target, ...more]);

test("says what happens, a line for each thing, and ends in order", async () => {
  const { child, shows, output, ended } = connect();
  await shows("Connected: http://here.hub.localhost:1");
  application.running = ["s"];
  hub.send({ type: "command", command: "refresh_status" });
  await shows("Status: busy");
  const port = new URL(hub.url).port;
  await hub.stop();
  await shows("Connection lost");
  hub = await startFakeHub(Number(port));
  await shows("Connected again: http://here.hub.localhost:1");
  child.kill("SIGINT");
  expect(await ended).toBe(0);
  expect(
    output()
      .trim()
      .split("\n")
      // Whether an attempt falls into the pause is chance.
      .filter((line) => !line.startsWith("No connection"))
      .map((line) => line.replace(/\d+/g, "#")),
  ).toEqual([
    expect.stringMatching(/^Found claudecodeui #\.#\.# at http:/),
    expect.stringMatching(/^Connecting to http:.* as .+-[\w#]+$/),
    expect.stringMatching(/^Note: claudecodeui had no user: registered/),
    "Connected: http://here.hub.localhost:#",
    "Status: busy",
    expect.stringMatching(/^Connection lost: .*Trying again/),
    "Connected again: http://here.hub.localhost:#",
  ]);
});

test("tells the hub who it is, the same each time, and the token only in a header", async () => {
  const first = connect("--name", "my-box", "--project", "/some/where");
  await first.shows("Connected");
  first.child.kill("SIGTERM");
  expect(await first.ended).toBe(0);
  const second = connect();
  await second.shows("Connected");
  expect(hub.authorizations).toEqual([`Bearer ${TOKEN}`, `Bearer ${TOKEN}`]);
  const [one, two] = hub.received.filter((message) => message.type === "register");
  expect(one?.metadata).toMatchObject({
    hostname: "my-box",
    project: "/some/where",
    upstream: { name: "claudecodeui", version: "1.2.3" },
  });
  expect(two?.client_id).toBe(one?.client_id);
  const kept = await readFile(
    path.join(home, ".config/orchestrator", `client-id-${application.port}`),
    "utf8",
  );
  expect(kept.trim()).toBe(one?.client_id);
});

test("no colour, no secret and no control characters where nobody looks", async () => {
  const { child, shows, output, ended } = connect();
  await shows("Connected");
  hub.socket?.close(CONNECTION_ERRORS.going_away.close, "bye \u001B[31mred\u0007");
  await shows("bye");
  child.kill();
  await ended;
  // oxlint-disable-next-line no-control-regex -- that there are none is the point
  expect(output()).not.toMatch(/[\u0000-\u0009\u000B-\u001F]/);
  expect(output()).not.toContain(TOKEN);
  expect(output()).not.toContain(application.user?.password ?? "no password");
});

test("a hub that says to stay away ends it, with a reason and a next step", async () => {
  const { shows, output, ended } = connect();
  await shows("Connected");
  hub.socket?.close(CONNECTION_ERRORS.token_revoked.close, "this token was revoked");
  expect(await ended).toBe(4);
  expect(output()).toContain(
    "Stopped by the hub: this token was revoked. Make a new token on the hub's page for tokens.",
  );
});

test("sent away by its owner it stays, says so in one line, and ends in order", async () => {
  const { child, shows, output, ended } = connect();
  await shows("Connected");
  hub.refusal = { status: 403, retryAfter: "60", code: "disconnected", message: "Sent away." };
  hub.send({ type: "go_away", code: "disconnected", message: "Sent away." });
  hub.socket?.close(CONNECTION_ERRORS.disconnected.close);
  await shows("Sent away by its owner. It asks every minute whether it may return; Ctrl-C ends it.\n");
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(child.exitCode).toBeNull();
  child.kill("SIGINT");
  expect(await ended).toBe(0);
  expect(output()).toMatch(/Ctrl-C ends it\.\n$/);
});

test("started while it is kept away it says the same", async () => {
  hub.refusal = { status: 403, retryAfter: "60", code: "disconnected", message: "Sent away." };
  const { child, shows, output, ended } = connect();
  await shows("Sent away by its owner.");
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(output()).not.toContain("No connection");
});

test("a hub that refuses the token ends it: what is wrong, what to do, exit code 4", async () => {
  const body = JSON.stringify({ error: { code: "unauthorized", message: "The token has expired." } });
  let dials = 0;
  const refusing = createServer().on("upgrade", (_request, socket) => {
    dials++;
    socket.end(`HTTP/1.1 401 X\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  });
  await new Promise<void>((resolve) => refusing.listen(0, "127.0.0.1", resolve));
  const { port } = refusing.address() as AddressInfo;
  const { ended, output } = run(["connect", "--target", application.target], {
    ORCHESTRATOR_URL: `http://127.0.0.1:${port}`,
  });
  expect(await ended).toBe(4);
  refusing.close();
  expect(output()).toContain(
    "Stopped by the hub: The token has expired. Check ORCHESTRATOR_TOKEN, or make a new token on the hub's page for tokens.",
  );
  expect(dials).toBe(1);
});

test("finds a claudecodeui by itself, and says so where there is none", async () => {
  const { ended, output } = run(["connect"], { HOME: path.join(home, "nobody") });
  const code = await Promise.race([
    ended,
    new Promise((resolve) => setTimeout(() => resolve("runs"), 3_000)),
  ]);
  // One may really run on this machine; a connection to it is as good an answer.
  expect(code).toBe(output().includes("Found claudecodeui") ? "runs" : 3);
  expect(output()).toMatch(/Found claudecodeui|orchestrator connect -- <command>/);
});

test("waits for a target that does not answer yet", async () => {
  const { port } = application;
  await application.stop();
  const { shows } = connect();
  await shows(`Nothing answers at ${application.target} yet; waiting`);
  application = await startFakeClaudecodeui(port);
  await shows("Connected");
  expect(hub.received[0]).toMatchObject({
    type: "register",
    metadata: { upstream: { name: "claudecodeui" } },
  });
});

test.runIf(canBeOtherUser)("a target of another user is shown without signing in to it", async () => {
  const { port } = application;
  await application.stop();
  application = await asOtherUser(() => startFakeClaudecodeui(port));
  const { shows, output } = connect();
  await shows("Connected");
  expect(output()).toContain(
    `Note: port ${port} belongs to another user of this machine, so there is no sign-in and no session status`,
  );
  expect(application.requests.filter((request) => request !== "HEAD /")).toEqual([]);
  expect(hub.received[0]).not.toHaveProperty("metadata.upstream");
});

test.each<[string[], NodeJS.ProcessEnv, number, string]>([
  [[], {}, 0, "orchestrator connect"],
  [["--help"], {}, 0, "Exit codes"],
  [["connect", "-h"], {}, 0, "ORCHESTRATOR_TOKEN"],
  [["--version"], {}, 0, "0."],
  [["help"], {}, 0, "Exit codes"],
  [["conect"], {}, 2, 'Unknown command "conect"; did you mean connect?'],
  [["serve"], {}, 2, 'Unknown command "serve"; there is: connect, disconnect'],
  [["stauts"], {}, 2, 'Unknown command "stauts"; did you mean status?'],
  [["https://hub.example.com"], {}, 2, "Say what to do: orchestrator connect https://hub.example.com"],
  [["--url", "https://hub.example.com"], {}, 2, "Say what to do: orchestrator connect"],
  [["--url"], {}, 2, "Say what to do: orchestrator connect"],
  [["connect", "--tokn", "x"], {}, 2, "Unknown option --tokn; did you mean --token?\nSee"],
  [["connect", "--json"], {}, 2, "Unknown option --json\nSee"],
  [["connect", "-x"], {}, 2, "Unknown option -x\nSee"],
  [["connect", "--token"], {}, 2, "--token: is without a value\nSee"],
  [["connect", "--url", "--token", TOKEN], {}, 2, "--url: is without a value\nSee"],
  [["connect", "--pair=yes"], {}, 2, "--pair: takes no value\nSee"],
  [["connect", "localhost:8787"], {}, 2, "did you mean http://localhost:8787?"],
  [["connect", "hub.localhost:8787"], {}, 2, "did you mean http://hub.localhost:8787?"],
  [["connect", "hub.example.com"], {}, 2, "did you mean https://hub.example.com?"],
  [
    ["connect", "http://hub.example.com"],
    {},
    2,
    'orchestrator connect <hub>: "http://hub.example.com" must be https://',
  ],
  [["connect", "https://a.example", "--url", "https://b.example"], {}, 2, "The hub is named twice"],
  [["status", "now"], {}, 2, '"now" is one too many'],
  [["config", "--", "x"], {}, 2, '"--" is one too many'],
  [["service"], {}, 2, "install, status, uninstall"],
  [["connect", "--heartbeat-interval", "30"], {}, 2, '--heartbeat-interval: "30" must be'],
  [
    ["connect", "--orchestrator-heartbeat-interval=30"],
    {},
    2,
    '--orchestrator-heartbeat-interval: "30" must be',
  ],
  [["connect", "cloudcli"], {}, 2, "after --"],
  [["connect", "--"], {}, 2, "After -- stands the command"],
  [["connect", "--port", "1"], {}, 2, "--port"],
  [["connect", "--target", "http://10.0.0.1"], {}, 2, "on this machine"],
  [["connect"], { ORCHESTRATOR_URL: "" }, 2, '"orchestrator.url" in '],
  [["connect"], { ORCHESTRATOR_URL: "" }, 2, "orchestrator connect https://hub.example.com"],
  [["connect", "--url", "http://hub.example.com"], {}, 2, "must be https://"],
])("orchestrator %j with %j exits with %i and says %s", async (args, env, code, text) => {
  const { ended, output } = run(args, env);
  expect(await ended).toBe(code);
  expect(output()).toContain(text);
  expect(output()).not.toContain(TOKEN);
});

/** A program that takes a moment to serve, prints, and keeps a child of its own. */
const PROGRAM = `
import { createServer } from "node:http";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
writeFileSync("pids", process.pid + " " + child.pid);
console.log("\\u001B[31mhello\\u001B[0m", process.env.ORCHESTRATOR_TOKEN ?? "no token");
const port = Number(process.env.SERVER_PORT);
setTimeout(() => createServer((q, s) => s.end(JSON.stringify({ status: "ok", installMode: "npm", version: "7" }))).listen(port, "127.0.0.1"), 200);
process.on("SIGINT", () => process.exit(5));
process.on("SIGUSR2", () => process.exit(6));
`;

/** Waits until none of them runs any more. */
function gone(pids: number[]) {
  return vi.waitFor(async () =>
    expect((await Promise.all(pids.map((pid) => processStart(pid)))).join("")).toBe(""),
  );
}

async function start(port: number) {
  await writeFile(path.join(home, "program.mjs"), PROGRAM);
  const started = run(["connect", "--", process.execPath, "program.mjs"], { SERVER_PORT: String(port) });
  await started.shows("Connected");
  const pids = (await readFile(path.join(home, "pids"), "utf8")).split(" ").map(Number);
  return { ...started, pids };
}

test("starts a program, connects it, and ends all of it on Ctrl-C with its exit code", async () => {
  const { port } = application;
  await application.stop();
  const { child, output, ended, pids } = await start(port);
  expect(output()).toContain("node | hello no token");
  for (const pid of pids) expect(await processStart(pid)).toMatch(/./);
  child.kill("SIGINT");
  expect(await ended).toBe(5);
  await gone(pids);
});

test("ends when the program ends, with its exit code, and leaves nothing of it behind", async () => {
  const { port } = application;
  await application.stop();
  const { output, ended, pids } = await start(port);
  process.kill(pids[0] ?? 0, "SIGUSR2");
  expect(await ended).toBe(6);
  expect(output()).toContain("node ended with code 6");
  await gone(pids);
});

test("a program that cannot be started is said", async () => {
  const { ended, output } = run(["connect", "--", "no-such-program"], { SERVER_PORT: "1" });
  expect(await ended).toBe(127);
  expect(output()).toContain("Could not start no-such-program");
});
