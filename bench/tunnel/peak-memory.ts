/** The most that the processes of a path held in memory while work went through it. */
import type { Load, Measure, Sample } from "./loads/load.ts";
import type { RunningPath } from "./paths/path.ts";
import { memoryByRole, peakByRole, resetPeaks } from "./processes.ts";

const MB = 1e6;

function measure(id: string, title: string): Measure {
  return { id, title, unit: "MB", better: "less", digits: 0 };
}

export const baseline = measure("memory-idle", "Memory of the path after its warm-up, at rest");

/** The measure that a load adds, if it adds one. */
export function memoryMeasure({ memory }: Load): Measure[] {
  return memory === undefined ? [] : [measure(memory.id, `Peak memory of the path: ${memory.title}`)];
}

/** What it holds now. */
export function memoryNow(path: RunningPath): Sample {
  return sampleOf(baseline.id, memoryByRole(path.processes()));
}

/** Runs a load and adds the peak of each process since its beginning. */
export async function withMemory(load: Load, path: RunningPath): Promise<Sample> {
  if (load.memory === undefined) return load.run(path);
  resetPeaks(path.processes());
  const sample = await load.run(path);
  return { ...sample, ...sampleOf(load.memory.id, peakByRole(path.processes())) };
}

function sampleOf(id: string, bytes: ReadonlyMap<string, number>): Sample {
  if (bytes.size === 0) return {};
  const roles = [...bytes].map(([role, value]): [string, number] => [`${id}:${role}`, value / MB]);
  const sum = roles.reduce((all, [, value]) => all + value, 0);
  return { [id]: sum, ...Object.fromEntries(roles) };
}
