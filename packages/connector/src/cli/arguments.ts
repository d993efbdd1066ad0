/** Reads the command line. */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { isLoopbackHost } from "../loopback.ts";
import { FLAG_NAMES } from "../settings-flags.ts";
import { closest } from "../settings-words.ts";
import type { Flags } from "../settings.ts";

export interface ConnectArguments {
  kind: "connect";
  flags: Flags;
  /** As a service: it keeps to `orchestrator disconnect`, and waits for a web UI. */
  background: boolean;
  /** Asks for a new token, whatever token there is. */
  pair: boolean;
  /** False where no QR code of the pairing's link shall be drawn. */
  qr: boolean;
  /** What stands after `--`: a program to start and its arguments. */
  command: string[];
}

export type Arguments =
  | { kind: "help" }
  | { kind: "version" }
  | { kind: "wrong"; message: string }
  | { kind: "status"; json: boolean }
  | { kind: "disconnect"; forget: boolean; flags: Flags }
  | { kind: "config"; json: boolean; flags: Flags }
  | { kind: "service"; action: ServiceAction; flags: Flags }
  | ConnectArguments;

const ACTIONS = ["install", "status", "uninstall"] as const;
export type ServiceAction = (typeof ACTIONS)[number];

const GENERAL = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const satisfies ParseArgsOptionsConfig;

const CONFIG = { config: { type: "string" } } as const satisfies ParseArgsOptionsConfig;

/** What takes no value on the command line; everywhere else it is 1 or 0. */
const ALLOW_OTHER_USER = "allow-other-user";
const NAMED = [...FLAG_NAMES.keys()].filter((flag) => flag !== ALLOW_OTHER_USER && flag !== "mode");

/** Each flag also by the name that it has in programs that embed the connector. */
const SETTINGS: ParseArgsOptionsConfig = {
  ...Object.fromEntries(NAMED.map((flag) => [flag, { type: "string" }])),
  ...Object.fromEntries(NAMED.map((flag) => [`orchestrator-${flag}`, { type: "string" }])),
  [ALLOW_OTHER_USER]: { type: "boolean" },
};

interface Verb {
  options: ParseArgsOptionsConfig;
  read: (given: Given) => Arguments;
}

interface Given {
  values: Record<string, unknown>;
  positionals: string[];
  /** What stands after `--`. */
  command: string[] | undefined;
}

const VERBS: Record<string, Verb> = {
  connect: {
    options: {
      ...SETTINGS,
      background: { type: "boolean" },
      pair: { type: "boolean" },
      "no-qr": { type: "boolean" },
    },
    read: readConnect,
  },
  disconnect: {
    options: { ...CONFIG, forget: { type: "boolean" } },
    read: (given) =>
      readPlain(given, {
        kind: "disconnect",
        forget: given.values["forget"] === true,
        flags: flagsOf(given.values),
      }),
  },
  status: {
    options: { json: { type: "boolean" } },
    read: (given) => readPlain(given, { kind: "status", json: given.values["json"] === true }),
  },
  config: {
    options: { ...SETTINGS, json: { type: "boolean" } },
    read: (given) =>
      readPlain(given, {
        kind: "config",
        json: given.values["json"] === true,
        flags: flagsOf(given.values),
      }),
  },
  service: { options: CONFIG, read: readService },
  help: { options: {}, read: () => ({ kind: "help" }) },
};

/** What the command line asks for; `wrong` says to a person why it cannot be read. `argv` is without node and script. */
export function readArguments(argv: readonly string[]): Arguments {
  const separator = argv.indexOf("--");
  const own = separator < 0 ? [...argv] : argv.slice(0, separator);
  const command = separator < 0 ? undefined : argv.slice(separator + 1);
  const name = verbIn(own);
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  const options: ParseArgsOptionsConfig = { ...verb?.options, ...GENERAL };
  const { values, positionals, tokens } = parseArgs({
    args: own,
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  if (values["help"] === true || argv.length === 0) return { kind: "help" };
  if (values["version"] === true) return { kind: "version" };
  if (!verb) return wrong(own[0]?.startsWith("-") === true ? WITHOUT_VERB : unknownVerb(name));
  const problem = tokens.map((token) => wrongOption(token, options)).find((one) => one !== undefined);
  if (problem !== undefined) return wrong(problem);
  return verb.read({ values, positionals: positionals.filter((one) => one !== name), command });
}

/** The verb, or the word in its place; "" where there is none. Options may stand before it; their values are none. */
function verbIn(own: readonly string[]): string {
  const known = own.find((argument) => Object.hasOwn(VERBS, argument));
  return known ?? own.find((argument) => !argument.startsWith("-")) ?? "";
}

const WITHOUT_VERB = "Say what to do: orchestrator connect";

type Token = NonNullable<ReturnType<typeof parseArgs>["tokens"]>[number];

/** In words of our own: Node's advise to write after `--` what we take for a program there. */
function wrongOption(token: Token, options: ParseArgsOptionsConfig): string | undefined {
  if (token.kind !== "option") return undefined;
  const { name, rawName, value, inlineValue } = token;
  const type = Object.hasOwn(options, name) ? options[name]?.type : undefined;
  if (type === undefined) {
    const near = closest(name, Object.keys(options));
    return `Unknown option ${rawName}${near === undefined ? "" : `; did you mean --${near}?`}`;
  }
  if (type === "boolean") return value === undefined ? undefined : `${rawName}: takes no value`;
  const isMissing = value === undefined || (!inlineValue && value.startsWith("-"));
  return isMissing ? `${rawName}: is without a value` : undefined;
}

function unknownVerb(name: string): string {
  if (name.includes("://")) return `${WITHOUT_VERB} ${name}`;
  const verbs = Object.keys(VERBS);
  const near = closest(name, verbs);
  const hint = near === undefined ? `there is: ${verbs.join(", ")}` : `did you mean ${near}?`;
  return `Unknown command ${JSON.stringify(name)}; ${hint}`;
}

function readConnect({ values, positionals, command }: Given): Arguments {
  const [hub, extra] = positionals;
  const flags = flagsOf(values);
  if (command?.length === 0) return wrong("After -- stands the command to start");
  if (extra !== undefined) return wrong(tooMuch(extra));
  if (hub !== undefined) {
    if (flags.url) return wrong("The hub is named twice: with --url and without");
    if (!hub.includes("://")) return wrong(noAddress(hub));
    flags.url = { text: hub, written: "orchestrator connect <hub>" };
  }
  return {
    kind: "connect",
    flags,
    background: values["background"] === true,
    pair: values["pair"] === true,
    qr: values["no-qr"] !== true,
    command: command ?? [],
  };
}

function noAddress(text: string): string {
  if (!URL.canParse(`https://${text}`) || !/[.:]/.test(text)) return tooMuch(text);
  const { hostname } = new URL(`https://${text}`);
  const scheme = isLoopbackHost(hostname) || hostname.endsWith(".localhost") ? "http" : "https";
  return `${JSON.stringify(text)} is no address of a hub; did you mean ${scheme}://${text}?`;
}

function readService({ positionals, values, command }: Given): Arguments {
  const [action, ...rest] = positionals;
  const found = ACTIONS.find((one) => one === action);
  if (!found) return wrong(`Say what to do with the service: ${ACTIONS.join(", ")}`);
  return readPlain(
    { positionals: rest, values, command },
    { kind: "service", action: found, flags: flagsOf(values) },
  );
}

function readPlain({ positionals, command }: Given, asked: Arguments): Arguments {
  const extra = positionals[0] ?? (command === undefined ? undefined : "--");
  return extra === undefined ? asked : wrong(`${JSON.stringify(extra)} is one too many`);
}

function tooMuch(extra: string): string {
  return `${JSON.stringify(extra)} is one too many; a command to start stands after --`;
}

function wrong(message: string): Arguments {
  return { kind: "wrong", message };
}

function flagsOf(values: Record<string, unknown>): Flags {
  const flags: Flags = {};
  for (const [flag, name] of FLAG_NAMES) {
    for (const written of [`orchestrator-${flag}`, flag]) {
      const value = values[written];
      if (typeof value === "string") flags[name] = { text: value, written: `--${written}` };
      else if (value === true) flags[name] = { text: "1", written: `--${written}` };
    }
  }
  return flags;
}
