/** `orchestrator config`: what is in force, where each value came from, and what is wrong. No secret is shown. */
import { inspectSettings, type Settings, type SettingsSources } from "../settings.ts";
import { SETTINGS } from "../settings-table.ts";
import { EXIT } from "./exit-codes.ts";
import type { Terminal } from "./terminal.ts";

const NAMES: readonly (keyof Settings)[] = [
  "mode",
  "url",
  "token",
  "clientId",
  "target",
  "name",
  "project",
  "reconnectIntervalMs",
  "heartbeatIntervalMs",
  "access",
  "allowOtherUser",
];

const TOKEN_SHOWN = "set, not shown";

interface Shown {
  name: keyof Settings;
  value: unknown;
  /** Where it was given. */
  from: string;
}

/** Prints it, for people or as JSON for programs. Resolves to the exit code: 2 where something is wrong. */
export function showConfig(sources: SettingsSources, terminal: Terminal, asJson: boolean): number {
  const { settings, origins, file, warnings, problems } = inspectSettings(sources);
  const shown = NAMES.flatMap((name): Shown[] => {
    const value = name === "token" && settings.token !== undefined ? TOKEN_SHOWN : settings[name];
    return value === undefined ? [] : [{ name, value, from: origins[name]?.written ?? "default" }];
  });
  if (asJson) {
    const values = Object.fromEntries(shown.map(({ name, value, from }) => [name, { value, from }]));
    terminal.print(`${JSON.stringify({ settings: values, file, warnings, problems }, null, 2)}\n`);
  } else {
    for (const line of table(shown, file)) terminal.say(line);
    terminal.say(`The config file is ${file}`, "quiet");
    if (settings.mode === "standalone")
      terminal.say("Nothing here asks for a connection; orchestrator connect does.", "quiet");
    for (const warning of warnings) terminal.say(`Note: ${warning}`);
    for (const problem of problems) terminal.say(problem, "bad");
  }
  return problems.length > 0 ? EXIT.wrongUse : EXIT.ended;
}

/** With the names that the config file has for them. */
function table(shown: Shown[], file: string): string[] {
  const rows = shown.map(({ name, value, from }) => ({
    name: name === "mode" || name === "access" ? name : SETTINGS[name].key,
    value: inWords(value),
    from: from.replace(` in ${file}`, ""),
  }));
  const widest = (column: "name" | "value") => Math.max(...rows.map((row) => row[column].length));
  const [names, values] = [widest("name"), Math.min(widest("value"), 48)];
  return rows.map(({ name, value, from }) => `${name.padEnd(names)}  ${value.padEnd(values)}  ${from}`);
}

function inWords(value: unknown): string {
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([key, part]) => `${key} ${Array.isArray(part) ? part.join(", ") : String(part)}`)
      .join("; ");
  }
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
}
