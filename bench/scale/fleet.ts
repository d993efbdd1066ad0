/** Many instances at once: real connectors in this process, each with its own connection, and what they do together. */
import { setTimeout as pause } from "node:timers/promises";
import type { SessionState } from "@ai-orchestrator/protocol";
import type { TestHub } from "../../e2e/hub.ts";
import { Puppet, session } from "../../e2e/pages/stage.ts";

const STATES: SessionState[] = ["working", "done", "idle", "working", "needs_permission", "idle", "working"];
const SECOND_MS = 1000;
/** What one that fails is waited for, on a machine that is busy. */
const PATIENCE_MS = 180_000;

export interface Fleet {
  puppets: Puppet[];
  /** Attempts to connect so far, milliseconds of this process's clock. */
  dials: number[];
  /** Registrations so far, in the same way. */
  registrations: number[];
}

/** Begins to connect one instance for each token, all in the same moment. */
export function startFleet(hub: TestHub, tokens: readonly string[]): Fleet {
  const fleet: Fleet = { puppets: [], dials: [], registrations: [] };
  for (const [index, token] of tokens.entries()) {
    const puppet = new Puppet(hub, {
      token,
      allowOtherUser: true,
      // As connectors have it where nothing is set.
      reconnectIntervalMs: 30_000,
      clientId: `scale-${index}`,
      hostname: `machine-${index % 25}`,
      project: `/home/dev/work/project-${index}`,
      sessions: [session(STATES[index % STATES.length] ?? "idle", "before", index * SECOND_MS)],
    });
    puppet.client.on("connecting", () => fleet.dials.push(performance.now()));
    puppet.client.on("connected", () => fleet.registrations.push(performance.now()));
    fleet.puppets.push(puppet);
  }
  for (const { client } of fleet.puppets) client.start();
  return fleet;
}

/** Resolves once this many have registered since the fleet began, or since `from`, an index of `registrations`. */
export async function allRegistered({ puppets, registrations }: Fleet, from = 0): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (registrations.length < from + puppets.length) {
    if (performance.now() > deadline)
      throw new Error(`Only ${registrations.length - from} of ${puppets.length} have registered.`);
    await pause(10);
  }
}

/** Every instance changes once, one after the other within a second. `title` is its session's then. Returns when the last did. */
export async function storm({ puppets }: Fleet, title: string): Promise<number> {
  const begun = performance.now();
  for (const [index, puppet] of puppets.entries()) {
    const dueAt = begun + (index / puppets.length) * SECOND_MS;
    if (performance.now() < dueAt) await pause(dueAt - performance.now());
    puppet.set(session(STATES[(index + 1) % STATES.length] ?? "idle", title));
  }
  return performance.timeOrigin + performance.now();
}

export async function stopFleet({ puppets }: Fleet): Promise<void> {
  await Promise.all(puppets.map((puppet) => puppet.stop()));
}

/** The most of these times that lie within one second. */
export function peakPerSecond(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  let [most, first] = [0, 0];
  for (const [last, at] of sorted.entries()) {
    while ((sorted[first] ?? at) <= at - SECOND_MS) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
