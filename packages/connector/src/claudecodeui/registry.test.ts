import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { processStart, readRegistry, registryFolder, type RegistryEntry, startTicks } from "./registry.ts";
import { RegistryWatch } from "./registry-watch.ts";

let home: string;
let folder: string;

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), "registry-"));
  folder = path.join(home, ".claude", "sessions");
});
afterEach(() => rm(home, { recursive: true, force: true }));

const entry = (change: object = {}) => ({
  pid: process.pid,
  sessionId: "s",
  cwd: "/p",
  procStart: "100",
  entrypoint: "sdk-ts",
  status: "busy",
  statusUpdatedAt: 5,
  ...change,
});

async function write(name: string, content: unknown): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
}

const startedAt100 = () => Promise.resolve("100");

test("reads what runs, and says what each waits for", async () => {
  await write("1.json", entry({ sessionId: "a" }));
  await write("2.json", entry({ sessionId: "b", status: "waiting", waitingFor: "permission prompt" }));
  await write("3.json", entry({ sessionId: "c", status: "waiting", waitingFor: "input needed" }));
  await write(
    "4.json",
    entry({ sessionId: "d", status: "idle", entrypoint: "cli", name: "Mine", nameSource: "user" }),
  );
  const entries = await readRegistry(folder, startedAt100);
  expect(
    entries?.map(({ claudeId, state, terminal, title, at }) => [claudeId, state, terminal, title, at]),
  ).toEqual([
    ["a", "working", false, undefined, 5],
    ["b", "needs_permission", false, undefined, 5],
    ["c", "needs_answer", false, undefined, 5],
    ["d", "idle", true, "Mine", 5],
  ]);
});

test("no registry is not an empty one", async () => {
  expect(await readRegistry(folder)).toBeUndefined();
  await mkdir(folder, { recursive: true });
  expect(await readRegistry(folder)).toEqual([]);
});

test("passes over what is half written, strange or none of its files", async () => {
  await write("1.json", '{"pid":');
  await write("2.json", "");
  await write("3.json", entry({ status: "thinking" }));
  await write("4.json", entry({ pid: -1 }));
  await write("5.abc.key", entry());
  await write("6.json.tmp", entry());
  await mkdir(path.join(folder, "7.json"));
  expect(await readRegistry(folder, startedAt100)).toEqual([]);
});

test("what a killed process left behind is stale, and so is its number in another process's hands", async () => {
  await write("1.json", entry({ pid: 0x3fff_fff0 }));
  await write("2.json", entry({ procStart: "99" }));
  expect(await readRegistry(folder, startedAt100)).toEqual([]);
});

test("a process that has ended but was not collected yet does not count", async () => {
  await write("1.json", entry());
  expect(await readRegistry(folder, () => Promise.resolve(""))).toEqual([]);
});

test("where starts cannot be compared, a living process is enough", async () => {
  await write("1.json", entry({ procStart: undefined }));
  await write("2.json", entry({ procStart: "Thu Jan  1 00:00:00 1970" }));
  expect(await readRegistry(folder, startedAt100)).toHaveLength(2);
  expect(await readRegistry(folder, () => Promise.resolve("Fri Jan  2 00:00:00 1970"))).toHaveLength(2);
});

test("reads a start from a line in which the program's name holds brackets and spaces", () => {
  const rest = Array.from({ length: 40 }, (_, field) => String(field + 3));
  expect(startTicks(`12 (a) (b c) ${rest.join(" ")}`)).toBe("22");
  expect(startTicks(`12 (Z S) ${["Z", ...rest.slice(1)].join(" ")}`)).toBe("");
});

test("tells this process's start, the same each time, and none of one that is not there", async () => {
  expect(await processStart(process.pid)).toMatch(/./);
  expect(await processStart(process.pid)).toBe(await processStart(process.pid));
  expect(await processStart(0x3fff_fff0)).toBeUndefined();
});

test("CLAUDE_CONFIG_DIR moves the registry", () => {
  expect(registryFolder("/home/dev", {})).toBe("/home/dev/.claude/sessions");
  expect(registryFolder("/home/dev", { CLAUDE_CONFIG_DIR: "/x" })).toBe("/x/sessions");
});

test.each([
  ["with Claude Code's folder there", ".claude"],
  ["with nothing there, as before its first run", ""],
])("the watch notices a registry that appears, changes and empties, %s", async (_, there) => {
  await mkdir(path.join(home, there), { recursive: true });
  const looks: (RegistryEntry[] | undefined)[] = [];
  const watch = new RegistryWatch(folder, (entries) => looks.push(entries));
  await watch.look();
  expect(looks.at(-1)).toBeUndefined();
  await write("1.json", entry({ procStart: undefined }));
  await vi.waitFor(() => expect(looks.at(-1)).toMatchObject([{ claudeId: "s", state: "working" }]));
  await write("1.json", entry({ procStart: undefined, status: "waiting" }));
  await vi.waitFor(() => expect(looks.at(-1)).toMatchObject([{ state: "needs_answer" }]));
  await rm(path.join(folder, "1.json"));
  await vi.waitFor(() => expect(looks.at(-1)).toEqual([]));
  watch.stop();
  const before = looks.length;
  await write("2.json", entry({ procStart: undefined }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(looks).toHaveLength(before);
});

test("the watch does not wait for a folder to come to rest", async () => {
  const looks: (RegistryEntry[] | undefined)[] = [];
  const watch = new RegistryWatch(folder, (entries) => looks.push(entries));
  await watch.look();
  const noise = setInterval(() => void writeFile(path.join(home, "noise"), String(Math.random())), 2);
  await write("1.json", entry({ procStart: undefined }));
  await vi.waitFor(() => expect(looks.at(-1)).toHaveLength(1)).finally(() => clearInterval(noise));
  watch.stop();
});
