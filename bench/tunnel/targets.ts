/** What the tunnel is held to, beside `ssh -R` and version 1 in the same run. */
import { titleOf } from "./paths/all.ts";
import type { PathName } from "./paths/path.ts";
import { differenceOf, ratioOf, type Results, type Spread } from "./results.ts";
import type { Table } from "./table.ts";

interface Target {
  title: string;
  /** Of a measure. */
  id: string;
  against: "ssh" | "version-1";
  /** A ratio from this on, a ratio up to this, or at most so much more. */
  wanted: { atLeast: number } | { below: number } | { more: number; unit: string };
}

const targets: readonly Target[] = [
  { title: "requests/s, 16 connections", id: "requests-16", against: "ssh", wanted: { atLeast: 1.5 } },
  { title: "median at 200 requests/s", id: "latency-p50", against: "ssh", wanted: { more: 0.5, unit: "ms" } },
  { title: "p99 at 200 requests/s", id: "latency-p99", against: "ssh", wanted: { below: 1 } },
  { title: "download", id: "download", against: "ssh", wanted: { atLeast: 0.8 } },
  { title: "upload", id: "upload", against: "ssh", wanted: { atLeast: 0.6 } },
  { title: "WebSocket messages of 64 B", id: "ws-small", against: "ssh", wanted: { atLeast: 0.8 } },
  { title: "download in 4 MiB bodies", id: "download-parts", against: "version-1", wanted: { atLeast: 3 } },
  { title: "upload in 4 MiB bodies", id: "upload-parts", against: "version-1", wanted: { atLeast: 3 } },
];

/** Ours, as `npm start` runs it and without Miniflare. */
const OURS: readonly PathName[] = ["tunnel", "workerd"];

/** A row for each target and each of our paths; undefined where the run has nothing to say of any. */
export function targetsTable(results: Results): Table | undefined {
  const rows = targets.flatMap((target) =>
    OURS.flatMap((path) => {
      const found = measured(results, target, path);
      if (found === undefined) return [];
      const name = `${target.title}: ${titleOf(path)}`;
      const range = `${found.low.toFixed(2)} – ${found.high.toFixed(2)}`;
      return [
        [name, words(target), found.median.toFixed(2), range, isMet(target, found) ? "met" : "not met"],
      ];
    }),
  );
  if (rows.length === 0) return undefined;
  return { heading: "Targets", rows: [["", "wanted", "is", "low – high", ""], ...rows] };
}

function measured(results: Results, { id, against, wanted }: Target, path: PathName): Spread | undefined {
  const compare = "more" in wanted ? differenceOf : ratioOf;
  return compare(results, id, path, against);
}

function words({ against, wanted }: Target): string {
  const other = titleOf(against);
  if ("atLeast" in wanted) return `≥ ${wanted.atLeast} × ${other}`;
  if ("below" in wanted) return `< ${wanted.below} × ${other}`;
  return `≤ ${other} + ${wanted.more} ${wanted.unit}`;
}

function isMet({ wanted }: Target, { median }: Spread): boolean {
  if ("atLeast" in wanted) return median >= wanted.atLeast;
  return "below" in wanted ? median < wanted.below : median <= wanted.more;
}
