/** Drives every load through every path, in turns. */
import { loads } from "./loads/all.ts";
import type { Load, Upstream } from "./loads/load.ts";
import { baseline, memoryMeasure, memoryNow, withMemory } from "./peak-memory.ts";
import type { TunnelOptions } from "./options.ts";
import { pathsNamed } from "./paths/all.ts";
import type { PathName, RunningPath } from "./paths/path.ts";
import { addSample, type Results } from "./results.ts";
import { startUpstream } from "./upstream.ts";
import { warmUp } from "./warm-up.ts";

type Running = Map<PathName, RunningPath>;

/** Fills `results`, round after round. Throws at the first thing that goes wrong: a number with errors in it is none. */
export async function runLoads(options: TunnelOptions, results: Results): Promise<void> {
  const chosen = loads.filter(({ group }) => options.only.includes(group));
  results.measures.push(
    ...chosen.flatMap(({ measures }) => measures),
    baseline,
    ...chosen.flatMap(memoryMeasure),
  );
  for (const upstream of new Set(chosen.map((load) => load.upstream))) {
    const ofUpstream = chosen.filter((load) => load.upstream === upstream);
    const running = await start(upstream, ofUpstream, options);
    for (let round = 0; round < options.rounds; round++) {
      console.log(`${upstream}: round ${round + 1} of ${options.rounds}`);
      if (upstream === "small") for (const [name, path] of running) addSample(results, name, memoryNow(path));
      for (const load of ofUpstream) {
        for (const [name, path] of inTurn(running, round)) {
          if (load.without?.includes(name) !== true) addSample(results, name, await withMemory(load, path));
        }
      }
    }
    for (const path of running.values()) await path.stop();
  }
}

async function start(
  upstream: Upstream,
  ofUpstream: readonly Load[],
  options: TunnelOptions,
): Promise<Running> {
  const target = await startUpstream(upstream);
  const running: Running = new Map();
  for (const path of pathsNamed(options.paths)) {
    if (ofUpstream.every(({ without }) => without?.includes(path.name))) continue;
    const started = await path.start(target);
    running.set(path.name, started);
    await warmUp(started, ofUpstream);
  }
  return running;
}

/** Another path begins each round: what one leaves behind must not always meet the same next one. */
function inTurn(running: Running, round: number): Running {
  const all = [...running];
  const first = round % all.length;
  return new Map([...all.slice(first), ...all.slice(0, first)]);
}
