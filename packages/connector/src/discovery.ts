/** Finds a claudecodeui that runs on this machine. */
import { homedir } from "node:os";
import { detectClaudecodeui } from "./claudecodeui/detect.ts";
import { readLocalServer } from "./claudecodeui/local-server.ts";

/** Where claudecodeui listens unless told otherwise, newest versions first. */
export const WELL_KNOWN_PORTS: readonly number[] = [3001, 3002, 3008];

export interface FoundApplication {
  /** Origin, `http://127.0.0.1:3001`. */
  target: string;
  version: string;
}

/**
 * The claudecodeui that says in this home that it runs, else the first at a well-known port; undefined where there is
 * none. Takes as long as an answer on loopback, at most five seconds. Never throws.
 */
export async function findClaudecodeui(
  options: { home?: string; ports?: readonly number[] } = {},
): Promise<FoundApplication | undefined> {
  const marked = await readLocalServer(options.home ?? process.env["HOME"] ?? homedir());
  const ports = options.ports ?? WELL_KNOWN_PORTS;
  const targets = [...(marked ? [marked.target] : []), ...ports.map((port) => `http://127.0.0.1:${port}`)];
  const found = await Promise.all(
    [...new Set(targets)].map(async (target) => {
      const software = await detectClaudecodeui(target);
      return software && { target, version: software.version };
    }),
  );
  return found.find((application) => application !== undefined);
}
