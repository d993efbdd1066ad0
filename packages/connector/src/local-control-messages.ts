/** What is said between the command `orchestrator` and a running connector: one line of JSON each way, nothing secret in it. */
import * as v from "valibot";

const text = v.pipe(v.string(), v.maxLength(4096));

export const QuestionSchema = v.object({ ask: v.picklist(["status", "disconnect"]) });
export type Question = v.InferOutput<typeof QuestionSchema>;

export const RunningSchema = v.object({
  pid: v.number(),
  /** `waiting`: between two attempts. */
  state: v.picklist(["starting", "connecting", "connected", "waiting", "sent_away", "stopped"]),
  /** In a program that embeds the connector. */
  embedded: v.boolean(),
  hub: text,
  clientId: text,
  /** The local web application. */
  target: text,
  project: v.optional(text),
  /** Where people open the instance; known once it was connected. */
  url: v.optional(text),
  /** Milliseconds since the epoch at which `state` began. */
  since: v.number(),
  /** Why it is not connected. */
  reason: v.optional(text),
  status: v.picklist(["idle", "active", "busy"]),
  /** Sessions that wait for a person. */
  needsPerson: v.number(),
});
/** A running connector, as it describes itself. */
export type Running = v.InferOutput<typeof RunningSchema>;

export const AnswerSchema = v.variant("ok", [
  v.object({ ok: v.literal(true), running: RunningSchema }),
  v.object({ ok: v.literal(false), message: text }),
]);
export type Answer = v.InferOutput<typeof AnswerSchema>;

export const MAX_LINE_BYTES = 32 * 1024;
