/** Services with stand-ins for systemctl and launchctl that note what they were asked, and what systemd itself says of a unit. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { launchAgent, type ServiceProgram, systemdUnit } from "./service-unit.ts";
import { serviceManager } from "./service.ts";

const HOSTILE = `/odd "path"/100%/$HOME/a\\b/<&>'é`;
const program = (more: Partial<ServiceProgram> = {}): ServiceProgram => ({
  node: "/usr/bin/node",
  script: "/opt/orchestrator/cli.js",
  config: "/home/me/.config/orchestrator/config.json",
  environment: {},
  ...more,
});

const linux = process.platform === "linux";
const python = spawnSync("python3", ["--version"]).status === 0;

let home: string;
beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), "service-"));
  await mkdir(path.join(home, "bin"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** A program on PATH that notes its arguments and does as it is told. */
async function standIn(name: string, script = "") {
  const file = path.join(home, "bin", name);
  await writeFile(file, `#!/bin/sh\necho "${name} $*" >> "${home}/asked"\n${script}\n`);
  await chmod(file, 0o755);
}

const env = () => ({ HOME: home, PATH: `${home}/bin` });
const asked = async () => {
  const lines = existsSync(`${home}/asked`)
    ? (await readFile(`${home}/asked`, "utf8")).trim().split("\n")
    : [];
  await rm(`${home}/asked`, { force: true });
  return lines;
};
const manager = (platform: NodeJS.Platform) => serviceManager({ env: env(), platform });
const nothing = async () => undefined;

describe("systemd", () => {
  test("installs, tells, and takes away exactly what it has written", async () => {
    await standIn("systemctl");
    await standIn("loginctl", "echo Linger=no");
    const systemd = manager("linux");
    expect(await systemd.status()).toBe("missing");
    const { commands, notes } = await systemd.install(program(), nothing);
    expect(systemd.file).toBe(`${home}/.config/systemd/user/orchestrator.service`);
    expect(await readFile(systemd.file, "utf8")).toBe(systemdUnit(program()));
    const asks = await asked();
    expect(asks.filter((line) => line.startsWith("systemctl"))).toEqual([
      "systemctl --user show-environment",
      ...commands,
    ]);
    expect(commands).toEqual([
      "systemctl --user daemon-reload",
      "systemctl --user enable orchestrator.service",
      "systemctl --user restart orchestrator.service",
    ]);
    expect(notes).toEqual([expect.stringContaining("loginctl enable-linger")]);
    expect(await systemd.status()).toBe("running");
    await asked();
    expect(await systemd.uninstall()).toEqual([
      "systemctl --user disable --now orchestrator.service",
      "systemctl --user daemon-reload",
    ]);
    expect(await asked()).toEqual([
      "systemctl --user show-environment",
      "systemctl --user disable --now orchestrator.service",
      "systemctl --user daemon-reload",
    ]);
    expect(await readdir(path.dirname(systemd.file))).toEqual([]);
    expect(await systemd.status()).toBe("missing");
  });

  test("says nothing of lingering where it is on; one that does not run is told", async () => {
    await standIn("systemctl", 'case "$*" in *is-active*) exit 3;; esac');
    await standIn("loginctl", "echo Linger=yes");
    expect(await manager("linux").install(program(), nothing)).toMatchObject({ notes: [] });
    expect(await manager("linux").status()).toBe("stopped");
  });

  test("is refused before anything is written where there is none, or none for this user", async () => {
    let prepared = false;
    const prepare = async () => {
      prepared = true;
    };
    await expect(manager("linux").install(program(), prepare)).rejects.toThrow(
      "There is no systemd for this user (there is no systemctl): run orchestrator connect where you start other programs",
    );
    await standIn("systemctl", "echo Failed to connect to bus >&2; exit 1");
    await expect(manager("linux").install(program(), prepare)).rejects.toThrow("(Failed to connect to bus)");
    expect(prepared).toBe(false);
    expect(existsSync(manager("linux").file)).toBe(false);
  });

  test("a step that fails is told with what it said", async () => {
    await standIn("systemctl", 'case "$*" in *enable*) echo no room >&2; exit 5;; esac');
    await expect(manager("linux").install(program(), nothing)).rejects.toThrow(
      "systemctl --user enable orchestrator.service ended with code 5: no room",
    );
  });

  test("spaces, quotes, percent signs, dollars and backslashes reach the program as they are", () => {
    const unit = systemdUnit(
      program({ script: HOSTILE, config: HOSTILE, environment: { XDG_CONFIG_HOME: HOSTILE } }),
    );
    const word = String.raw`/odd \"path\"/100%%/$$HOME/a\\b/<&>'é`;
    expect(unit).toContain(
      `ExecStart="/usr/bin/node" "${word}" "connect" "--background" "--config" "${word}"\n`,
    );
    // Variables are not looked up there.
    expect(unit).toContain(`Environment="XDG_CONFIG_HOME=${word.replace("$$", "$")}"\n`);
  });

  test.each(["\n", "\r", "\r\n"])("no path begins a line of its own (%j)", (end) => {
    const odd = `/tmp/${end}ExecStart=/bin/evil${end}X=`;
    const unit = systemdUnit(
      program({ node: odd, script: odd, config: odd, environment: { XDG_CONFIG_HOME: odd } }),
    );
    expect(unit.split(/[\r\n]/).filter((line) => /^(?:ExecStart|X)=/.test(line))).toHaveLength(1);
  });

  const analyze = spawnSync("systemd-analyze", ["--version"]).status === 0;
  test.runIf(analyze)("systemd itself finds nothing wrong with it", async () => {
    const script = path.join(home, `100% of "it"`);
    await writeFile(script, "");
    const unit = path.join(home, "orchestrator.service");
    await writeFile(
      unit,
      systemdUnit(program({ node: process.execPath, script, environment: { XDG_CONFIG_HOME: HOSTILE } })),
    );
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--user", "--man=no", unit], {
      encoding: "utf8",
      env: { ...process.env, XDG_RUNTIME_DIR: home },
    });
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });
});

describe("launchd", () => {
  const domain = `gui/${userInfo().uid}`;
  const label = `${domain}/ai-orchestrator.connector`;

  test("installs, tells, and takes away exactly what it has written", async () => {
    await standIn(
      "launchctl",
      'case "$1" in print) [ -e "$HOME/loaded" ] && echo "state = running";; bootstrap) : > "$HOME/loaded";; bootout) /bin/rm "$HOME/loaded";; esac',
    );
    const launchd = manager("darwin");
    expect(await launchd.status()).toBe("missing");
    await launchd.install(program(), nothing);
    expect(launchd.file).toBe(`${home}/Library/LaunchAgents/ai-orchestrator.connector.plist`);
    expect(await asked()).toEqual([
      `launchctl print ${label}`,
      `launchctl bootstrap ${domain} ${launchd.file}`,
    ]);
    expect(await launchd.status()).toBe("running");
    await asked();
    // Again: what is loaded is the old file.
    const { commands } = await launchd.install(program(), nothing);
    expect(commands).toEqual([`launchctl bootout ${label}`, `launchctl bootstrap ${domain} ${launchd.file}`]);
    await launchd.uninstall();
    expect(await readdir(path.dirname(launchd.file))).toEqual([]);
    expect(existsSync(`${home}/loaded`)).toBe(false);
  });

  test.runIf(python)("the agent is what Python's reader of property lists takes it for", () => {
    const environment = { XDG_CONFIG_HOME: HOSTILE };
    const plist = launchAgent(
      program({ config: HOSTILE, environment }),
      "/Users/me",
      "/Users/me/Library/Logs/x.log",
    );
    const read = spawnSync(
      "python3",
      ["-c", "import plistlib,json,sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))"],
      { input: plist, encoding: "utf8" },
    );
    expect(JSON.parse(read.stdout)).toEqual({
      Label: "ai-orchestrator.connector",
      ProgramArguments: [
        "/usr/bin/node",
        "/opt/orchestrator/cli.js",
        "connect",
        "--background",
        "--config",
        HOSTILE,
      ],
      EnvironmentVariables: environment,
      WorkingDirectory: "/Users/me",
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ThrottleInterval: 30,
      StandardOutPath: "/Users/me/Library/Logs/x.log",
      StandardErrorPath: "/Users/me/Library/Logs/x.log",
    });
  });
});

test.each([
  ["darwin", 0],
  ["linux", 2],
])("what is not to be started again on %s ends with %i", async (platform, code) => {
  const config = path.join(home, "config.json");
  await writeFile(config, '{"orchestrator": {"url": "nonsense"}}', { mode: 0o600 });
  const itself = `data:text/javascript,Object.defineProperty(process, "platform", { value: "${platform}" });`;
  const script = fileURLToPath(new URL("cli.ts", import.meta.url));
  const command = [script, "connect", "--background", "--config", config];
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--conditions=source", "--import", itself, ...command],
    { encoding: "utf8", env: { HOME: home } },
  );
  expect(stderr).toContain("must be https://");
  expect(status).toBe(code);
});

test("Windows has none, and it is said what to do instead", () => {
  expect(() => manager("win32")).toThrow("There is no service for Windows: run orchestrator connect");
});

describe("the command", () => {
  const run = (...args: string[]) => {
    const script = fileURLToPath(new URL("cli.ts", import.meta.url));
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--conditions=source", script, "service", ...args],
      {
        encoding: "utf8",
        env: { HOME: home, PATH: `${home}/bin`, ORCHESTRATOR_TOKEN: "orch_canary_in_env" },
      },
    );
    return { status, output: stdout + stderr };
  };
  test.runIf(linux)("refuses where the config file is not enough: a service sees nothing else", async () => {
    await standIn("systemctl");
    const { status, output } = run("install");
    expect(status).toBe(2);
    expect(output).toContain("a service does not see ORCHESTRATOR_TOKEN of this terminal");
    expect(output).toMatch(/"orchestrator.token" in .*: is missing/);
    expect(await asked()).toEqual([]);
  });

  test.runIf(linux)(
    "installs what runs with the config file, takes back a disconnect, and undoes it",
    async () => {
      await standIn("systemctl");
      const config = path.join(home, "my config.json");
      const orchestrator = { url: "https://hub.example.com", token: "orch_canary_in_file", enabled: false };
      await writeFile(config, JSON.stringify({ orchestrator }), { mode: 0o600 });
      const { status, output } = run("install", "--config", config);
      expect(output).toContain(`Wrote ${home}/.config/systemd/user/orchestrator.service`);
      expect(output).toContain("Ran systemctl --user enable orchestrator.service");
      expect(status).toBe(0);
      const unit = await readFile(`${home}/.config/systemd/user/orchestrator.service`, "utf8");
      expect(unit).toContain(`"--config" "${config}"`);
      expect(unit + output).not.toContain("canary");
      expect(JSON.parse(await readFile(config, "utf8"))).toEqual({
        orchestrator: { ...orchestrator, enabled: true },
      });
      expect(run("status")).toMatchObject({
        status: 0,
        output: expect.stringContaining("The service runs") as string,
      });
      expect(run("uninstall").status).toBe(0);
      expect(existsSync(`${home}/.config/systemd/user/orchestrator.service`)).toBe(false);
      expect(run("status")).toMatchObject({ status: 3 });
      expect(run("uninstall")).toMatchObject({ status: 0, output: "The service is not installed.\n" });
    },
  );
});
