/** Settings on a command line: `--orchestrator-url …` where a program embeds the connector, `--url …` for the command `orchestrator`. */
import type { Flags, SettingName } from "./settings-names.ts";
import { SETTING_NAMES, SETTINGS } from "./settings-table.ts";
import { closest } from "./settings-words.ts";

const PREFIX = "--orchestrator-";

/** The flag of each setting, and of the config file, without dashes. */
export const FLAG_NAMES: ReadonlyMap<string, SettingName | "config"> = new Map([
  ...SETTING_NAMES.map((name) => [SETTINGS[name].flag, name] as const),
  ["config", "config"] as const,
]);

/**
 * What the arguments of a program (without node and script) say to the connector in it: `--orchestrator-url <hub>` or
 * `--orchestrator-url=<hub>`. Everything else is the program's own. `problems` has a line for each that is not understood.
 */
export function readHostFlags(argv: readonly string[]): { flags: Flags; problems: string[] } {
  const flags: Flags = {};
  const problems: string[] = [];
  const end = argv.indexOf("--");
  const own = end < 0 ? argv : argv.slice(0, end);
  for (const [index, argument] of own.entries()) {
    if (!argument.startsWith(PREFIX)) continue;
    const [written = "", ...rest] = argument.split("=");
    const flag = written.slice(PREFIX.length);
    const name = FLAG_NAMES.get(flag);
    const next = own[index + 1];
    const text = rest.length > 0 ? rest.join("=") : next;
    if (name === undefined) problems.push(unknown(flag));
    else if (text === undefined || (rest.length === 0 && text.startsWith("--")))
      problems.push(`${written}: is without a value`);
    else flags[name] = { text, written };
  }
  return { flags, problems };
}

function unknown(flag: string): string {
  const names = [...FLAG_NAMES.keys()];
  const near = closest(flag, names);
  const hint =
    near === undefined
      ? `there is: ${names.map((name) => PREFIX + name).join(", ")}`
      : `did you mean ${PREFIX}${near}?`;
  return `${PREFIX}${flag}: is not known; ${hint}`;
}
