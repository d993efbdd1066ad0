#!/usr/bin/env node
/** The command `orchestrator`. */
import { createRequire } from "node:module";
import { type ConnectArguments, readArguments } from "./cli/arguments.ts";
import { showConfig } from "./cli/config.ts";
import { connect } from "./cli/connect.ts";
import { EXIT } from "./cli/exit-codes.ts";
import { HELP } from "./cli/help.ts";
import { disconnect, showStatus } from "./cli/running.ts";
import { service } from "./cli/service.ts";
import { Terminal } from "./cli/terminal.ts";
import { readSettings, SettingsError } from "./settings.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

async function main(): Promise<number> {
  const asked = readArguments(process.argv.slice(2));
  const { env } = process;
  const terminal = new Terminal(process.stdout, env);
  switch (asked.kind) {
    case "help":
      process.stdout.write(HELP);
      return EXIT.ended;
    case "version":
      process.stdout.write(`${version()}\n`);
      return EXIT.ended;
    case "wrong":
      process.stderr.write(`${asked.message}\nSee orchestrator --help\n`);
      return EXIT.wrongUse;
    case "status":
      return showStatus({ env, terminal }, asked.json);
    case "disconnect":
      return disconnect({ env, terminal }, asked);
    case "config":
      return showConfig({ flags: asked.flags, env }, terminal, asked.json);
    case "service":
      return service(asked.action, { flags: asked.flags, env, terminal });
    case "connect":
      return runConnect(asked, terminal);
  }
}

function runConnect(
  { flags, background, pair, qr, command }: ConnectArguments,
  terminal: Terminal,
): Promise<number> | number {
  const { env } = process;
  const read = readSettings({ flags, env, asked: background ? "unless_disabled" : "now" });
  for (const warning of read.warnings) terminal.say(`Note: ${warning}`);
  if (read.settings.mode === "standalone") {
    const why = read.origins.mode?.written ?? "the settings";
    terminal.say(`Not connecting: ${why} says not to. orchestrator connect connects again`);
    return EXIT.ended;
  }
  return connect({ read, background, pair, qr, command, env, terminal, signal: untilSignalled() });
}

/** The first signal ends everything in order; the second, the process. */
function untilSignalled(): AbortSignal {
  const controller = new AbortController();
  for (const signal of SIGNALS) process.once(signal, () => controller.abort(signal));
  return controller.signal;
}

function version(): string {
  const { version: own } = createRequire(import.meta.url)("../package.json") as { version: string };
  return own;
}

/** launchd starts again whatever ends with another code than 0. systemd knows what not to start again: service-unit.ts tells it. */
function forService(code: number): number {
  const isLaunchd = process.platform === "darwin" && process.argv.includes("--background");
  return isLaunchd && (code === EXIT.wrongUse || code === EXIT.refused) ? EXIT.ended : code;
}

try {
  process.exitCode = forService(await main());
} catch (error) {
  process.exitCode = forService(error instanceof SettingsError ? EXIT.wrongUse : EXIT.unexpected);
  process.stderr.write(`${error instanceof SettingsError ? error.message : String(error)}\n`);
}
