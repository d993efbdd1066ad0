#!/usr/bin/env node
/** The command `orchestrator`. */
import { createRequire } from "node:module";
import { readArguments } from "./cli/arguments.ts";
import { connect } from "./cli/connect.ts";
import { EXIT } from "./cli/exit-codes.ts";
import { HELP } from "./cli/help.ts";
import { Terminal } from "./cli/terminal.ts";
import { readSettings, SettingsError } from "./settings.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

async function main(): Promise<number> {
  const asked = readArguments(process.argv.slice(2));
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
    case "connect": {
      const { settings, warnings } = readSettings({
        flags: asked.flags,
        env: process.env,
        asked: "now",
        needs: ["url", "token"],
      });
      const terminal = new Terminal(process.stdout, process.env);
      for (const warning of warnings) terminal.say(`Note: ${warning}`);
      return connect({
        settings,
        command: asked.command,
        env: process.env,
        terminal,
        signal: untilSignalled(),
      });
    }
  }
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

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = error instanceof SettingsError ? EXIT.wrongUse : EXIT.unexpected;
  process.stderr.write(`${error instanceof SettingsError ? error.message : String(error)}\n`);
}
