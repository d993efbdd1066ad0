/**
 * What the connector costs those who use its host locally: the same Express server without it, with it in standalone mode, connected, and with
 * a hub that goes and comes back once in each slice. Each round loads all of them, one after the other, in an order that changes; a round's ratio is to its own
 * server without, so what else the machine does meets both. The hub only registers: a whole one on this machine would be measured along.
 */
import { fork, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { median, percentile, printTable, type Row } from "../report.ts";
import { loadFor } from "./load.ts";

const ROUNDS = 20;
const WARM_UP = 2;
const SLICE_MS = 2_000;
/** "without, again" is another process of the same: what its ratios differ from 1 by is noise. */
const MODES = ["without", "without, again", "standalone", "connected", "hub comes and goes"] as const;
type Mode = (typeof MODES)[number];
const TARGET = 0.95;

interface Host {
  child: ChildProcess;
  port: number;
}
interface Slice {
  perSecond: number;
  /** Microseconds of the host's processor time a request. */
  cpu: number;
  /** Milliseconds. */
  median: number;
  p99: number;
}
type Round = Map<Mode, Slice>;

export async function benchLocalUse(): Promise<void> {
  const home = await mkdtemp(path.join(tmpdir(), "local-use-"));
  const [hub, restless] = [start("hub.ts", [], {}), start("hub.ts", [], {})];
  const children = [hub, restless];
  try {
    const hubPort = Number((await told(hub, "port"))["port"]);
    const restlessPort = Number((await told(restless, "port"))["port"]);
    const hosts = new Map<Mode, Host>();
    for (const mode of MODES) {
      const child = start(
        "host.ts",
        [mode],
        settings(mode, mode === "hub comes and goes" ? restlessPort : hubPort, home),
      );
      children.push(child);
      const connected =
        mode === "connected" || mode === "hub comes and goes" ? told(child, "connected") : undefined;
      hosts.set(mode, { child, port: Number((await told(child, "port"))["port"]) });
      await connected;
    }
    report(await measure(hosts, restless));
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await rm(home, { recursive: true, force: true });
  }
}

async function measure(hosts: Map<Mode, Host>, hub: ChildProcess): Promise<Round[]> {
  const rounds: Round[] = [];
  // The first ones warm everything up.
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const slices: Round = new Map();
    for (const mode of turned(MODES, round + WARM_UP)) {
      const host = hosts.get(mode);
      if (host === undefined) continue;
      if (mode === "hub comes and goes") hub.send("restart");
      const before = await cpuOf(host);
      const { perSecond, latencies } = await loadFor(host.port, SLICE_MS);
      const cpu = ((await cpuOf(host)) - before) / latencies.length;
      slices.set(mode, { perSecond, cpu, median: median(latencies), p99: percentile(latencies, 0.99) });
    }
    if (round >= 0) rounds.push(slices);
  }
  return rounds;
}

/** Each comes first, and after each other, equally often. */
function turned(modes: readonly Mode[], round: number): Mode[] {
  const order = round % 2 === 0 ? modes : modes.toReversed();
  const first = round % modes.length;
  return [...order.slice(first), ...order.slice(0, first)];
}

function report(rounds: Round[]): void {
  const rows: Row[] = [["", "", "median", "p10–p90", "of without", "p10–p90"]];
  for (const [name, value, digits] of NUMBERS) {
    for (const mode of MODES) {
      const values = rounds.map((round) => value(sliceOf(round, mode)));
      const ratios = rounds.map((round) => value(sliceOf(round, mode)) / value(sliceOf(round, "without")));
      rows.push([
        name,
        mode,
        median(values).toFixed(digits),
        range(values, digits),
        median(ratios).toFixed(3),
        range(ratios, 2),
      ]);
    }
  }
  printTable(
    `Local use of a server that embeds the connector (${ROUNDS} rounds of ${SLICE_MS} ms each)`,
    rows,
    `Target: at least ${TARGET} of the requests of the server without it. Medians over the rounds; a ratio is of one round's two numbers.`,
  );
}

const NUMBERS: [name: string, value: (slice: Slice) => number, digits: number][] = [
  ["requests/s", ({ perSecond }) => perSecond, 0],
  ["median, ms", (slice) => slice.median, 2],
  ["p99, ms", ({ p99 }) => p99, 2],
  ["host's CPU, µs a request", ({ cpu }) => cpu, 1],
];

function sliceOf(round: Round, mode: Mode): Slice {
  const slice = round.get(mode);
  if (slice === undefined) throw new Error(`${mode} was not measured`);
  return slice;
}

async function cpuOf({ child }: Host): Promise<number> {
  const answer = told(child, "cpu");
  child.send("cpu");
  return Number((await answer)["cpu"]);
}

function range(values: number[], digits: number): string {
  return `${percentile(values, 0.1).toFixed(digits)}–${percentile(values, 0.9).toFixed(digits)}`;
}

function settings(mode: Mode, hubPort: number, home: string): NodeJS.ProcessEnv {
  return {
    HOME: home,
    XDG_CONFIG_HOME: home,
    ORCHESTRATOR_MODE: mode === "standalone" ? "standalone" : "client",
    ORCHESTRATOR_URL: `http://127.0.0.1:${hubPort}`,
    ORCHESTRATOR_TOKEN: "orc_local-use",
    ORCHESTRATOR_RECONNECT_INTERVAL: "500",
  };
}

function start(script: string, args: string[], environment: NodeJS.ProcessEnv): ChildProcess {
  return fork(path.join(import.meta.dirname, script), args, {
    execArgv: ["--conditions=source"],
    env: { ...process.env, ...environment },
  });
}

/** The first message of a child that has this in it. */
function told(child: ChildProcess, name: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const listen = (message: Record<string, unknown>) => {
      if (!(name in message)) return;
      child.off("message", listen);
      resolve(message);
    };
    child.on("message", listen);
    if (child.exitCode !== null) reject(new Error(`a process of the benchmark ended with ${child.exitCode}`));
  });
}
