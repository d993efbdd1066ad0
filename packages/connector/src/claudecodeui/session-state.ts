/** One Claude session as three witnesses describe it, and the state that follows. Times are milliseconds since the epoch. */
import type { SessionState } from "@ai-orchestrator/protocol";
import type { RegistryEntry } from "./registry.ts";

export type Waiting = "needs_permission" | "needs_answer";
export type Outcome = "done" | "failed" | "idle";

/** Witnesses on one machine disagree by no more than this about when something happened. */
export const SLACK_MS = 1_000;

export interface Session {
  id: string;
  title: string | undefined;
  project: string | undefined;
  state: SessionState;
  since: number;
  /** What frames say: running from an accepted message to the first `complete`. */
  run: { startedAt: number; asked: Map<string, { state: Waiting; at: number }> } | undefined;
  /** When frames last saw a question answered or the run end: older news of other witnesses is void. */
  settledAt: number;
  listed: { startedAt: number } | undefined;
  entry: RegistryEntry | undefined;
  terminal: boolean;
  /** How frames say it ended, once they do. */
  ending: Outcome | undefined;
  /** A person has looked since it ended. */
  seen: boolean;
}

/** A session nothing is known about yet. */
export function createSession(id: string, at: number): Session {
  return {
    id,
    title: undefined,
    project: undefined,
    state: "idle",
    since: at,
    run: undefined,
    settledAt: 0,
    listed: undefined,
    entry: undefined,
    terminal: false,
    ending: undefined,
    seen: false,
  };
}

export interface Live {
  state: "working" | Waiting;
  at: number;
}

/** What it is doing and since when, or undefined when every witness has it at rest. */
export function liveState(session: Session): Live | undefined {
  const entry = currentEntry(session);
  const asked = openQuestion(session, entry);
  if (asked) return asked;
  if (entry && entry.state !== "idle") return { state: entry.state, at: entry.at };
  const startedAt = session.run?.startedAt ?? session.listed?.startedAt;
  return startedAt === undefined
    ? undefined
    : { state: "working", at: Math.max(startedAt, session.settledAt) };
}

/** The last question frames know of, unless the registry has seen it answered since, where no frame passes here. */
function openQuestion({ run }: Session, entry: RegistryEntry | undefined): Live | undefined {
  const asked = run && [...run.asked.values()].at(-1);
  const answered = asked && entry?.state === "working" && entry.at > asked.at + SLACK_MS;
  return answered ? undefined : asked;
}

export function isLive(state: SessionState): state is Live["state"] {
  return state === "working" || state === "needs_permission" || state === "needs_answer";
}

/** What the registry says, unless frames have seen more since. */
function currentEntry({ entry, settledAt }: Session): RegistryEntry | undefined {
  return entry && entry.at > settledAt ? entry : undefined;
}
