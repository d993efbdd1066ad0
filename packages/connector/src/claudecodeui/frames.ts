/**
 * Reads what passes on claudecodeui's chat WebSocket (`/ws`) and says what it means for its sessions. Only watches: it never
 * sends and never subscribes, which in some versions takes the stream away from the user's own tab.
 */
import * as v from "valibot";
import type { WebSocketObserver } from "../adapter.ts";
import type { Observation } from "./sessions.ts";

const IdSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(128));

const FromBrowserSchema = v.variant("type", [
  v.object({
    type: v.picklist(["chat.send", "chat.edit-send"]),
    sessionId: IdSchema,
    options: v.optional(v.object({ projectPath: v.optional(v.string()), cwd: v.optional(v.string()) })),
  }),
  v.object({ type: v.literal("chat.subscribe"), sessions: v.array(v.object({ sessionId: IdSchema })) }),
]);

const FromUpstreamSchema = v.variant("kind", [
  v.object({
    kind: v.literal("permission_request"),
    sessionId: IdSchema,
    requestId: v.string(),
    toolName: v.optional(v.string()),
  }),
  v.object({
    kind: v.picklist(["permission_resolved", "permission_cancelled"]),
    sessionId: IdSchema,
    requestId: v.string(),
  }),
  v.object({
    kind: v.literal("complete"),
    sessionId: IdSchema,
    success: v.optional(v.boolean()),
    aborted: v.optional(v.boolean()),
  }),
  v.object({ kind: v.literal("protocol_error"), sessionId: IdSchema, code: v.string() }),
  v.object({
    kind: v.literal("chat_subscribed"),
    sessionId: IdSchema,
    isProcessing: v.boolean(),
    pendingPermissions: v.optional(
      v.array(v.object({ requestId: v.string(), toolName: v.optional(v.string()) })),
      [],
    ),
  }),
  v.object({
    kind: v.literal("session_upserted"),
    sessionId: IdSchema,
    providerSessionId: v.nullish(IdSchema),
    session: v.optional(v.object({ summary: v.optional(v.string()) })),
    project: v.nullish(v.object({ fullPath: v.optional(v.string()) })),
  }),
]);

type FromUpstream = v.InferOutput<typeof FromUpstreamSchema>;

/** These say that a message was refused because of what already runs, not that nothing does. */
const STILL_RUNNING = new Set(["RUN_IN_PROGRESS"]);

/** Watches one chat WebSocket. `socket` tells it from others; `now` is in milliseconds. */
export function observeChat(
  socket: symbol,
  now: () => number,
  onObservations: (observations: Observation[]) => void,
): WebSocketObserver {
  return {
    fromBrowser: (text) => report(readFromBrowser(text, socket, now())),
    fromUpstream: (text) => report(readFromUpstream(text, now())),
    closed: () => onObservations([{ type: "viewing", socket, ids: [] }]),
  };

  function report(observations: Observation[]): void {
    if (observations.length > 0) onObservations(observations);
  }
}

/** What a frame of the browser means; nothing for frames that mean nothing here, or that are not understood. */
export function readFromBrowser(text: string, socket: symbol, at: number): Observation[] {
  const frame = parse(text, /"chat\.(?:edit-)?(?:send|subscribe)"/, FromBrowserSchema);
  if (!frame) return [];
  if (frame.type === "chat.subscribe") {
    return [{ type: "viewing", socket, ids: frame.sessions.map((session) => session.sessionId) }];
  }
  const { sessionId, options } = frame;
  return [
    { type: "viewing", socket, ids: [sessionId] },
    { type: "started", id: sessionId, at },
    { type: "described", id: sessionId, project: options?.projectPath ?? options?.cwd, title: undefined },
  ];
}

/** What a frame of claudecodeui means. */
export function readFromUpstream(text: string, at: number): Observation[] {
  // Most frames are pieces of an answer: those are not worth parsing.
  const frame = parse(
    text,
    /"kind":"(?:permission_|complete"|protocol_error"|chat_subscribed"|session_upserted")/,
    FromUpstreamSchema,
  );
  return frame ? observationsOf(frame, at) : [];
}

function observationsOf(frame: FromUpstream, at: number): Observation[] {
  const id = frame.sessionId;
  switch (frame.kind) {
    case "permission_request":
      return [{ type: "asked", id, request: frame.requestId, state: stateFor(frame.toolName), at }];
    case "permission_resolved":
    case "permission_cancelled":
      return [{ type: "answered", id, request: frame.requestId, at }];
    case "complete":
      return [{ type: "ended", id, outcome: outcomeOf(frame), at }];
    case "protocol_error":
      return STILL_RUNNING.has(frame.code) ? [] : [{ type: "ended", id, outcome: "idle", at }];
    case "chat_subscribed":
      return subscribed(frame, at);
    case "session_upserted":
      return upserted(frame);
  }
}

function subscribed(frame: FromUpstream & { kind: "chat_subscribed" }, at: number): Observation[] {
  const id = frame.sessionId;
  if (!frame.isProcessing) return [{ type: "ended", id, outcome: "idle", at }];
  const asked = frame.pendingPermissions.map(({ requestId, toolName }): Observation => ({
    type: "asked",
    id,
    request: requestId,
    state: stateFor(toolName),
    at,
  }));
  return [{ type: "started", id, at }, ...asked];
}

function upserted(frame: FromUpstream & { kind: "session_upserted" }): Observation[] {
  const id = frame.sessionId;
  const described: Observation = {
    type: "described",
    id,
    title: frame.session?.summary,
    project: frame.project?.fullPath,
  };
  return frame.providerSessionId
    ? [{ type: "alias", claudeId: frame.providerSessionId, id }, described]
    : [described];
}

function outcomeOf(frame: {
  success?: boolean | undefined;
  aborted?: boolean | undefined;
}): "done" | "failed" | "idle" {
  if (frame.aborted === true) return "idle";
  return frame.success === false ? "failed" : "done";
}

function stateFor(toolName: string | undefined): "needs_permission" | "needs_answer" {
  return toolName === "AskUserQuestion" ? "needs_answer" : "needs_permission";
}

function parse<T>(text: string, worthParsing: RegExp, schema: v.GenericSchema<unknown, T>): T | undefined {
  if (!worthParsing.test(text.slice(0, 4096)) && !worthParsing.test(text.slice(-4096))) return undefined;
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), text);
  return parsed.success ? parsed.output : undefined;
}
