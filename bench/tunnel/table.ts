/** A run as people read it: a table per group of measures. */
import type { Row } from "../report.ts";
import type { Measure } from "./loads/load.ts";
import { titleOf } from "./paths/all.ts";
import { pathNames, type PathName } from "./paths/path.ts";
import { ratioOf, type Results, type Spread, spreadOf } from "./results.ts";

export interface Table {
  heading: string;
  rows: Row[];
}

/** Where a path has no such number. */
const NOTHING = "–";
const HEAD: Row = ["", "median", "low – high", "× ssh -R", "low – high", "× version 1", "low – high"];
const WITH_PARTS: Row = [...HEAD, "of which"];

/** A table for each measure that has numbers, a row per path. */
export function tablesOf(results: Results): Table[] {
  return results.measures.flatMap((measure) => {
    const values = results.values[measure.id];
    if (values === undefined) return [];
    const rows = pathNames.flatMap((path) => {
      const spread = spreadOf(values[path]);
      return spread === undefined ? [] : [rowOf(results, measure, path, spread)];
    });
    const wanted = measure.better === "more" ? "more is better" : "less is better";
    const head = rows.some(({ length }) => length > HEAD.length) ? WITH_PARTS : HEAD;
    const heading = `${measure.title} (${measure.unit}, ${wanted})`;
    return [{ heading, rows: withoutEmpty([head, ...rows]) }];
  });
}

/** Leaves out the columns that have nothing in any row. */
function withoutEmpty([head = [], ...rows]: Row[]): Row[] {
  const isUsed = (column: number) =>
    column === 0 || rows.some((row) => ![undefined, NOTHING].includes(row[column]?.toString()));
  return [head, ...rows].map((row) => row.filter((_, column) => isUsed(column)));
}

function rowOf(results: Results, measure: Measure, path: PathName, spread: Spread): Row {
  const { id, digits } = measure;
  const ratios = (["ssh", "version-1"] as const).flatMap((other) =>
    cells(other === path ? undefined : ratioOf(results, id, path, other), 2),
  );
  return [titleOf(path), ...cells(spread, digits), ...ratios, ...partsOf(results, measure, path)];
}

/** What each kind of process has of it, where there is more than one. */
function partsOf({ values }: Results, { id, digits }: Measure, path: PathName): Row {
  const parts = Object.entries(values).flatMap(([key, ofKey]) => {
    const spread = key.startsWith(`${id}:`) ? spreadOf(ofKey[path]) : undefined;
    return spread === undefined ? [] : [`${key.slice(id.length + 1)} ${spread.median.toFixed(digits)}`];
  });
  return parts.length > 1 ? [parts.join(", ")] : [];
}

function cells(spread: Spread | undefined, digits: number): Row {
  if (spread === undefined) return [NOTHING, NOTHING];
  const show = (value: number) => value.toFixed(digits);
  return [show(spread.median), `${show(spread.low)} – ${show(spread.high)}`];
}
