/** Reads the command line. */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { FLAG_NAMES } from "../settings-flags.ts";
import type { Flags } from "../settings.ts";

export interface ConnectArguments {
  kind: "connect";
  flags: Flags;
  /** What stands after `--`: a program to start and its arguments. */
  command: string[];
}

export type Arguments =
  | { kind: "help" }
  | { kind: "version" }
  | { kind: "wrong"; message: string }
  | ConnectArguments;

const OPTIONS = {
  ...Object.fromEntries([...FLAG_NAMES.keys()].map((flag) => [flag, { type: "string" }] as const)),
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} satisfies ParseArgsOptionsConfig;

/** What the command line asks for; `wrong` says to a person why it cannot be read. `argv` is without node and script. */
export function readArguments(argv: readonly string[]): Arguments {
  const separator = argv.indexOf("--");
  const own = separator < 0 ? argv : argv.slice(0, separator);
  const command = separator < 0 ? [] : argv.slice(separator + 1);
  try {
    const { values, positionals } = parseArgs({ args: [...own], options: OPTIONS, allowPositionals: true });
    if (values.help === true || argv.length === 0) return { kind: "help" };
    if (values.version === true) return { kind: "version" };
    const wrong = problem(positionals, separator >= 0 && command.length === 0);
    if (wrong !== undefined) return { kind: "wrong", message: wrong };
    return { kind: "connect", flags: flagsOf(values), command };
  } catch (error) {
    return { kind: "wrong", message: error instanceof Error ? error.message : String(error) };
  }
}

function flagsOf(values: Record<string, unknown>): Flags {
  const flags: Flags = {};
  for (const [flag, name] of FLAG_NAMES) {
    const text = values[flag];
    if (typeof text === "string") flags[name] = { text, written: `--${flag}` };
  }
  return flags;
}

function problem(positionals: string[], emptyCommand: boolean): string | undefined {
  const [verb, extra] = positionals;
  if (verb === undefined) return "Say what to do: orchestrator connect";
  if (verb !== "connect") return `Unknown command ${JSON.stringify(verb)}; there is: connect`;
  if (extra !== undefined)
    return `${JSON.stringify(extra)} is one too many; a command to start stands after --`;
  return emptyCommand ? "After -- stands the command to start" : undefined;
}
