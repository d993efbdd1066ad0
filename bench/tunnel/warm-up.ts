import type { Load } from "./loads/load.ts";
import { runWrk } from "./loads/requests.ts";
import type { RunningPath } from "./paths/path.ts";

/** Lets a path's programs be compiled and its connections be made, before anything is measured. */
export async function warmUp(path: RunningPath, loads: readonly Load[]): Promise<void> {
  const isPage = loads.some(({ upstream }) => upstream === "claudecodeui");
  // claudecodeui is to be asked what a browser asks.
  if (isPage) for (const load of loads) await load.run(path);
  else await runWrk(path, 16);
}
