/** `orchestrator service`: what was written and run, in words. */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { type ServiceManager, serviceManager, ServiceError } from "../service.ts";
import { CONFIG_VARIABLE } from "../settings-layers.ts";
import { writeSettings } from "../settings-write.ts";
import { type Flags, type ReadSettings, readSettings, SettingsError } from "../settings.ts";
import type { ServiceAction } from "./arguments.ts";
import { EXIT } from "./exit-codes.ts";
import type { Terminal } from "./terminal.ts";

interface ServiceOptions {
  flags: Flags;
  env: NodeJS.ProcessEnv;
  terminal: Terminal;
}

const NPX_NOTE =
  "it runs from npx's cache, which npm may clear: npm install --global @ai-orchestrator/connector, and install the service again";

/** Resolves to the exit code: 3 where `status` finds none that runs, 1 where the system will not do it. */
export async function service(action: ServiceAction, options: ServiceOptions): Promise<number> {
  const { env, terminal } = options;
  try {
    const manager = serviceManager({ env });
    switch (action) {
      case "install":
        return await install(manager, options);
      case "status":
        return await status(manager, terminal);
      case "uninstall":
        return await uninstall(manager, terminal);
    }
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    terminal.say(error.message, "bad");
    return EXIT.unexpected;
  }
}

async function install(manager: ServiceManager, { flags, env, terminal }: ServiceOptions): Promise<number> {
  const read = readFileOnly(flags, env, terminal);
  if (read === undefined) return EXIT.wrongUse;
  const script = realpathSync(process.argv[1] ?? "");
  const folder = env["XDG_CONFIG_HOME"];
  const program = {
    node: process.execPath,
    script,
    config: resolve(read.file),
    environment: folder ? { XDG_CONFIG_HOME: folder } : {},
  };
  const { commands, notes } = await manager.install(program, async () => {
    // Asking for a service takes back what `orchestrator disconnect` has written.
    if (read.isDisabledInFile) await writeSettings(read.file, { enabled: true });
  });
  terminal.say(`Wrote ${manager.file}`);
  for (const command of commands) terminal.say(`Ran ${command}`);
  terminal.say("The service runs, and starts again when you sign in.", "good");
  terminal.say("What it does: orchestrator status");
  terminal.say(`What it prints: ${manager.logs}`);
  if (/[/\\]_npx[/\\]/.test(script)) notes.push(NPX_NOTE);
  for (const note of notes) terminal.say(`Note: ${note}`);
  return EXIT.ended;
}

async function status(manager: ServiceManager, terminal: Terminal): Promise<number> {
  const found = await manager.status();
  if (found === "missing") terminal.say("The service is not installed: orchestrator service install");
  else {
    terminal.say(
      `The service ${found === "running" ? "runs" : "is installed and does not run"} (${manager.file})`,
    );
    terminal.say(`What it prints: ${manager.logs}`);
  }
  return found === "running" ? EXIT.ended : EXIT.notFound;
}

async function uninstall(manager: ServiceManager, terminal: Terminal): Promise<number> {
  if ((await manager.status()) === "missing") {
    terminal.say("The service is not installed.");
    return EXIT.ended;
  }
  for (const command of await manager.uninstall()) terminal.say(`Ran ${command}`);
  terminal.say(`Removed ${manager.file}`);
  terminal.say("The config file stays as it is; orchestrator disconnect --forget takes the token out of it.");
  return EXIT.ended;
}

/** The settings as a service sees them, which starts without this terminal's environment; undefined, having said why, where they will not do. */
function readFileOnly(flags: Flags, env: NodeJS.ProcessEnv, terminal: Terminal): ReadSettings | undefined {
  const isSetting = (name: string) => name.startsWith("ORCHESTRATOR_") && name !== CONFIG_VARIABLE;
  const ignored = Object.keys(env).filter(isSetting);
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !isSetting(name)));
  if (ignored.length > 0)
    terminal.say(`Note: a service does not see ${ignored.join(", ")} of this terminal, only the config file`);
  try {
    const read = readSettings({ flags, env: own, asked: "now", needs: ["url", "token"] });
    for (const warning of read.warnings) terminal.say(`Note: ${warning}`);
    return read;
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    for (const problem of error.problems) terminal.say(problem, "bad");
    terminal.say("orchestrator connect <hub> gets a token and keeps it in the config file.");
    return undefined;
  }
}
