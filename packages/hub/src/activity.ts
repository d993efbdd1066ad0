/** What happened to a person's instances, one entry for each change they care about. Pure: objects, pages and the archive share it. */
import type { Absence, ClaudeSession, Status } from "@ai-orchestrator/protocol";
import type { ActivityQuery, GoneReason, InstanceAction } from "./contracts.ts";
import { sessionsByUrgency } from "./instance.ts";

/** What happened, once. Texts came from the instance or its owner: bounded, never trusted. */
export type Happening =
  | { kind: "connected"; isNew: boolean; absence?: Absence }
  | { kind: "gone"; reason: GoneReason }
  /** The status, and those sessions whose state is another than before, the most urgent first. */
  | { kind: "status"; status: Status; before: Status; sessions: ClaudeSession[] }
  /** `actor` is the login of who did it, `name` the new name. */
  | { kind: "action"; action: InstanceAction["action"] | "open"; actor: string; name?: string };

export type ActivityEntry = Happening & {
  /** Grows with time; entries are ordered by it. */
  id: number;
  /** Milliseconds since the epoch. */
  at: number;
  label: string;
  /** What the instance was called then. */
  title: string;
};

export const ACTIVITY_FILTERS = ["all", "connections", "sessions", "errors", "actions"] as const;
export type ActivityFilter = (typeof ACTIVITY_FILTERS)[number];

/** Of an entry in JSON. */
export const MAX_ENTRY_BYTES = 8192;
const MAX_SESSIONS = 20;
/** UTF-16 code units of a title, a login, a name. */
const MAX_TEXT = 100;
/** UTF-16 code units of a project's path, of which the end is kept. */
const MAX_PATH = 200;

/** Ends of connections that somebody wanted. */
const WANTED_ENDS: readonly GoneReason[] = ["stopped", "disconnected", "replaced"];

/** The sessions whose state is another than before, the most urgent first; one that was not there before was idle. */
export function changedSessions(
  before: readonly ClaudeSession[],
  now: readonly ClaudeSession[],
): ClaudeSession[] {
  const states = new Map(before.map(({ id, state }) => [id, state]));
  const changed = now.filter(({ id, state }) => state !== (states.get(id) ?? "idle"));
  return sessionsByUrgency({ sessions: changed, seenUntil: -1 });
}

/** The entry with texts and sessions cut so that it takes no more than `MAX_ENTRY_BYTES`. */
export function boundedEntry(entry: ActivityEntry): ActivityEntry {
  const title = shortened(entry.title);
  if (entry.kind === "action") {
    const name = entry.name === undefined ? {} : { name: shortened(entry.name) };
    return { ...entry, title, actor: shortened(entry.actor), ...name };
  }
  if (entry.kind !== "status") return { ...entry, title };
  let sessions = entry.sessions.slice(0, MAX_SESSIONS).map(boundedSession);
  while (sessions.length > 0 && byteLength({ ...entry, title, sessions }) > MAX_ENTRY_BYTES)
    sessions = sessions.slice(0, -1);
  return { ...entry, title, sessions };
}

/** Tells the entries that are asked for. Text is looked for in everything people wrote or see as a name, in any case. */
export function activityMatcher(query: ActivityQuery): (entry: ActivityEntry) => boolean {
  const { filter, label } = query;
  const text = query.text?.toLowerCase() ?? "";
  return (entry) =>
    (label === undefined || entry.label === label) &&
    matchesFilter(entry, filter) &&
    (text === "" || textsOf(entry).some((one) => one.toLowerCase().includes(text)));
}

function matchesFilter(entry: ActivityEntry, filter: ActivityFilter): boolean {
  switch (filter) {
    case "all":
      return true;
    case "connections":
      return entry.kind === "connected" || entry.kind === "gone";
    case "sessions":
      return entry.kind === "status" && entry.sessions.length > 0;
    case "errors":
      if (entry.kind === "gone") return !WANTED_ENDS.includes(entry.reason);
      return entry.kind === "status" && entry.sessions.some(({ state }) => state === "failed");
    case "actions":
      return entry.kind === "action";
  }
}

function textsOf(entry: ActivityEntry): string[] {
  switch (entry.kind) {
    case "connected":
    case "gone":
      return [entry.title];
    case "status":
      return [entry.title, ...entry.sessions.flatMap(({ title = "", project }) => [title, project])];
    case "action":
      return [entry.title, entry.actor, entry.name ?? ""];
  }
}

function boundedSession(session: ClaudeSession): ClaudeSession {
  const { title, project } = session;
  return {
    ...session,
    ...(title === undefined ? {} : { title: shortened(title) }),
    project:
      project.length <= MAX_PATH
        ? project
        : `…${project.slice(1 - MAX_PATH).replace(/^[\udc00-\udfff]/, "")}`,
  };
}

/** Halves of characters are dropped. */
function shortened(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

function byteLength(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).byteLength;
}
