import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadIdentity } from "./identity.ts";
import { settingsFolder } from "./settings-folder.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "identity-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const place = (change: object = {}) => ({
  folder: path.join(root, "settings"),
  port: 3001,
  hostname: "Dev-Box.local",
  user: "dev",
  ...change,
});

test("stays the same over restarts, one for each port, for this user only", async () => {
  const first = await loadIdentity(place());
  expect(first.clientId).toMatch(/^dev-box-[a-z2-7]{6}$/);
  expect(first.kept).toBe(true);
  expect(await loadIdentity(place())).toEqual(first);
  expect((await loadIdentity(place({ port: 3002 }))).clientId).not.toBe(first.clientId);
  const file = path.join(place().folder, "client-id-3001");
  expect((await readFile(file, "utf8")).trim()).toBe(first.clientId);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(place().folder)).mode & 0o777).toBe(0o700);
  expect((await readdir(place().folder)).toSorted()).toEqual(["client-id-3001", "client-id-3002"]);
});

test("those that begin at the same time are the same one", async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => loadIdentity(place())));
  expect(new Set(all.map(({ clientId }) => clientId)).size).toBe(1);
  expect(await loadIdentity(place())).toEqual(all[0]);
  expect(await readdir(place().folder)).toEqual(["client-id-3001"]);
});

test.runIf(process.getuid?.() === 0)("a user whom this system does not list has one, too", async () => {
  const script = `const { ownIdentity } = await import(${JSON.stringify(new URL("identity.ts", import.meta.url).href)});
    console.log(JSON.stringify(await ownIdentity("http://127.0.0.1:3001", { HOME: "/nowhere" })));`;
  const run = () =>
    spawnSync(process.execPath, ["--conditions=source", "--input-type=module", "-e", script], {
      uid: 54_321,
      encoding: "utf8",
    }).stdout;
  expect(JSON.parse(run())).toEqual({
    clientId: expect.stringMatching(/-[a-z2-7]{6}$/) as string,
    kept: false,
  });
  expect(run()).toBe(run());
});

test("two machines of one name do not meet", async () => {
  const one = await loadIdentity(place({ folder: path.join(root, "one") }));
  const other = await loadIdentity(place({ folder: path.join(root, "other") }));
  expect(one.clientId).not.toBe(other.clientId);
});

test("a file that holds nothing usable is replaced", async () => {
  const { clientId } = await loadIdentity(place());
  await writeFile(path.join(place().folder, "client-id-3001"), "two words\n");
  const next = await loadIdentity(place());
  expect(next.kept).toBe(true);
  expect(next.clientId).not.toBe(clientId);
  expect(await loadIdentity(place())).toEqual(next);
});

test("where nothing can be kept it is derived, and still stays the same", async () => {
  const folder = path.join(root, "file");
  await writeFile(folder, "in the way");
  const first = await loadIdentity(place({ folder }));
  expect(first.clientId).toMatch(/^dev-box-[a-z2-7]{6}$/);
  expect(first.kept).toBe(false);
  expect(await loadIdentity(place({ folder }))).toEqual(first);
  expect((await loadIdentity(place({ folder, user: "other" }))).clientId).not.toBe(first.clientId);
});

test("a folder others could read is closed", async () => {
  await loadIdentity(place());
  await chmod(place().folder, 0o755);
  await loadIdentity(place({ port: 1 }));
  expect((await stat(place().folder)).mode & 0o777).toBe(0o700);
});

test.each([
  ["", /^instance-/],
  ["---", /^instance-/],
  ["Büro PC", /^b-ro-pc-/],
  ["x".repeat(99), /^x{40}-/],
])("a host called %j makes a usable id", async (hostname, expected) => {
  expect((await loadIdentity(place({ hostname }))).clientId).toMatch(expected);
});

test("each platform keeps settings where it does", () => {
  const env = { HOME: "/home/dev" };
  expect(settingsFolder(env, "linux")).toBe("/home/dev/.config/orchestrator");
  expect(settingsFolder(env, "darwin")).toBe("/home/dev/Library/Application Support/orchestrator");
  expect(settingsFolder({ ...env, APPDATA: "/roaming" }, "win32")).toBe("/roaming/orchestrator");
  expect(settingsFolder({ ...env, XDG_CONFIG_HOME: "/x" }, "linux")).toBe("/x/orchestrator");
  // The current folder may be anybody's.
  for (const relative of ["", ".", "x", "./x"]) {
    expect(settingsFolder({ ...env, XDG_CONFIG_HOME: relative }, "linux")).toBe(
      "/home/dev/.config/orchestrator",
    );
    expect(settingsFolder({ HOME: relative }, "linux")).toMatch(/^\/.*\.config\/orchestrator$/);
    expect(settingsFolder({ HOME: relative, APPDATA: relative }, "win32")).toMatch(/^\//);
  }
});
