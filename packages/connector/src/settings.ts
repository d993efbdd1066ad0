/**
 * What a person sets, in three ways with one meaning. Flags go before the environment, the environment before the config file, and
 * that before what is usual. Everything that is given is checked, in force or not, and all that is wrong is told at once.
 */
import { join, resolve } from "node:path";
import type { AccessList } from "@ai-orchestrator/protocol";
import { readSettingsFile, SETTINGS_FILE, type SettingsFile, written } from "./settings-file.ts";
import { settingsFolder } from "./settings-folder.ts";
import {
  CONFIG_VARIABLE,
  isAccess,
  type Layer,
  readEnvironment,
  readFile,
  readFlags,
} from "./settings-layers.ts";
import type { Flags, SettingName, SourceKind } from "./settings-names.ts";
import { definitionOf, INTERVALS, type Values } from "./settings-table.ts";

export type { Flags } from "./settings-names.ts";

export interface Settings {
  /** `standalone`: there is no connection to a hub, because nobody asked for one. */
  mode: "standalone" | "client";
  /** The hub's origin. There in mode `client`. */
  url?: string;
  /** Without one an instance is paired with the hub. */
  token?: string;
  clientId?: string;
  /** The local web application's origin. */
  target?: string;
  /** The host name to show. */
  name?: string;
  project?: string;
  /** Longest pause between two attempts, in milliseconds. */
  reconnectIntervalMs: number;
  heartbeatIntervalMs: number;
  /** Who may use this instance; without it, whom the hub lets in. A team is a slug in the organisation that stands beside it. */
  access?: AccessList;
  /** Also connects to a hub at http:// that another user of this machine runs. */
  allowOtherUser: boolean;
}

/** Where a value came from, and how it is written there. */
export interface Origin {
  kind: SourceKind | "default";
  written: string;
}
export type Origins = { [Name in keyof Settings]?: Origin };

export interface SettingsSources {
  flags?: Flags;
  env: NodeJS.ProcessEnv;
  /** Where `config.json` is, unless a flag or the environment names another file. Default: `settingsFolder(env)`. */
  folder?: string;
  /**
   * That somebody asks for a connection: `now` as `orchestrator connect` does, whatever environment and file say; `unless_disabled`
   * where neither says not to. Default: only the settings ask.
   */
  asked?: "now" | "unless_disabled";
  /** What mode `client` cannot do without. Default: `url`. */
  needs?: readonly ("url" | "token")[];
}

export interface ReadSettings {
  settings: Settings;
  origins: Origins;
  /** What a person should know and what does not keep the settings from being used. One line each. */
  warnings: string[];
  /** The config file's path, whether or not there is one. */
  file: string;
  /** It says `enabled: false`, as `orchestrator disconnect` writes it. */
  isDisabledInFile: boolean;
}

/** Settings that will not do; `message` has one line for each problem. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** The settings in force. Synchronous; reads one file. Throws `SettingsError`, and nothing else. No message holds a token. */
export function readSettings(sources: SettingsSources): ReadSettings {
  const { problems, ...read } = inspectSettings(sources);
  if (problems.length > 0) throw new SettingsError(problems);
  return read;
}

/** The same, with what is wrong beside what would be in force without it. */
export function inspectSettings(sources: SettingsSources): ReadSettings & { problems: string[] } {
  const file = findFile(sources);
  const layers = [readFlags(sources.flags ?? {}), readEnvironment(sources.env), readFile(file)];
  const problems = layers.flatMap((layer) => layer.problems);
  const { settings, origins, warnings } = merge(layers, sources);
  if (settings.mode === "client") {
    const needed = (sources.needs ?? ["url"]).filter((name) => settings[name] === undefined);
    // What was given and will not do is told already.
    const absent = needed.filter((name) => !layers.some((layer) => isWrong(layer, name)));
    problems.push(...absent.map((name) => missing(name, file.path)));
    // Why a token that is there is none for this hub.
    if (absent.includes("token")) problems.push(...warnings);
  }
  return {
    settings,
    origins,
    warnings: [...file.warnings, ...layers.flatMap((layer) => layer.warnings), ...warnings],
    file: file.path,
    isDisabledInFile: file.section["enabled"] === false,
    problems,
  };
}

function findFile({ flags, env, folder }: SettingsSources): SettingsFile {
  const named = flags?.config?.text ?? (env[CONFIG_VARIABLE] || undefined);
  return readSettingsFile(
    named === undefined ? join(folder ?? settingsFolder(env), SETTINGS_FILE) : resolve(named),
    named !== undefined,
  );
}

function isWrong({ written: given, values }: Layer, name: SettingName): boolean {
  return given[name] !== undefined && values[name] === undefined;
}

function missing(name: "url" | "token", path: string): string {
  const { flag, variable, key } = definitionOf(name);
  const places = `--${flag}, ${variable} or ${written(path, key)}`;
  return name === "url"
    ? `${places}: is missing: the address of your hub, as in: orchestrator connect https://hub.example.com`
    : `${places}: is missing: orchestrator connect <hub> gets one, or make one on the hub's page for tokens`;
}

function merge(layers: Layer[], { asked }: SettingsSources) {
  const origins: Origins = {};
  const take = <Name extends SettingName>(name: Name): Values[Name] | undefined => {
    const layer = layers.find(({ values }) => values[name] !== undefined);
    if (layer) setOrigin(origins, layer, name);
    return layer?.values[name];
  };
  const given = {
    url: take("url"),
    clientId: take("clientId"),
    target: take("target"),
    name: take("name"),
    project: take("project"),
  };
  const { token, warnings } = tokenFor(given.url, layers, origins);
  const access = accessOf(layers, origins);
  const settings: Settings = {
    mode: modeOf(layers, asked, origins),
    ...defined({ ...given, token, access }),
    reconnectIntervalMs: take("reconnectIntervalMs") ?? INTERVALS.reconnect.usual,
    heartbeatIntervalMs: take("heartbeatIntervalMs") ?? INTERVALS.heartbeat.usual,
    allowOtherUser: take("allowOtherUser") ?? false,
  };
  for (const name of ["reconnectIntervalMs", "heartbeatIntervalMs", "allowOtherUser"] as const) {
    origins[name] ??= { kind: "default", written: "default" };
  }
  return { settings, origins, warnings };
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}

function setOrigin(origins: Origins, layer: Layer, name: SettingName): void {
  const origin = { kind: layer.kind, written: layer.written[name] ?? name };
  if (isAccess(name)) origins.access ??= origin;
  else origins[name] = origin;
}

/** Somebody who names a hub or a token in a flag asks for a connection. */
function modeOf(layers: Layer[], asked: SettingsSources["asked"], origins: Origins): Settings["mode"] {
  if (asked === "now") {
    origins.mode = { kind: "flag", written: "orchestrator connect" };
    return "client";
  }
  for (const layer of layers) {
    const { mode, url, token } = layer.values;
    if (mode !== undefined) {
      setOrigin(origins, layer, "mode");
      return mode ? "client" : "standalone";
    }
    if (layer.kind === "flag" && (url !== undefined || token !== undefined)) {
      origins.mode = { kind: "flag", written: layer.written[url === undefined ? "token" : "url"] ?? "" };
      return "client";
    }
  }
  origins.mode = { kind: "default", written: "default" };
  return asked === undefined ? "standalone" : "client";
}

/** A token that stands beside a hub's address belongs to that hub: it is not sent to another one that a flag or variable names. */
function tokenFor(url: string | undefined, layers: Layer[], origins: Origins) {
  const warnings: string[] = [];
  for (const layer of layers) {
    const { token, url: itsHub } = layer.values;
    if (token === undefined) continue;
    if (itsHub === undefined || itsHub === url) {
      setOrigin(origins, layer, "token");
      return { token, warnings };
    }
    warnings.push(`${layer.written.token}: belongs to ${itsHub} and is not sent to ${url}`);
  }
  return { token: undefined, warnings };
}

/** The list of the first source that names anybody, whole: two lists together would let in more people than either. */
function accessOf(layers: Layer[], origins: Origins): AccessList | undefined {
  const names = ["users", "organization", "team"] as const;
  const layer = layers.find(({ written: given }) => names.some((name) => given[name] !== undefined));
  if (!layer) return undefined;
  for (const name of names) if (layer.written[name] !== undefined) setOrigin(origins, layer, name);
  const { users, organization, team } = layer.values;
  const [owner, slug] = team?.includes("/") === true ? team.split("/") : [organization, team];
  return defined({ users, organization: owner, team: slug });
}
