/** Requests a second for 1 KiB, by wrk, and what they cost in processor time. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { withCpu } from "../cpu.ts";
import type { RunningPath } from "../paths/path.ts";
import { wrk } from "../tools.ts";
import type { Load } from "./load.ts";

const SECONDS = 2;
const run = promisify(execFile);

export const requestLoads: Load[] = [1, 16, 64].map(requests);

function requests(connections: number): Load {
  const id = `requests-${connections}`;
  const what = `${connections} connection${connections === 1 ? "" : "s"}`;
  const cpu = `cpu-${id}`;
  const load: Load = {
    group: "requests",
    upstream: "small",
    measures: [
      { id, title: `1 KiB, ${what}`, unit: "requests/s", better: "more", digits: 0 },
      { id: cpu, title: `CPU of the path, 1 KiB, ${what}`, unit: "µs a request", better: "less", digits: 0 },
    ],
    run: (path) =>
      withCpu(path, cpu, async () => {
        const { rate, count } = await runWrk(path, connections);
        return { sample: { [id]: rate }, count };
      }),
  };
  return connections === 64 ? { ...load, memory: { id: "memory-requests", title: what } } : load;
}

/** Throws where wrk met a single error. */
export async function runWrk(
  { port, prefix, headers, origin }: RunningPath,
  connections: number,
): Promise<{ rate: number; count: number }> {
  // wrk adds a second host to what it does not find under this very name.
  const fields = Object.entries(headers).flatMap(([name, value]) => [
    "-H",
    `${name === "host" ? "Host" : name}: ${value}`,
  ]);
  const flags = ["-t1", `-c${connections}`, `-d${SECONDS}s`, "--timeout", "10s"];
  const { stdout } = await run(wrk.program, [...flags, ...fields, `http://127.0.0.1:${port}${prefix}/1k`]);
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
  const count = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  if (/Non-2xx|Socket errors/.test(stdout) || !(rate > 0))
    throw new Error(`${origin} answered wrk with errors:\n${stdout}`);
  return { rate, count };
}
