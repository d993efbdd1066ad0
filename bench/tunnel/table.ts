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

const HEAD: Row = ["", "median", "low – high", "× ssh -R", "low – high", "× version 1", "low – high"];

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
    return [{ heading: `${measure.title} (${measure.unit}, ${wanted})`, rows: [HEAD, ...rows] }];
  });
}

function rowOf(results: Results, measure: Measure, path: PathName, spread: Spread): Row {
  const { id, digits } = measure;
  const ratios = (["ssh", "version-1"] as const).flatMap((other) =>
    cells(other === path ? undefined : ratioOf(results, id, path, other), 2),
  );
  return [titleOf(path), ...cells(spread, digits), ...ratios];
}

function cells(spread: Spread | undefined, digits: number): Row {
  if (spread === undefined) return ["–", "–"];
  const show = (value: number) => value.toFixed(digits);
  return [show(spread.median), `${show(spread.low)} – ${show(spread.high)}`];
}
