/** Finds a claudecodeui that runs on this machine, as this user. */
import { detectClaudecodeui } from "./claudecodeui/detect.ts";
import { readLocalServer } from "./claudecodeui/local-server.ts";
import { portOwner, type PortOwner } from "./port-owner.ts";
import { homeFolder } from "./settings-folder.ts";

/** Where claudecodeui listens unless told otherwise, newest versions first. */
export const WELL_KNOWN_PORTS: readonly number[] = [3001, 3002, 3008];

export interface FoundApplication {
  /** Origin, `http://127.0.0.1:3001`. */
  target: string;
  version: string;
}

export interface FindOptions {
  home?: string;
  ports?: readonly number[];
  /** Told which ports were passed over, and why, where that may be news to a person. */
  notice?: (message: string) => void;
}

/**
 * The claudecodeui that says in this home that it runs, else the first at a well-known port; undefined where there is
 * none. A port that is another user's is passed over unasked: what answers there may only look like claudecodeui. So is one
 * of which that cannot be told. Takes as long as an answer on loopback, at most five seconds. Never throws.
 */
export async function findClaudecodeui(options: FindOptions = {}): Promise<FoundApplication | undefined> {
  const marked = await readLocalServer(options.home ?? homeFolder(process.env));
  const ports = options.ports ?? WELL_KNOWN_PORTS;
  const targets = [...(marked ? [marked.target] : []), ...ports.map((port) => `http://127.0.0.1:${port}`)];
  const looks = await Promise.all([...new Set(targets)].map(look));
  const found = looks.find(({ application }) => application !== undefined)?.application;
  if (found === undefined) {
    for (const { target, owner } of looks) if (NOTICES[owner]) options.notice?.(NOTICES[owner](target));
  }
  return found;
}

interface Look {
  target: string;
  owner: PortOwner;
  application?: FoundApplication;
}

async function look(target: string): Promise<Look> {
  const owner = await portOwner(portOf(target));
  // Where that cannot be told, whether one answers still decides whether there is anything to say.
  if (owner === "other" || owner === "nobody") return { target, owner };
  const software = await detectClaudecodeui(target);
  if (software === undefined) return { target, owner: "nobody" };
  return owner === "ours"
    ? { target, owner, application: { target, version: software.version } }
    : { target, owner };
}

const NOTICES: Partial<Record<PortOwner, (target: string) => string>> = {
  other: (target) => `port ${portOf(target)} belongs to another user of this machine; it was passed over`,
  unknown: (target) =>
    `a claudecodeui answers at ${target}, but this system does not say who runs it; if it is yours, name it with --target`,
};

/** The TCP port of an origin. */
export function portOf(origin: string): number {
  return Number(new URL(origin).port || 80);
}
