import * as v from "valibot";
import type { ClaudeSession, SessionState, Status } from "./instance-types.ts";
import { TEXT_LIMITS } from "./limits.ts";

export const STATUSES = ["idle", "active", "busy"] as const satisfies readonly Status[];

export const SESSION_STATES = [
  "working",
  "needs_permission",
  "needs_answer",
  "done",
  "failed",
  "idle",
] as const satisfies readonly SessionState[];

const shortText = (max: number) => v.pipe(v.string(), v.maxLength(max));

export const ClaudeSessionSchema = v.object({
  id: v.pipe(v.string(), v.minLength(1), v.maxLength(TEXT_LIMITS.sessionId)),
  title: v.optional(shortText(TEXT_LIMITS.sessionTitle)),
  project: shortText(TEXT_LIMITS.sessionProject),
  state: v.picklist(SESSION_STATES),
  /** Up to what a `Date` can hold. */
  since: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(8_640_000_000_000_000)),
});

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
