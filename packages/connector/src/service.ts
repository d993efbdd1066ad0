/** The connector as a service of this user: installed, looked at, and taken away again without a trace. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { AGENT_LABEL, launchAgent, type ServiceProgram, systemdUnit, UNIT_NAME } from "./service-unit.ts";
import { absolute, homeFolder, replaceFile } from "./settings-folder.ts";

const COMMAND_TIMEOUT_MS = 30_000;
const run = promisify(execFile);

/** Why there can be no service here, or why a step failed: a sentence, and what to do. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
}

/** How one system keeps programs running. */
export interface ServiceManager {
  /** What it reads. */
  file: string;
  /** Where what the connector prints can be read. */
  logs: string;
  /**
   * Writes the file and starts the service, or starts it again; `prepare` comes before, once it is known that there can be one.
   * Resolves to the commands that were run and to notes.
   */
  install(
    program: ServiceProgram,
    prepare: () => Promise<void>,
  ): Promise<{ commands: string[]; notes: string[] }>;
  /** `missing`: not installed. */
  status(): Promise<"missing" | "stopped" | "running">;
  /** Resolves to the commands that were run. */
  uninstall(): Promise<string[]>;
}

export interface ServicePlace {
  env: NodeJS.ProcessEnv;
  platform?: NodeJS.Platform;
}

/** Throws `ServiceError` where this system has none. */
export function serviceManager({ env, platform = process.platform }: ServicePlace): ServiceManager {
  const home = homeFolder(env);
  if (platform === "linux") return systemd(env, home);
  if (platform === "darwin") return launchd(env, home);
  throw new ServiceError(
    `There is no service for ${platform === "win32" ? "Windows" : platform}: run orchestrator connect when you sign in, such as by the Task Scheduler`,
  );
}

function systemd(env: NodeJS.ProcessEnv, home: string): ServiceManager {
  const file = join(absolute(env["XDG_CONFIG_HOME"]) ?? join(home, ".config"), "systemd", "user", UNIT_NAME);
  const control = (...args: string[]) => execute("systemctl", ["--user", ...args], env);
  const assertThere = async () => {
    const { code, said } = await control("show-environment");
    if (code === 0) return;
    throw new ServiceError(
      `There is no systemd for this user (${said || `systemctl ended with code ${code}`}): run orchestrator connect where you start other programs`,
    );
  };
  return {
    file,
    logs: `journalctl --user -u ${UNIT_NAME}`,
    install: async (program, prepare) => {
      await assertThere();
      await prepare();
      await write(file, systemdUnit(program));
      const commands = [["daemon-reload"], ["enable", UNIT_NAME], ["restart", UNIT_NAME]];
      for (const command of commands) await mustRun("systemctl", ["--user", ...command], env);
      return {
        commands: commands.map((command) => written("systemctl --user", command)),
        notes: await lingering(env),
      };
    },
    status: async () => {
      if (!existsSync(file)) return "missing";
      await assertThere();
      const { code } = await control("is-active", UNIT_NAME);
      return code === 0 ? "running" : "stopped";
    },
    uninstall: async () => {
      await assertThere();
      await mustRun("systemctl", ["--user", "disable", "--now", UNIT_NAME], env);
      await rm(file, { force: true });
      await mustRun("systemctl", ["--user", "daemon-reload"], env);
      return [`systemctl --user disable --now ${UNIT_NAME}`, "systemctl --user daemon-reload"];
    },
  };
}

/** Without it a user's services end when they sign out, and start when they sign in. */
async function lingering(env: NodeJS.ProcessEnv): Promise<string[]> {
  const { username } = userInfo();
  const { said } = await execute("loginctl", ["show-user", username, "--property=Linger"], env);
  return said === "Linger=yes"
    ? []
    : ["It runs while you are signed in. To run it from the machine's start on: loginctl enable-linger"];
}

function launchd(env: NodeJS.ProcessEnv, home: string): ServiceManager {
  const file = join(home, "Library", "LaunchAgents", `${AGENT_LABEL}.plist`);
  const logs = join(home, "Library", "Logs", "orchestrator.log");
  const domain = `gui/${userInfo().uid}`;
  const service = `${domain}/${AGENT_LABEL}`;
  const isLoaded = async () => (await execute("launchctl", ["print", service], env)).code === 0;
  const unload = async () => {
    if (!(await isLoaded())) return [];
    await mustRun("launchctl", ["bootout", service], env);
    return [`launchctl bootout ${service}`];
  };
  return {
    file,
    logs,
    install: async (program, prepare) => {
      await prepare();
      await write(file, launchAgent(program, home, logs));
      const before = await unload();
      await mustRun("launchctl", ["bootstrap", domain, file], env);
      return { commands: [...before, written("launchctl bootstrap", [domain, file])], notes: [] };
    },
    status: async () => {
      if (!existsSync(file)) return "missing";
      const { code, said } = await execute("launchctl", ["print", service], env);
      return code === 0 && /state = running/.test(said) ? "running" : "stopped";
    },
    uninstall: async () => {
      const commands = await unload();
      await rm(file, { force: true });
      return commands;
    },
  };
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await replaceFile(dirname(file), file.slice(dirname(file).length + 1), text);
}

async function mustRun(program: string, args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { code, said } = await execute(program, args, env);
  if (code !== 0)
    throw new ServiceError(
      `${written(program, args)} ended with code ${code}${said === "" ? "" : `: ${said}`}`,
    );
}

/** `said`: what it printed, trimmed; code 127 where there is no such program. */
async function execute(
  program: string,
  args: string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: number; said: string }> {
  try {
    const { stdout } = await run(program, args, { env, timeout: COMMAND_TIMEOUT_MS });
    return { code: 0, said: stdout.trim() };
  } catch (error) {
    const { code, stderr, message } = error as { code?: unknown; stderr?: string; message: string };
    if (code === "ENOENT") return { code: 127, said: `there is no ${program}` };
    return { code: typeof code === "number" ? code : 1, said: (stderr?.trim() || message).slice(0, 500) };
  }
}

function written(program: string, args: readonly string[]): string {
  return [
    program,
    ...args.map((argument) => (/[^\w@%+=:,./-]/.test(argument) ? `'${argument}'` : argument)),
  ].join(" ");
}
