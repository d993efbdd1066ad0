/**
 * Measures what the hub is held to: `npm run bench [-- name…] [flags…]`, without names everything. Prints tables; each says what its
 * numbers are. Times are this machine's, taken on the hub that `npm start` runs; bytes and counts are the same everywhere. Flags are
 * for `tunnel` (tunnel/options.ts).
 */
import { cpus, loadavg } from "node:os";
import process from "node:process";
import { build } from "../packages/hub/local/build.ts";
import { benchCrowdMemory } from "./crowd-memory.ts";
import { benchFirstLoad } from "./dashboard/first-load.ts";
import { benchLighthouse } from "./dashboard/lighthouse.ts";
import { benchStatusToScreen } from "./dashboard/status-to-screen.ts";
import { benchFirstVisit } from "./first-visit.ts";
import { benchLocalUse } from "./local-use/local-use.ts";
import { printTable } from "./report.ts";
import { parseTunnelOptions } from "./tunnel/options.ts";
import { benchTunnel } from "./tunnel/tunnel.ts";
import { benchScale } from "./scale/scale.ts";

const benches: Record<string, (flags: string[]) => Promise<void>> = {
  tunnel: benchTunnel,
  "status-to-screen": benchStatusToScreen,
  "first-load": benchFirstLoad,
  lighthouse: benchLighthouse,
  "local-use": benchLocalUse,
  "first-visit": benchFirstVisit,
  scale: benchScale,
  "crowd-memory": benchCrowdMemory,
};

/** Names for several at once. */
const groups: Record<string, string[]> = { dashboard: ["status-to-screen", "first-load", "lighthouse"] };

const KNOWN = [...Object.keys(groups), ...Object.keys(benches)].join(", ");
const HELP = `npm run bench [-- name… [flags…]]

Without a name everything is measured. Names: ${KNOWN}.
Flags are for tunnel; docs/performance.md lists them.`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(HELP);
    return 0;
  }
  const firstFlag = args.findIndex((arg) => arg.startsWith("-"));
  const asked = firstFlag === -1 ? args : args.slice(0, firstFlag);
  const flags = args.slice(asked.length);
  const names =
    asked.length === 0
      ? Object.keys(benches)
      : asked.flatMap((name) => (Object.hasOwn(groups, name) ? (groups[name] ?? []) : [name]));
  const wrong = whatIsWrong(names, flags);
  if (wrong !== undefined) {
    console.error(wrong);
    return 1;
  }
  build(console.log);
  describeMachine();
  try {
    for (const name of new Set(names)) await benches[name]?.(flags);
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}

/** Before anything is built or started. */
function whatIsWrong(names: string[], flags: string[]): string | undefined {
  const unknown = names.filter((name) => !Object.hasOwn(benches, name));
  if (unknown.length > 0) return `Not a benchmark: ${unknown.join(", ")}. There are ${KNOWN}.`;
  if (flags.length === 0) return undefined;
  if (!names.includes("tunnel")) return `${names.join(", ")} takes no flags; tunnel does.`;
  try {
    parseTunnelOptions(flags);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What times mean depends on it, and on what else the machine was doing. */
function describeMachine(): void {
  const [cpu] = cpus();
  printTable("Machine", [
    ["processors", `${cpus().length} × ${cpu?.model.trim() ?? "unknown"}`],
    ["load before", `${loadavg()[0]?.toFixed(1)} (1 minute)`],
    ["runtime", `Node ${process.version}, ${process.platform} ${process.arch}`],
  ]);
}
