/** A way from a browser to a program: what the same loads are driven through. */
import type { PathProcess } from "../processes.ts";

export const pathNames = ["direct", "nginx", "ssh", "tunnel", "workerd", "version-1"] as const;

export type PathName = (typeof pathNames)[number];

/** The program at its far end, on 127.0.0.1. */
export interface Target {
  port: number;
  /** Added to the environment of what runs beside it, a connector. */
  environment?: Record<string, string>;
}

/** Ports of 127.0.0.1 on which processes shall offer their V8 inspector. */
export interface Inspectors {
  workerd: number;
  connector: number;
}

export interface RunningPath {
  /** Where its near end listens on 127.0.0.1. */
  port: number;
  /** Stands before the path of every request; mostly empty. */
  prefix: string;
  /** What every request must hold: `host`, and a sign-in's `cookie` where there is one. */
  headers: Record<string, string>;
  /** Where a browser finds the program, below `prefix`; what changes something must come from there. */
  origin: string;
  /** All that it is made of, the program at its end left out. */
  processes(): PathProcess[];
  stop: () => Promise<void>;
}

export interface Path {
  name: PathName;
  /** As tables name it. */
  title: string;
  start(target: Target, inspectors?: Inspectors): Promise<RunningPath>;
}
