/** Requests a second for 1 KiB, by wrk, and what they cost in processor time. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { RunningPath } from "../paths/path.ts";
import { cpuByRole } from "../processes.ts";
import { wrk } from "../tools.ts";
import type { Load, Measure, Sample } from "./load.ts";

const SECONDS = 2;
const run = promisify(execFile);

/** The roles that stand in tables by themselves. */
const ROLES = ["nginx", "sshd", "ssh", "workerd", "connector", "client"];

const perRole = ROLES.map((role): Measure => ({
  id: `cpu-${role}`,
  title: `CPU of ${role}, 16 connections`,
  unit: "µs/request",
  better: "less",
  digits: 0,
}));

function requests(connections: number): Load {
  const rate: Measure = {
    id: `requests-${connections}`,
    title: `1 KiB, ${connections} connection${connections === 1 ? "" : "s"}`,
    unit: "requests/s",
    better: "more",
    digits: 0,
  };
  const cpu: Measure = {
    id: "cpu",
    title: "CPU of the path, 16 connections",
    unit: "µs/request",
    better: "less",
    digits: 0,
  };
  return {
    group: "requests",
    upstream: "small",
    measures: connections === 16 ? [rate, cpu, ...perRole] : [rate],
    run: async (path) => {
      const before = cpuByRole(path.processes());
      const { rate: perSecond, count } = await runWrk(path, connections, SECONDS);
      const sample: Sample = { [`requests-${connections}`]: perSecond };
      const after = cpuByRole(path.processes());
      if (connections !== 16 || after.size === 0) return sample;
      let sum = 0;
      for (const [role, used] of after) {
        const each = (used - (before.get(role) ?? 0)) / count;
        sum += each;
        if (ROLES.includes(role)) sample[`cpu-${role}`] = each;
      }
      return { ...sample, cpu: sum };
    },
  };
}

export const requestLoads: Load[] = [1, 16, 64].map(requests);

/** Lets a path's programs be compiled and its connections be made, before anything is measured. */
export async function warmUp(path: RunningPath): Promise<void> {
  await runWrk(path, 16, SECONDS);
}

async function runWrk(
  { port, prefix, headers, origin }: RunningPath,
  connections: number,
  seconds: number,
): Promise<{ rate: number; count: number }> {
  // wrk adds a second host to what it does not find under this very name.
  const fields = Object.entries(headers).flatMap(([name, value]) => [
    "-H",
    `${name === "host" ? "Host" : name}: ${value}`,
  ]);
  const flags = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s"];
  const { stdout } = await run(wrk.program, [...flags, ...fields, `http://127.0.0.1:${port}${prefix}/1k`]);
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
  const count = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  if (/Non-2xx|Socket errors/.test(stdout) || !(rate > 0))
    throw new Error(`${origin} answered wrk with errors:\n${stdout}`);
  return { rate, count };
}
