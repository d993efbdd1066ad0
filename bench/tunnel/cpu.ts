/** What the processes of a path use of the processor while work goes through it. */
import type { Sample } from "./loads/load.ts";
import type { RunningPath } from "./paths/path.ts";
import { cpuByRole, total } from "./processes.ts";

/**
 * Does the work and adds to what it has shown the microseconds for each of the things it says it did: of all processes under `id`, of
 * each under `id:role`. A path without processes adds nothing.
 */
export async function withCpu(
  path: RunningPath,
  id: string,
  work: () => Promise<{ sample: Sample; count: number }>,
): Promise<Sample> {
  const before = cpuByRole(path.processes());
  const { sample, count } = await work();
  const after = cpuByRole(path.processes());
  if (after.size === 0) return sample;
  const used = new Map([...after].map(([role, value]) => [role, (value - (before.get(role) ?? 0)) / count]));
  const roles = [...used].map(([role, value]): [string, number] => [`${id}:${role}`, value]);
  return { ...sample, [id]: total(used), ...Object.fromEntries(roles) };
}
