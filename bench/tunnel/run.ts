/** Drives every load through every path, in turns. */
import { loads } from "./loads/all.ts";
import type { Load, Upstream } from "./loads/load.ts";
import { warmUp } from "./loads/requests.ts";
import type { TunnelOptions } from "./options.ts";
import { pathsNamed } from "./paths/all.ts";
import type { PathName, RunningPath, Target } from "./paths/path.ts";
import { addSample, type Results } from "./results.ts";
import { startSmall, startStreams } from "./upstream.ts";

type Running = Map<PathName, RunningPath>;

const upstreams: Record<Upstream, () => Promise<Target>> = {
  small: startSmall,
  streams: startStreams,
  claudecodeui: startStreams,
};

/** Fills `results`, round after round, so that what a run has cost until it failed is not lost. */
export async function runLoads(options: TunnelOptions, results: Results): Promise<void> {
  const chosen = loads.filter(({ group }) => options.only.includes(group));
  results.measures.push(...chosen.flatMap(({ measures }) => measures));
  for (const upstream of new Set(chosen.map((load) => load.upstream))) {
    const target = await upstreams[upstream]();
    const running: Running = new Map();
    for (const path of pathsNamed(options.paths)) running.set(path.name, await path.start(target));
    for (const path of running.values()) await warmUp(path);
    const ofUpstream = chosen.filter((load) => load.upstream === upstream);
    for (let round = 0; round < options.rounds; round++) {
      console.log(`${upstream}: round ${round + 1} of ${options.rounds}`);
      for (const load of ofUpstream) await runOnce(load, inTurn(running, round), results);
    }
    for (const path of running.values()) await path.stop();
  }
}

async function runOnce(load: Load, running: Running, results: Results): Promise<void> {
  for (const [name, path] of running) {
    if (load.without?.includes(name) === true) continue;
    addSample(results, name, await load.run(path));
  }
}

/** Another path begins each round: what one leaves behind must not always meet the same next one. */
function inTurn(running: Running, round: number): Running {
  const all = [...running];
  const first = round % all.length;
  return new Map([...all.slice(first), ...all.slice(0, first)]);
}
