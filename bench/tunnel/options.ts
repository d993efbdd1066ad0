/** What `npm run bench -- tunnel …` is told. */
import { parseArgs } from "node:util";
import { pathNames, type PathName } from "./paths/path.ts";

export interface TunnelOptions {
  rounds: number;
  /** Groups of loads; all where none is named. */
  only: string[];
  paths: PathName[];
  /** Puts the tables into docs/performance.md. */
  write: boolean;
  /** Folder for V8 profiles of connector and workerd. */
  profile: string | undefined;
  /** Two result files to hold against each other, instead of a run. */
  compare: string[];
}

const groups = ["requests", "latency", "transfer", "websocket", "streaming", "page"] as const;

const DEFAULT_ROUNDS = 5;

/** Reads the flags after `tunnel`; throws with a sentence for a person where they make no sense. */
export function parseTunnelOptions(
  args: string[],
  environment: NodeJS.ProcessEnv = process.env,
): TunnelOptions {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rounds: { type: "string" },
      only: { type: "string" },
      paths: { type: "string" },
      write: { type: "boolean", default: false },
      profile: { type: "string" },
      compare: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds ?? (environment["BENCH_ROUNDS"] || DEFAULT_ROUNDS));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds takes a whole number from 1.");
  const compare = values.compare ? positionals : [];
  if (compare.length !== (values.compare ? 2 : 0) || (!values.compare && positionals.length > 0))
    throw new Error("Two files belong to --compare, and none to anything else.");
  return {
    rounds,
    only: chosen("--only", values.only, groups),
    paths: chosen("--paths", values.paths, pathNames),
    write: values.write,
    profile: values.profile,
    compare,
  };
}

function chosen<T extends string>(flag: string, text: string | undefined, all: readonly T[]): T[] {
  if (text === undefined) return [...all];
  const names = text.split(",");
  const unknown = names.filter((name) => !all.some((one) => one === name));
  if (unknown.length > 0) throw new Error(`${flag} takes ${all.join(", ")}; not ${unknown.join(", ")}.`);
  return all.filter((one) => names.includes(one));
}
