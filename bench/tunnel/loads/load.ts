/** A piece of work that is driven through a path. */
import type { RunningPath, PathName } from "../paths/path.ts";

/** What it needs at the far end: nginx's 1 KiB, the program of `upstream-process.ts`, or claudecodeui. */
export type Upstream = "small" | "streams" | "claudecodeui";

export interface Measure {
  id: string;
  title: string;
  unit: string;
  better: "more" | "less";
  /** Digits after the point. */
  digits: number;
}

/** What one run has shown: a number for each measure's id; of what belongs to one kind of process, for `id:role`. */
export type Sample = Record<string, number>;

export interface Load {
  /** For `--only`. */
  group: string;
  upstream: Upstream;
  measures: Measure[];
  /** The paths it cannot be driven through, if any. */
  without?: readonly PathName[];
  /** Where the peak of the path's memory is to be known, too. */
  memory?: { id: string; title: string };
  /** Throws where any of the work failed: a number with errors in it is none. */
  run(path: RunningPath): Promise<Sample>;
}
