import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Flags, readSettings, SettingsError, type SettingsSources } from "./settings.ts";

const token = "orch_0123456789abcdef";
const url = "https://hub.example.com";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settings-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Given = Partial<Record<keyof Flags, string>>;

function flagged(given: Given): Flags {
  return Object.fromEntries(
    Object.entries(given).map(([name, text]) => [
      name,
      { text, written: `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}` },
    ]),
  );
}

function read(given: Given, env: NodeJS.ProcessEnv = {}, more: Partial<SettingsSources> = {}) {
  return readSettings({ flags: flagged(given), env, folder, asked: "now", ...more });
}

function problemsOf(given: Given, env: NodeJS.ProcessEnv = {}, more: Partial<SettingsSources> = {}) {
  try {
    read(given, env, more);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
}

async function file(content: unknown, mode = 0o600): Promise<string> {
  const path = join(folder, "config.json");
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  await chmod(path, mode);
  return path;
}

describe("precedence", () => {
  test("flags, environment, file, default: each value from the first that names it, and its origin is told", async () => {
    const path = await file({
      orchestrator: { name: "file", project: "/file", client_id: "file", heartbeat_interval: 6000, token },
    });
    const env = { ORCHESTRATOR_PROJECT: "/env", ORCHESTRATOR_CLIENT_ID: "env", ORCHESTRATOR_URL: url };
    const { settings, origins } = read({ clientId: "flag" }, env);
    expect(settings).toEqual({
      mode: "client",
      url,
      token,
      clientId: "flag",
      project: "/env",
      name: "file",
      heartbeatIntervalMs: 6000,
      reconnectIntervalMs: 30_000,
      allowOtherUser: false,
    });
    expect(origins).toMatchObject({
      mode: { kind: "flag", written: "orchestrator connect" },
      clientId: { kind: "flag", written: "--client-id" },
      project: { kind: "environment", written: "ORCHESTRATOR_PROJECT" },
      name: { kind: "file", written: `"orchestrator.name" in ${path}` },
      reconnectIntervalMs: { kind: "default" },
    });
  });

  test("an empty variable is one that is not set", async () => {
    await file({ orchestrator: { url, token } });
    expect(read({}, { ORCHESTRATOR_URL: "", ORCHESTRATOR_TOKEN: "" }).settings).toMatchObject({ url, token });
  });
});

test("what is missing is named, all of it at once", () => {
  const problems = problemsOf({}, {}, { needs: ["url", "token"] });
  expect(problems).toHaveLength(2);
  expect(problems[0]).toMatch(/^--url, ORCHESTRATOR_URL or "orchestrator.url" in .*: is missing/);
});
