/** What claudecodeui's API says of its sessions. Older versions lack these addresses: undefined then. */
import * as v from "valibot";
import type { ApiAnswer } from "./api.ts";

const IdSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(128));

const RunningSchema = v.object({
  data: v.object({
    sessions: v.array(v.object({ sessionId: IdSchema, startedAt: v.optional(v.number(), 0) })),
  }),
});

const DetailsSchema = v.object({
  data: v.object({
    sessionId: IdSchema,
    summary: v.nullish(v.string()),
    project: v.nullish(v.object({ fullPath: v.optional(v.string()) })),
  }),
});

/** Makes one signed-in call, or answers undefined where that is not possible now. */
export type Ask = (path: string) => Promise<ApiAnswer | undefined>;

/** `startedAt` is in milliseconds since the epoch. */
export interface Run {
  id: string;
  startedAt: number;
}

/** The runs claudecodeui has now. */
export async function readRuns(ask: Ask): Promise<Run[] | undefined> {
  const answer = await ask("/api/providers/sessions/running");
  const parsed = answer?.status === 200 ? v.safeParse(RunningSchema, answer.body) : undefined;
  return parsed?.success
    ? parsed.output.data.sessions.map(({ sessionId, startedAt }) => ({ id: sessionId, startedAt }))
    : undefined;
}

export interface SessionDetails {
  /** claudecodeui's own id, whichever id was asked for. */
  id: string;
  title: string | undefined;
  project: string | undefined;
}

/** One session, by claudecodeui's id or by Claude Code's. */
export async function readDetails(ask: Ask, id: string): Promise<SessionDetails | undefined> {
  const answer = await ask(`/api/providers/sessions/${encodeURIComponent(id)}`);
  const parsed = answer?.status === 200 ? v.safeParse(DetailsSchema, answer.body) : undefined;
  if (!parsed?.success) return undefined;
  const { sessionId, summary, project } = parsed.output.data;
  return { id: sessionId, title: summary ?? undefined, project: project?.fullPath };
}
