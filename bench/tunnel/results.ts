/** Numbers of a run, and what is derived from them. */
import type { Measure, Sample } from "./loads/load.ts";
import type { PathName } from "./paths/path.ts";

export interface Results {
  /** When it began, as ISO 8601. */
  date: string;
  machine: string[];
  rounds: number;
  measures: Measure[];
  /** By measure and path: a number per round, in order. */
  values: Record<string, Partial<Record<PathName, number[]>>>;
}

export interface Spread {
  median: number;
  low: number;
  high: number;
}

export function addSample(results: Results, path: PathName, sample: Sample): void {
  for (const [id, value] of Object.entries(sample)) ((results.values[id] ??= {})[path] ??= []).push(value);
}

/** Median and both ends; undefined without numbers. */
export function spreadOf(values: readonly number[] | undefined): Spread | undefined {
  if (values === undefined || values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? at(Math.floor(middle)) : (at(middle - 1) + at(middle)) / 2;
  return { median, low: at(0), high: at(sorted.length - 1) };
}

/** How a path stands to another: of each round by itself, so that what else the machine did meets both. */
export function ratioOf(results: Results, id: string, path: PathName, other: PathName): Spread | undefined {
  return paired(results, id, [path, other], (one, two) => one / two);
}

/** The same as a difference. */
export function differenceOf(
  results: Results,
  id: string,
  path: PathName,
  other: PathName,
): Spread | undefined {
  return paired(results, id, [path, other], (one, two) => one - two);
}

function paired(
  { values }: Results,
  id: string,
  [path, other]: [PathName, PathName],
  combine: (one: number, two: number) => number,
): Spread | undefined {
  const others = values[id]?.[other] ?? [];
  const both = (values[id]?.[path] ?? []).flatMap((value, round) => {
    const against = others[round];
    return against === undefined ? [] : [combine(value, against)];
  });
  return spreadOf(both);
}
