/** Speed of the tunnel beside what people would use instead: `npm run bench -- tunnel`. docs/performance.md tells what its numbers mean. */
import { withCleanup } from "./cleanup.ts";
import { parseTunnelOptions } from "./options.ts";
import type { Results } from "./results.ts";
import { runLoads } from "./run.ts";
import { tablesOf } from "./table.ts";
import { installTools, nginx, ssh, sshd, wrk } from "./tools.ts";
import { printTable } from "../report.ts";

export async function benchTunnel(args: string[]): Promise<void> {
  const options = parseTunnelOptions(args);
  installTools([nginx, ssh, sshd, wrk]);
  const results: Results = {
    date: new Date().toISOString(),
    machine: [],
    rounds: options.rounds,
    measures: [],
    values: {},
  };
  await withCleanup(() => runLoads(options, results));
  for (const { heading, rows } of tablesOf(results)) printTable(heading, rows);
}
