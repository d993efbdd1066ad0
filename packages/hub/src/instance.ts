/** An instance as the registry remembers it, and what people are told about it. Pure: pages, pushes and tests share it. */
import type { ClaudeSession, SessionState, Status } from "@ai-orchestrator/protocol";
import type { GoneReason } from "./contracts.ts";

/** Every text of it came from the instance: bounded, never trusted. Times are milliseconds since the epoch. */
export interface Instance {
  clientId: string;
  label: string;
  tokenId: string;
  software: { name: string; version: string };
  hostname: string;
  project: string;
  platform: string;
  upstream: { name: string; version: string } | null;
  status: Status;
  statusSince: number;
  sessions: ClaudeSession[];
  connected: boolean;
  connectedAt: number;
  /** When the instance last proved that it lives, as far as the registry knows. */
  heardAt: number;
  goneAt: number | null;
  goneReason: GoneReason | null;
  firstSeenAt: number;
}

/** The one word on an instance's card. */
export type CardState = SessionState | "unreachable";

export const LANES = ["needs-you", "working", "quiet", "unreachable"] as const;
export type Lane = (typeof LANES)[number];

/** Most urgent first; a card says the state of its most urgent session. */
const URGENCY: readonly SessionState[] = [
  "needs_permission",
  "needs_answer",
  "failed",
  "working",
  "done",
  "idle",
];

/** Sessions, the most urgent first and among equals the one that has been so for longest. */
export function sessionsByUrgency(sessions: readonly ClaudeSession[]): ClaudeSession[] {
  return sessions.toSorted(
    (a, b) => URGENCY.indexOf(a.state) - URGENCY.indexOf(b.state) || a.since - b.since,
  );
}

/** What the card says, and since when. */
export function cardState(instance: Instance): { state: CardState; since: number } {
  if (!instance.connected) return { state: "unreachable", since: instance.goneAt ?? instance.heardAt };
  const [first] = sessionsByUrgency(instance.sessions);
  if (first !== undefined && first.state !== "idle") return { state: first.state, since: first.since };
  return { state: instance.status === "busy" ? "working" : "idle", since: instance.statusSince };
}

/** The lane of a card in this state. */
export function laneOf(state: CardState): Lane {
  switch (state) {
    case "needs_permission":
    case "needs_answer":
    case "failed":
      return "needs-you";
    case "working":
      return "working";
    case "done":
    case "idle":
      return "quiet";
    case "unreachable":
      return "unreachable";
  }
}

/**
 * Where a card stands in its lane: keys compare by code unit, here and in the page. What waits is ordered by how long
 * it waits; everything else by name, so that cards keep their place.
 */
export function orderKey(instance: Instance): string {
  const { state, since } = cardState(instance);
  if (laneOf(state) === "needs-you") return `${String(since).padStart(16, "0")} ${instance.label}`;
  return `${instanceTitle(instance).toLowerCase()} ${instance.label}`;
}

export function byOrder(a: Instance, b: Instance): number {
  const [first, second] = [orderKey(a), orderKey(b)];
  return first < second ? -1 : Number(first > second);
}

/** The last part of the project's path, else the host, else the id the instance gave itself. */
export function instanceTitle(instance: Pick<Instance, "project" | "hostname" | "clientId">): string {
  const part = lastPathPart(instance.project);
  return [part, instance.hostname, instance.clientId].find((text) => text.trim() !== "") ?? "";
}

export function lastPathPart(path: string): string {
  return path.split(/[/\\]+/).findLast((part) => part !== "") ?? "";
}

/** How many instances are in which condition; an unreachable one counts nowhere else. */
export interface Counts {
  needsYou: number;
  busy: number;
  active: number;
  idle: number;
  unreachable: number;
}

export function countInstances(instances: readonly Instance[]): Counts {
  const counts: Counts = { needsYou: 0, busy: 0, active: 0, idle: 0, unreachable: 0 };
  for (const instance of instances) {
    if (laneOf(cardState(instance).state) === "needs-you") counts.needsYou++;
    counts[instance.connected ? instance.status : "unreachable"]++;
  }
  return counts;
}
