/**
 * Speed of the tunnel beside what people would use instead: `npm run bench -- tunnel`. docs/performance.md tells what its numbers mean and
 * what it takes (options.ts).
 */
import { cpus, loadavg } from "node:os";
import { printTable } from "../report.ts";
import { withCleanup } from "./cleanup.ts";
import { compareRuns } from "./compare.ts";
import { keepResults, writeDocument } from "./document.ts";
import { parseTunnelOptions, type TunnelOptions } from "./options.ts";
import { profileLoads } from "./profile.ts";
import type { Results } from "./results.ts";
import { runLoads } from "./run.ts";
import { tablesOf, type Table } from "./table.ts";
import { targetsTable } from "./targets.ts";
import { installTools, nginx, ssh, sshd, versions, wrk } from "./tools.ts";

/** Throws where a load fails, what it compares with cannot be installed, or the flags make no sense. */
export async function benchTunnel(args: string[]): Promise<void> {
  const options = parseTunnelOptions(args);
  const { profile } = options;
  if (options.compare.length > 0) return compare(options.compare);
  installTools([nginx, ssh, sshd, wrk]);
  if (profile !== undefined) return withCleanup(() => profileLoads(options, profile));
  return measure(options);
}

async function measure(options: TunnelOptions): Promise<void> {
  const results: Results = {
    date: new Date().toISOString(),
    machine: describeMachine(),
    rounds: options.rounds,
    measures: [],
    values: {},
  };
  try {
    await withCleanup(() => runLoads(options, results));
  } finally {
    // Of a run that failed, too: what came before that was measured.
    if (Object.keys(results.values).length > 0) show(results);
  }
  if (options.write) writeDocument(results, inDocument(results));
}

function show(results: Results): void {
  const tables = inDocument(results);
  // The summary last, where a terminal shows it; a document begins with it.
  const [first, ...others] = tables;
  for (const { heading, rows } of [...others, ...(first ? [first] : [])]) printTable(heading, rows);
  console.log(`\nKept in ${keepResults(results, tables)}`);
}

/** What was measured, the summary first: it is what is looked for. */
function inDocument(results: Results): Table[] {
  const targets = targetsTable(results);
  return [...(targets === undefined ? [] : [targets]), ...tablesOf(results)];
}

function describeMachine(): string[] {
  const processors = `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}`;
  // A machine with more to do than it has processors shows it in every number.
  const load = `load before: ${loadavg()[0]?.toFixed(1)}`;
  return [processors, load, `Node ${process.version}`, ...versions()];
}

function compare(files: readonly string[]): void {
  const { table, agree, all } = compareRuns(files);
  printTable(table.heading, table.rows, `${agree} of ${all} ratios agree.`);
}
