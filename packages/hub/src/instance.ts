/** An instance as the registry remembers it, and what people are told about it. Pure: pages, pushes and tests share it. */
import type { Absence, AccessList, ClaudeSession, SessionState, Status } from "@ai-orchestrator/protocol";
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
  /** What its owner calls it; empty where they gave it no name. */
  name: string;
  /** Its owner has sent it away and has not asked it back. */
  keptAway: boolean;
  /** Sessions that ended up to then (by the instance's own clock, as their `since`) have been seen by its owner. */
  seenUntil: number;
  /** Why it was away before this connection, where its connector said so. */
  absence: Absence | null;
  /** The version of the protocol that its connector speaks. */
  protocol: 1 | 2;
  /** Its owner lets its pages run on the hub's own origin (path mode). */
  pathTrusted: boolean;
  /** Who may use it, where its settings say so; beside them nobody, its owner included. */
  access: AccessList | null;
}

/** The longest name of an instance, in UTF-16 code units, as `maxlength` of a form counts. */
export const MAX_NAME_LENGTH = 80;

/** The one word on an instance's card. */
export type CardState = SessionState | "unreachable";

export const LANES = ["needs-you", "done", "working", "quiet", "unreachable"] as const;
export type Lane = (typeof LANES)[number];

/** By what the dashboard puts cards together. */
export const GROUPINGS = ["status", "machine", "project"] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** Most urgent first; a card says the state of its most urgent session. */
const URGENCY: readonly SessionState[] = [
  "needs_permission",
  "needs_answer",
  "failed",
  "done",
  "working",
  "idle",
];

/** What its owner sees of its sessions: the most urgent first, among equals the one that has been so for longest. */
export function sessionsByUrgency(instance: Pick<Instance, "sessions" | "seenUntil">): ClaudeSession[] {
  return instance.sessions
    .map((session) =>
      isSeen(session, instance.seenUntil) ? { ...session, state: "idle" as const } : session,
    )
    .toSorted((a, b) => URGENCY.indexOf(a.state) - URGENCY.indexOf(b.state) || a.since - b.since);
}

/** Sessions of an instance that a list says more of than their state; a card shows fewer. */
const DESCRIBED_SESSIONS = 5;

/** As it stands in a list: its most urgent sessions, and of all others the state alone, because a list of many must be small. */
export function listed(instance: Instance): Instance {
  if (instance.sessions.length <= DESCRIBED_SESSIONS) return instance;
  const sessions = sessionsByUrgency(instance).map(({ title, ...session }, index) => {
    if (index >= DESCRIBED_SESSIONS) return { ...session, project: "" };
    return title === undefined ? session : { ...session, title };
  });
  return { ...instance, sessions };
}

function isSeen({ state, since }: ClaudeSession, seenUntil: number): boolean {
  return hasEnded(state) && since <= seenUntil;
}

function hasEnded(state: SessionState | undefined): boolean {
  return state === "done" || state === "failed";
}

/**
 * Its `seenUntil` now that these are its sessions. What was at something else when it was last heard of has ended since, though
 * the instance's clock was ahead when others ended, or it says so late: better that those count as unseen again.
 */
export function seenUntilNow(
  { sessions: before, seenUntil }: Pick<Instance, "sessions" | "seenUntil">,
  sessions: readonly ClaudeSession[],
): number {
  const states = new Map(before.map(({ id, state }) => [id, state]));
  const ended = sessions.filter(
    ({ id, state }) => hasEnded(state) && states.has(id) && !hasEnded(states.get(id)),
  );
  return Math.max(0, Math.min(seenUntil, ...ended.map(({ since }) => since - 1)));
}

/** What the card says, and since when. */
export function cardState(instance: Instance): { state: CardState; since: number } {
  if (!instance.connected) return { state: "unreachable", since: instance.goneAt ?? instance.heardAt };
  const [first] = sessionsByUrgency(instance);
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
    case "done":
      return "done";
    case "working":
      return "working";
    case "idle":
      return "quiet";
    case "unreachable":
      return "unreachable";
  }
}

/**
 * Where a card stands in its group, whatever it is grouped by: keys compare by code unit, here and in the page. The most
 * urgent come first; what waits is ordered by how long it waits, everything else by name, so that cards keep their place.
 */
export function orderKey(instance: Instance): string {
  const { state, since } = cardState(instance);
  const rank = state === "unreachable" ? URGENCY.length : URGENCY.indexOf(state);
  const place =
    laneOf(state) === "needs-you" ? String(since).padStart(16, "0") : instanceTitle(instance).toLowerCase();
  return `${rank} ${place} ${instance.label}`;
}

/** What the card's group is called in this grouping; for `status` it is the lane. Groups of one name are one group. */
export function groupOf(instance: Instance, grouping: Grouping): string {
  switch (grouping) {
    case "status":
      return laneOf(cardState(instance).state);
    case "machine":
      return instance.hostname;
    case "project":
      return lastPathPart(instance.project);
  }
}

/** These in their order; each key is made once. */
export function inOrder(instances: readonly Instance[]): Instance[] {
  const keyed = instances.map((instance) => ({ instance, key: orderKey(instance) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)));
  return keyed.map(({ instance }) => instance);
}

/** Its owner's name for it, else the last part of the project's path, else the host, else the id the instance gave itself. */
export function instanceTitle(
  instance: Pick<Instance, "name" | "project" | "hostname" | "clientId">,
): string {
  const part = lastPathPart(instance.project);
  return [instance.name, part, instance.hostname, instance.clientId].find((text) => text.trim() !== "") ?? "";
}

export function lastPathPart(path: string): string {
  return path.split(/[/\\]+/).findLast((part) => part !== "") ?? "";
}

/** How many instances are in which condition; an unreachable one counts nowhere else. */
export interface Counts {
  needsYou: number;
  /** Finished, and nobody has looked since. */
  done: number;
  busy: number;
  active: number;
  idle: number;
  unreachable: number;
}

/** All that the counts depend on. */
export interface Standing {
  lane: Lane;
  status: Status | "unreachable";
}

export function standingOf(instance: Instance): Standing {
  const lane = laneOf(cardState(instance).state);
  return { lane, status: instance.connected ? instance.status : "unreachable" };
}

export function countInstances(instances: readonly Instance[]): Counts {
  return countStandings(instances.map(standingOf));
}

export function countStandings(standings: Iterable<Standing>): Counts {
  const counts: Counts = { needsYou: 0, done: 0, busy: 0, active: 0, idle: 0, unreachable: 0 };
  for (const { lane, status } of standings) {
    if (lane === "needs-you") counts.needsYou++;
    if (lane === "done") counts.done++;
    counts[status]++;
  }
  return counts;
}
