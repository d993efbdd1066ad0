/** Reads the command line. */
import { parseArgs } from "node:util";
import type { EntityKind } from "../src/auth/policy.ts";

export type Command =
  | { command: "help" }
  | { command: "wrong"; message: string }
  | { command: "list" }
  | { command: "add"; kind: EntityKind; name: string; role: string }
  | { command: "remove"; kind: EntityKind; name: string }
  | { command: "why"; user: string }
  | { command: "audit"; query: Record<string, string> };

export interface Arguments {
  asked: Command;
  json: boolean;
}

const OPTIONS = {
  role: { type: "string" },
  action: { type: "string" },
  person: { type: "string" },
  limit: { type: "string" },
  before: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

type Values = ReturnType<typeof parse>["values"];

/** The options that a command takes beside `--json`. */
const TAKES: Record<string, readonly (keyof Values)[]> = {
  list: [],
  add: ["role"],
  remove: [],
  why: [],
  audit: ["action", "person", "limit", "before"],
};

/** The kinds as people may write them. */
const KINDS: Record<string, EntityKind> = {
  organization: "organization",
  organisation: "organization",
  org: "organization",
  team: "team",
  user: "user",
  person: "user",
};

/** What the command line asks for; `wrong` says to a person why it cannot be read. `argv` is without node and script. */
export function readArguments(argv: readonly string[]): Arguments {
  try {
    const { values, positionals } = parse(argv);
    return { asked: readCommand(values, positionals), json: values.json === true };
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error));
  }
}

function parse(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
}

function readCommand(values: Values, positionals: string[]): Command {
  const [verb, ...rest] = positionals;
  if (values.help === true || verb === undefined) return { command: "help" };
  const takes = Object.hasOwn(TAKES, verb) ? TAKES[verb] : undefined;
  if (takes === undefined) return wrong(`Unknown command ${JSON.stringify(verb)}.`).asked;
  const given = Object.keys(values) as (keyof Values)[];
  const extra = given.find((option) => option !== "json" && !takes.includes(option));
  if (extra !== undefined) return wrong(`${verb} takes no --${extra}.`).asked;
  return withOperands(verb, rest, values);
}

function withOperands(verb: string, operands: string[], values: Values): Command {
  switch (verb) {
    case "add":
    case "remove":
      return withEntity(verb, operands, values.role ?? "member");
    case "why": {
      const [user, ...more] = operands;
      return user === undefined || more.length > 0
        ? wrong("Say who: why <login or id>").asked
        : { command: "why", user };
    }
    default: {
      if (operands[0] !== undefined) return wrong(`${JSON.stringify(operands[0])} is one too many.`).asked;
      const { action, person, limit, before } = values;
      const query = Object.entries({ action, person, limit, before });
      return verb === "list"
        ? { command: "list" }
        : { command: "audit", query: Object.fromEntries(query.filter(isGiven)) };
    }
  }
}

function withEntity(verb: "add" | "remove", [word = "", name, ...more]: string[], role: string): Command {
  const kind = Object.hasOwn(KINDS, word) ? KINDS[word] : undefined;
  if (kind === undefined || name === undefined || more.length > 0)
    return wrong(`Say whom: ${verb} <organization, team or user> <name>`).asked;
  return verb === "add" ? { command: verb, kind, name, role } : { command: verb, kind, name };
}

function isGiven(entry: [string, string | undefined]): entry is [string, string] {
  return entry[1] !== undefined;
}

function wrong(message: string): Arguments {
  return { asked: { command: "wrong", message }, json: false };
}
