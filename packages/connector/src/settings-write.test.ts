import { chmod, lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeSettings } from "./settings-write.ts";
import { SettingsError } from "./settings.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "write-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("makes folder and file, for this user alone", async () => {
  const file = path.join(folder, "new", "config.json");
  await writeSettings(file, { url: "https://hub.example.com", token: "orch_1", enabled: true });
  expect(await readFile(file, "utf8")).toBe(
    '{\n  "orchestrator": {\n    "url": "https://hub.example.com",\n    "token": "orch_1",\n    "enabled": true\n  }\n}\n',
  );
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700);
  expect(await readdir(path.dirname(file))).toEqual(["config.json"]);
});

test("leaves everything else as it was, but nobody else can read it any more; the folder stays as it is", async () => {
  const file = path.join(folder, "config.json");
  await chmod(folder, 0o755);
  const text =
    '{\n\t"$schema": "./s.json",\n\t"other": {"a": [1,2]},\n\t"orchestrator": {"name": "n", "nmae": 1, "token": "old"}\n}';
  await writeFile(file, text, { mode: 0o644 });
  await writeSettings(file, { token: null, enabled: false });
  expect(await readFile(file, "utf8")).toBe(
    '{\n\t"$schema": "./s.json",\n\t"other": {"a": [1,2]},\n\t"orchestrator": {"name": "n", "nmae": 1, "enabled": false}\n}',
  );
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(folder)).mode & 0o777).toBe(0o755);
});

test("a link is replaced, and what it leads to stays as it is", async () => {
  const file = path.join(folder, "config.json");
  const target = path.join(folder, "dotfiles.json");
  await writeFile(target, '{"orchestrator": {"name": "n"}}');
  await symlink(target, file);
  await writeSettings(file, { token: "orch_1" });
  expect((await lstat(file)).isFile()).toBe(true);
  expect(await readFile(target, "utf8")).not.toContain("orch_1");
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ orchestrator: { name: "n", token: "orch_1" } });
});

test.each(["{", "[]", '{"orchestrator": 1}'])(
  "a file that is not as it must be (%s) is not touched",
  async (text) => {
    const file = path.join(folder, "config.json");
    await writeFile(file, text);
    await expect(writeSettings(file, { enabled: false })).rejects.toThrow(SettingsError);
    expect(await readFile(file, "utf8")).toBe(text);
  },
);
