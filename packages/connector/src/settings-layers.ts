/** The three sources of settings, each read and checked by itself. */
import * as v from "valibot";
import { written as writtenInFile, type SettingsFile } from "./settings-file.ts";
import type { Flags, SettingName, SourceKind } from "./settings-names.ts";
import { definitionOf, SETTING_NAMES, SETTINGS, type Values } from "./settings-table.ts";
import { closest, problemWith } from "./settings-words.ts";

const PREFIX = "ORCHESTRATOR_";
export const CONFIG_VARIABLE = "ORCHESTRATOR_CONFIG";

/** One source. */
export interface Layer {
  kind: SourceKind;
  /** What will do. */
  values: Values;
  /** How everything that was given is named to people. */
  written: Partial<Record<SettingName, string>>;
  problems: string[];
  warnings: string[];
}

interface Given {
  name: SettingName;
  raw: unknown;
  value: unknown;
  written: string;
}

export function readFlags(flags: Flags): Layer {
  return check(
    "flag",
    SETTING_NAMES.flatMap((name) => {
      const flag = flags[name];
      return flag === undefined ? [] : [{ name, ...fromText(name, flag.text), written: flag.written }];
    }),
  );
}

/** An empty variable is one that is not set, unless it is to say who may use the instance: then everybody would be meant. */
export function readEnvironment(env: NodeJS.ProcessEnv): Layer {
  const given = SETTING_NAMES.flatMap((name) => {
    const { variable } = definitionOf(name);
    const text = env[variable];
    if (text === undefined || (text === "" && !isAccess(name))) return [];
    return [{ name, ...fromText(name, text), written: variable }];
  });
  const layer = check("environment", given);
  tellMisspelt(env, layer);
  return layer;
}

export function readFile({ path, section, problems, unknown }: SettingsFile): Layer {
  const given = SETTING_NAMES.flatMap((name) => {
    const { key } = definitionOf(name);
    if (!Object.hasOwn(section, key)) return [];
    return [{ name, raw: section[key], value: section[key], written: writtenInFile(path, key) }];
  });
  const layer = check("file", given);
  layer.problems.unshift(...problems, ...unknown);
  return layer;
}

/** Those that say who may use the instance. */
export function isAccess(name: SettingName): name is "users" | "organization" | "team" {
  return name === "users" || name === "organization" || name === "team";
}

function fromText(name: SettingName, text: string): { raw: string; value: unknown } {
  const { fromText: parse } = definitionOf(name);
  return { raw: text, value: parse === undefined || text === "" ? text : parse(text) };
}

function check(kind: Layer["kind"], given: Given[]): Layer {
  const layer: Layer = { kind, values: {}, written: {}, problems: [], warnings: [] };
  for (const { name, raw, value, written } of given) {
    layer.written[name] = written;
    const parsed = v.safeParse(SETTINGS[name].schema, value);
    if (parsed.success) Object.assign(layer.values, { [name]: parsed.output });
    else layer.problems.push(problemWith(name, written, raw, kind === "file"));
  }
  const teamless = teamWithoutOrganization(layer);
  if (teamless !== undefined) layer.problems.push(teamless);
  return layer;
}

function teamWithoutOrganization({ kind, values, written }: Layer): string | undefined {
  const { team, organization } = values;
  if (team === undefined) return undefined;
  const [owner, slug] = team.split("/");
  if (slug === undefined) {
    if (written.organization !== undefined) return undefined;
    const named = { flag: "flag", environment: "variable", file: "key" }[kind];
    return `${written.team}: ${JSON.stringify(team)} is a team of which organisation? Write organisation/${team}, or name it with the ${named} for the organisation`;
  }
  if (organization === undefined || organization.toLowerCase() === owner?.toLowerCase()) return undefined;
  return `${written.team}: ${JSON.stringify(team)} is not a team of ${organization}, which ${written.organization} names`;
}

/** Variables that are none of ours, but nearly. A list of who may use the instance under a wrong name would let everybody in. */
function tellMisspelt(env: NodeJS.ProcessEnv, { problems, warnings }: Layer): void {
  const known = new Map(
    SETTING_NAMES.map((name) => [definitionOf(name).variable.slice(PREFIX.length), name]),
  );
  for (const variable of Object.keys(env)) {
    const rest = variable.slice(PREFIX.length);
    if (!variable.startsWith(PREFIX) || variable === CONFIG_VARIABLE || known.has(rest)) continue;
    const near = closest(rest, [...known.keys()]);
    const name = near === undefined ? undefined : known.get(near);
    if (name === undefined) continue;
    const told = isAccess(name) ? problems : warnings;
    told.push(`${variable}: is not known; did you mean ${PREFIX}${near}?`);
  }
}
