import * as v from "valibot";
import { TEXT_LIMITS } from "./limits.ts";

/** A status is one word about an instance: see `deriveStatus`. */
export const STATUSES = ["idle", "active", "busy"] as const;
export type Status = (typeof STATUSES)[number];

/** What one Claude session is doing. The first three occupy it; `done` and `failed` stay until a person looks. */
export const SESSION_STATES = [
  "working",
  "needs_permission",
  "needs_answer",
  "done",
  "failed",
  "idle",
] as const;
export type SessionState = (typeof SESSION_STATES)[number];

const shortText = (max: number) => v.pipe(v.string(), v.maxLength(max));

/** One Claude session of an instance. `since` is when it entered `state`, in milliseconds since the epoch. */
export const ClaudeSessionSchema = v.object({
  id: v.pipe(v.string(), v.minLength(1), v.maxLength(TEXT_LIMITS.sessionId)),
  title: v.optional(shortText(TEXT_LIMITS.sessionTitle)),
  project: shortText(TEXT_LIMITS.sessionProject),
  state: v.picklist(SESSION_STATES),
  /** Up to what a `Date` can hold. */
  since: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(8_640_000_000_000_000)),
});
export type ClaudeSession = v.InferOutput<typeof ClaudeSessionSchema>;

/** True while the session waits for a person. */
export function needsPerson(session: Pick<ClaudeSession, "state">): boolean {
  return session.state === "needs_permission" || session.state === "needs_answer";
}

/**
 * An instance is busy while any session works or waits in the middle of its work, else active while a browser is
 * connected, else idle. "Needs you" is a flag beside the status (`needsPerson`), not a fourth word.
 */
export function deriveStatus(sessions: readonly ClaudeSession[], browsers: number): Status {
  if (sessions.some((session) => session.state === "working" || needsPerson(session))) return "busy";
  return browsers > 0 ? "active" : "idle";
}
