/** Reads the command line. */
import { parseArgs } from "node:util";

export interface ConnectArguments {
  kind: "connect";
  flags: Partial<Record<"url" | "token" | "target" | "clientId" | "name" | "project", string>>;
  /** What stands after `--`: a program to start and its arguments. */
  command: string[];
}

export type Arguments =
  | { kind: "help" }
  | { kind: "version" }
  | { kind: "wrong"; message: string }
  | ConnectArguments;

const OPTIONS = {
  url: { type: "string" },
  token: { type: "string" },
  target: { type: "string" },
  "client-id": { type: "string" },
  name: { type: "string" },
  project: { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const;

/** What the command line asks for; `wrong` says to a person why it cannot be read. `argv` is without node and script. */
export function readArguments(argv: readonly string[]): Arguments {
  const separator = argv.indexOf("--");
  const own = separator < 0 ? argv : argv.slice(0, separator);
  const command = separator < 0 ? [] : argv.slice(separator + 1);
  try {
    const { values, positionals } = parseArgs({ args: [...own], options: OPTIONS, allowPositionals: true });
    if (values.help || argv.length === 0) return { kind: "help" };
    if (values.version) return { kind: "version" };
    const wrong = problem(positionals, separator >= 0 && command.length === 0);
    if (wrong !== undefined) return { kind: "wrong", message: wrong };
    const { "client-id": clientId, url, token, target, name, project } = values;
    const given = Object.entries({ url, token, target, clientId, name, project });
    return {
      kind: "connect",
      flags: Object.fromEntries(given.filter(([, value]) => value !== undefined)),
      command,
    };
  } catch (error) {
    return { kind: "wrong", message: error instanceof Error ? error.message : String(error) };
  }
}

function problem(positionals: string[], emptyCommand: boolean): string | undefined {
  const [verb, extra] = positionals;
  if (verb === undefined) return "Say what to do: orchestrator connect";
  if (verb !== "connect") return `Unknown command ${JSON.stringify(verb)}; there is: connect`;
  if (extra !== undefined)
    return `${JSON.stringify(extra)} is one too many; a command to start stands after --`;
  return emptyCommand ? "After -- stands the command to start" : undefined;
}
