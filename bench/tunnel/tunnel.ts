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
import { tablesOf } from "./table.ts";
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
  await withCleanup(() => runLoads(options, results));
  const targets = targetsTable(results);
  const summary = targets === undefined ? [] : [targets];
  const tables = tablesOf(results);
  // The summary last, where a terminal shows it; a document begins with it.
  for (const { heading, rows } of [...tables, ...summary]) printTable(heading, rows);
  const file = keepResults(results, [...summary, ...tables]);
  if (options.write) writeDocument(results, [...summary, ...tables]);
  console.log(`\nKept in ${file}`);
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
