/** Two runs beside each other: which ratios do not agree. */
import { readFileSync } from "node:fs";
import type { Row } from "../report.ts";
import type { PathName } from "./paths/path.ts";
import { titleOf } from "./paths/all.ts";
import { ratioOf, type Results } from "./results.ts";
import type { Table } from "./table.ts";

/** More than this apart, two ratios do not agree. */
const APART = 0.25;
const OTHERS = ["ssh", "version-1"] as const;

/** Reads two result files and tells of each ratio to `ssh -R` and to version 1 that is more than a quarter apart. */
export function compareRuns(files: readonly string[]): { table: Table; agree: number; all: number } {
  const [one, two] = files.map((file) => JSON.parse(readFileSync(file, "utf8")) as Results);
  if (one === undefined || two === undefined) throw new Error("--compare takes two files of results.");
  const rows: Row[] = [];
  let all = 0;
  for (const measure of one.measures) {
    for (const path of Object.keys(one.values[measure.id] ?? {}) as PathName[]) {
      for (const other of OTHERS.filter((name) => name !== path)) {
        const ratios = [one, two].map((run) => ratioOf(run, measure.id, path, other));
        const [first, second] = ratios;
        if (first === undefined || second === undefined) continue;
        all++;
        const apart = Math.max(first.median / second.median, second.median / first.median) - 1;
        if (apart <= APART) continue;
        const shown = [first, second].map(
          ({ median, low, high }) => `${median.toFixed(2)} (${low.toFixed(2)} – ${high.toFixed(2)})`,
        );
        rows.push([
          `${measure.title}: ${titleOf(path)} × ${titleOf(other)}`,
          ...shown,
          `${Math.round(apart * 100)} %`,
        ]);
      }
    }
  }
  const heading = `Ratios more than ${APART * 100} % apart`;
  return { table: { heading, rows: [["", "one", "two", "apart"], ...rows] }, agree: all - rows.length, all };
}
