/** What the command does on this machine: says what is in force and what runs, ends it, and keeps to that. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FakeClaudecodeui, startFakeClaudecodeui } from "./testing/fake-claudecodeui.ts";
import { type FakeHub, startFakeHub } from "./testing/fake-hub.ts";
import { type CliRun, runCli } from "./testing/run-cli.ts";

const TOKEN = "orch_canary_0123456789";

let home: string;
let config: string;
let hub: FakeHub;
let application: FakeClaudecodeui;
const runs: CliRun[] = [];

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), "local-"));
  config = path.join(home, ".config", "orchestrator", "config.json");
  await mkdir(path.dirname(config), { recursive: true });
  hub = await startFakeHub();
  application = await startFakeClaudecodeui();
});
afterEach(async () => {
  for (const one of runs.splice(0)) one.kill("SIGKILL");
  await Promise.all([hub.stop(), application.stop()]);
  await rm(home, { recursive: true, force: true });
});

const write = (orchestrator: object) => writeFile(config, JSON.stringify({ orchestrator }), { mode: 0o600 });
const written = async () =>
  (JSON.parse(await readFile(config, "utf8")) as { orchestrator: unknown }).orchestrator;

function run(args: string[], env: NodeJS.ProcessEnv = {}): CliRun {
  const one = runCli(home, args, env);
  runs.push(one);
  return one;
}

async function end(args: string[], env: NodeJS.ProcessEnv = {}): Promise<[number | null, string]> {
  const one = run(args, env);
  return [await one.ended, one.output()];
}

test("config tells what is in force and where it came from, without the token", async () => {
  await write({ url: hub.url, token: TOKEN, enabled: true });
  const [code, output] = await end(["config", "--github-team", "acme/core"], { ORCHESTRATOR_NAME: "box" });
  expect(code).toBe(0);
  expect(output.replaceAll(/ +/g, " ")).toBe(
    [
      'mode client "orchestrator.enabled"',
      `url ${hub.url} "orchestrator.url"`,
      'token set, not shown "orchestrator.token"',
      "name box ORCHESTRATOR_NAME",
      "reconnect_interval 30000 default",
      "heartbeat_interval 30000 default",
      "access organization acme; team core --github-team",
      "allow_other_user no default",
      `The config file is ${config}`,
      "",
    ].join("\n"),
  );
});

test("config tells all that is wrong at once, to people and to programs, and ends with 2", async () => {
  await write({ url: "x", token: TOKEN, nmae: 1 });
  const env = { ORCHESTRATOR_HEARTBEAT_INTERVAL: "30" };
  const [code, output] = await end(["config"], env);
  expect(code).toBe(2);
  expect(output).toContain('"orchestrator.nmae"');
  expect(output).toContain('"orchestrator.url"');
  expect(output).toContain(
    'ORCHESTRATOR_HEARTBEAT_INTERVAL: "30" must be 5000 to 45000 milliseconds; 30 seconds are 30000',
  );
  const [asJson, json] = await end(["config", "--json"], env);
  expect(asJson).toBe(2);
  const told = JSON.parse(json) as { problems: string[]; settings: Record<string, unknown>; file: string };
  expect(told.problems).toHaveLength(3);
  expect(told.settings["token"]).toEqual({
    value: "set, not shown",
    from: `"orchestrator.token" in ${config}`,
  });
  expect(told.file).toBe(config);
  expect(output + json).not.toContain("canary");
});

test("connect, said again, leaves the first one alone and says that it runs", async () => {
  await write({ url: hub.url, token: TOKEN, target: application.target });
  const first = run(["connect"]);
  await first.shows("Connected");
  const [code, output] = await end(["connect"]);
  expect(code).toBe(0);
  expect(output).toMatch(/^Found claudecodeui .*\nA connector of yours does that already:\n/);
  expect(output).toMatch(
    /: connected at http:.*\n.*process \d+\n.*\nTo start another, .*orchestrator disconnect\.\n$/,
  );
  expect(hub.dials).toBe(1);
  // Another instance of the same web UI is none of the first one's business, and a service takes its place.
  const other = run(["connect", "--client-id", "other"]);
  await other.shows("Connected");
  const background = run(["connect", "--background"]);
  await background.shows("Connected");
  expect(hub.dials).toBe(3);
});

test("status and disconnect: what runs is told, ends in order, and stays away until connect", async () => {
  await write({ url: hub.url, token: TOKEN, target: application.target });
  expect(await end(["status"])).toEqual([3, "No connector of yours runs on this machine.\n"]);
  const first = run(["connect"]);
  await first.shows("Connected");
  const [code, status] = await end(["status"]);
  expect(code).toBe(0);
  expect(status).toMatch(
    new RegExp(
      `^${application.target}: connected at http://here.hub.localhost:1 for less than a minute\n  hub ${hub.url}, as .+; process \\d+\n  idle\n$`,
    ),
  );
  const [, json] = await end(["status", "--json"]);
  expect(JSON.parse(json)).toMatchObject({
    running: [{ state: "connected", embedded: false }],
    problems: [],
  });
  expect(status + json).not.toContain("canary");

  const [left, said] = await end(["disconnect"]);
  expect(left).toBe(0);
  expect(said).toBe(
    `Disconnected ${application.target} from ${hub.url}\nIt stays so (${config}) until: orchestrator connect\n`,
  );
  expect(await first.ended).toBe(0);
  expect(first.output()).toMatch(
    /Disconnected by orchestrator disconnect; orchestrator connect connects again\n$/,
  );
  expect(await written()).toMatchObject({ enabled: false, token: TOKEN });

  const dials = hub.dials;
  expect(await end(["connect", "--background"])).toEqual([
    0,
    `Not connecting: "orchestrator.enabled" in ${config} says not to. orchestrator connect connects again\n`,
  ]);
  expect(hub.dials).toBe(dials);
  await run(["connect"]).shows("Connected");
  expect(await written()).toMatchObject({ enabled: true });
  const [, forgotten] = await end(["disconnect", "--forget"]);
  expect(forgotten).toContain("The token is forgotten here");
  expect(await written()).toEqual({ url: hub.url, target: application.target, enabled: false });
});

test("a program started with it keeps running when its connection is ended", async () => {
  await write({ url: hub.url, token: TOKEN, target: application.target });
  const one = run([
    "connect",
    "--",
    process.execPath,
    "-e",
    "console.log('mode', process.env.ORCHESTRATOR_MODE); setInterval(() => {}, 1000)",
  ]);
  await one.shows("Connected");
  await one.shows("mode standalone");
  await end(["disconnect"]);
  await one.shows("node keeps running here; Ctrl-C ends it");
  one.kill("SIGINT");
  await one.ended;
});

test("what waits for its web UI does not connect after a disconnect", async () => {
  const { port } = application;
  await application.stop();
  await write({ url: hub.url, token: TOKEN, target: application.target });
  const waiting = run(["connect", "--background"]);
  await waiting.shows("waiting");
  expect((await end(["disconnect"]))[1]).toContain("No connector of yours runs");
  application = await startFakeClaudecodeui(port);
  expect(await waiting.ended).toBe(0);
  expect(waiting.output()).toMatch(/Disconnected by orchestrator disconnect/);
  expect(hub.dials).toBe(0);
});

test("what the environment still asks for is said", async () => {
  const [code, output] = await end(["disconnect"], {
    ORCHESTRATOR_MODE: "client",
    ORCHESTRATOR_URL: hub.url,
  });
  expect(code).toBe(0);
  expect(output).toContain("Note: ORCHESTRATOR_MODE=client goes before the config file");
});

test("intervals and the list of who may use the instance reach the hub", async () => {
  await write({ url: hub.url, token: TOKEN, target: application.target, github_org: "acme" });
  await run(["connect"], { ORCHESTRATOR_GITHUB_USERS: "ada:42" }).shows("Connected");
  expect(hub.received[0]).toMatchObject({ type: "register", access: { users: ["ada:42"] } });
});

test("disconnect says so where it cannot keep what it did", async () => {
  const file = path.join(home, "a-file");
  await writeFile(file, "");
  const [code, output] = await end(["disconnect", "--forget"], {
    ORCHESTRATOR_CONFIG: path.join(file, "config.json"),
  });
  expect(code).toBe(1);
  expect(output).toMatch(
    /config\.json could not be written: .*\. What starts later connects again\. The token is still there\.\n$/,
  );
});
