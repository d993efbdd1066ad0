/**
 * What the connector costs those who use its host locally: one Express server without it, with it in standalone mode, connected, and with a hub
 * that goes and comes back once in each slice. Each round loads all of them, one after the other, in an order that changes, and all in one process: two processes of the same
 * program differ by more than what is asked here. A round's ratio is to its own slice without. The hub only registers: a whole one on this machine would be measured along.
 */
import { fork, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { median, percentile, printTable, type Row } from "../report.ts";
import { loadFor } from "./load.ts";

const ROUNDS = 20;
const WARM_UP = 2;
const SLICE_MS = 2000;
/** What the slices of "without, again" differ by from those before is noise. */
const MODES = ["without", "without, again", "standalone", "connected", "hub comes and goes"] as const;
export type Mode = (typeof MODES)[number];
/** What the host is asked; it answers with the processor time it has used, in microseconds. */
export type Ask = { ask: "mode"; mode: Mode } | { ask: "cpu" };
const TARGET = 0.95;

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
  const children: ChildProcess[] = [];
  try {
    const hub = start("hub.ts", {});
    children.push(hub);
    const { port: hubPort = 0 } = await told(hub, "port");
    const host = start("host.ts", settings(hubPort, home));
    children.push(host);
    const { port = 0 } = await told(host, "port");
    report(await measure({ host, hub, port }));
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await rm(home, { recursive: true, force: true });
  }
}

interface Place {
  host: ChildProcess;
  hub: ChildProcess;
  /** The host's. */
  port: number;
}

async function measure(place: Place): Promise<Round[]> {
  const rounds: Round[] = [];
  // The first ones warm everything up.
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const slices: Round = new Map();
    for (const mode of turned(MODES, round + WARM_UP)) slices.set(mode, await measureSlice(mode, place));
    if (round >= 0) rounds.push(slices);
  }
  return rounds;
}

async function measureSlice(mode: Mode, { host, hub, port }: Place): Promise<Slice> {
  const before = await ask(host, { ask: "mode", mode });
  if (mode === "hub comes and goes") hub.send("restart");
  const { perSecond, latencies } = await loadFor(port, SLICE_MS);
  const cpu = ((await ask(host, { ask: "cpu" })) - before) / latencies.length;
  return { perSecond, cpu, median: median(latencies), p99: percentile(latencies, 0.99) };
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

async function ask(host: ChildProcess, what: Ask): Promise<number> {
  const answer = told(host, "cpu");
  host.send(what);
  const { cpu = 0 } = await answer;
  return cpu;
}

function range(values: number[], digits: number): string {
  return `${percentile(values, 0.1).toFixed(digits)}–${percentile(values, 0.9).toFixed(digits)}`;
}

function settings(hubPort: number, home: string): NodeJS.ProcessEnv {
  return {
    HOME: home,
    XDG_CONFIG_HOME: home,
    ORCHESTRATOR_MODE: "client",
    ORCHESTRATOR_URL: `http://127.0.0.1:${hubPort}`,
    ORCHESTRATOR_TOKEN: "orc_local-use",
    ORCHESTRATOR_RECONNECT_INTERVAL: "500",
  };
}

function start(script: string, environment: NodeJS.ProcessEnv): ChildProcess {
  return fork(path.join(import.meta.dirname, script), {
    execArgv: ["--conditions=source"],
    env: { ...process.env, ...environment },
  });
}

/** The first message of a child that has this in it; numbers are all they say. */
function told(child: ChildProcess, name: string): Promise<Record<string, number>> {
  return new Promise((resolve, reject) => {
    const listen = (message: Record<string, number>) => {
      if (!(name in message)) return;
      child.off("message", listen);
      resolve(message);
    };
    child.on("message", listen);
    if (child.exitCode !== null) reject(new Error(`a process of the benchmark ended with ${child.exitCode}`));
  });
}
