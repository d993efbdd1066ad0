/**
 * V8's processor profiles of connector and workerd under each load, for `--profile <folder>`: files that Chrome's developer tools open,
 * and the functions in which most of the time went, in `profiles.md` too. Taken on plain workerd, where the hub's own code is all there is.
 */
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { WebSocket } from "ws";
import { freePort } from "../../e2e/port.ts";
import { printTable, type Row } from "../report.ts";
import { tableOf } from "./document.ts";
import { loads } from "./loads/all.ts";
import type { Load } from "./loads/load.ts";
import type { TunnelOptions } from "./options.ts";
import type { Inspectors, RunningPath } from "./paths/path.ts";
import { workerd } from "./paths/workerd.ts";
import type { Table } from "./table.ts";
import { startUpstream } from "./upstream.ts";
import { warmUp } from "./warm-up.ts";

const SAMPLE_EVERY_US = 200;
const SHOWN = 25;

/** The parts of a profile that are read here; times in microseconds. */
interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

export async function profileLoads(options: TunnelOptions, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const tables: Table[] = [];
  const chosen = loads.filter(
    ({ group, without }) => options.only.includes(group) && without?.includes("workerd") !== true,
  );
  for (const upstream of new Set(chosen.map((load) => load.upstream))) {
    const ofUpstream = chosen.filter((load) => load.upstream === upstream);
    const inspectors: Inspectors = { workerd: await freePort(), connector: await freePort() };
    const running = await workerd.start(await startUpstream(upstream), inspectors);
    await warmUp(running, ofUpstream);
    for (const load of ofUpstream) tables.push(...(await profileLoad(load, running, inspectors, folder)));
    await running.stop();
  }
  writeFileSync(path.join(folder, "profiles.md"), tables.map(tableOf).join("\n"));
}

async function profileLoad(
  load: Load,
  running: RunningPath,
  inspectors: Inspectors,
  folder: string,
): Promise<Table[]> {
  const name = load.measures[0]?.id ?? load.group;
  const sessions = await Promise.all([
    open("workerd", inspectors.workerd),
    open("connector", inspectors.connector),
  ]);
  for (const session of sessions) await session.start();
  await load.run(running);
  const tables: Table[] = [];
  for (const session of sessions) {
    const profile = await session.stop();
    writeFileSync(path.join(folder, `${name}-${session.role}.cpuprofile`), JSON.stringify(profile));
    const table = { heading: `${name}: ${session.role}`, rows: hottest(profile) };
    tables.push(table);
    printTable(table.heading, table.rows);
  }
  return tables;
}

interface Session {
  role: string;
  start(): Promise<void>;
  stop(): Promise<Profile>;
}

/** Attaches to the one program that runs there: of workerd's, the hub. */
async function open(role: string, port: number): Promise<Session> {
  const list = await fetch(`http://127.0.0.1:${port}/json/list`);
  const targets = (await list.json()) as { webSocketDebuggerUrl: string }[];
  const url = targets.find(
    (target) => !target.webSocketDebuggerUrl.includes("stand-ins"),
  )?.webSocketDebuggerUrl;
  if (url === undefined) throw new Error(`nothing to profile in ${role}`);
  const socket = new WebSocket(url, { maxPayload: 0 });
  await once(socket, "open");
  let lastId = 0;
  const call = async (method: string, params: object = {}): Promise<unknown> => {
    const id = ++lastId;
    socket.send(JSON.stringify({ id, method, params }));
    for (;;) {
      const [data] = (await once(socket, "message")) as [Buffer];
      const answer = JSON.parse(data.toString()) as {
        id?: number;
        result?: unknown;
        error?: { message: string };
      };
      if (answer.id !== id) continue;
      if (answer.error !== undefined) throw new Error(`${role}: ${method}: ${answer.error.message}`);
      return answer.result;
    }
  };
  return {
    role,
    start: async () => {
      await call("Profiler.enable");
      await call("Profiler.setSamplingInterval", { interval: SAMPLE_EVERY_US });
      await call("Profiler.start");
    },
    stop: async () => {
      const { profile } = (await call("Profiler.stop")) as { profile: Profile };
      socket.terminate();
      return profile;
    },
  };
}

/** The functions with the most time of their own, in shares of the time that was not idle. */
function hottest({ nodes, samples, timeDeltas }: Profile): Row[] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map<string, number>();
  let busy = 0;
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id);
    if (frame === undefined || frame.functionName === "(idle)") continue;
    const where = frame.url === "" ? "" : ` ${path.basename(frame.url)}:${frame.lineNumber + 1}`;
    const name = `${frame.functionName || "(anonymous)"}${where}`;
    const time = timeDeltas[index] ?? 0;
    times.set(name, (times.get(name) ?? 0) + time);
    busy += time;
  }
  const sorted = [...times].toSorted(([, one], [, two]) => two - one).slice(0, SHOWN);
  const rows = sorted.map(([name, time]): Row => [name, `${((100 * time) / busy).toFixed(1)} %`]);
  return [["function", "of its own"], ...rows];
}
