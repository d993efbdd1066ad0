/**
 * Control messages of version 2: JSON in text frames. The one place where the wire's words (`client_id`) are read.
 * Unknown `type`s are ignored (a later version may send them); known ones are checked strictly.
 */
import * as v from "valibot";
import { CONNECTION_ERRORS, ConnectionError, type ConnectionErrorCode } from "./errors.ts";
import { parseTyped } from "./json-message.ts";
import type { AccessList } from "./instance-types.ts";
import { LIMITS, TEXT_LIMITS } from "./limits.ts";
import { ClaudeSessionSchema, STATUSES } from "./status.ts";

export const SUBPROTOCOL = "orchestrator.v2";
export const PROTOCOL_VERSION = 2;

/**
 * The heartbeat is one fixed text each way, so that the platform answers it without waking the hub. No proxied
 * application has a reason to send these words.
 */
export const HEARTBEAT_PING = "orchestrator.v2.ping";
export const HEARTBEAT_PONG = "orchestrator.v2.pong";

const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
const count = (min: number, max: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));

/** Said in `register` by a connector that answers `log_request`. */
export const LOG_CAPABILITY = "log";
/** Said in `register` by a connector that answers a command with an id once it has done it. */
export const COMMANDS_CAPABILITY = "commands";

/** Chosen by the instance and kept by it; unique per owner. Printable ASCII without spaces, 1–128 characters. */
export const ClientIdSchema = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,128}$/));

const SoftwareSchema = v.object({ name: text(TEXT_LIMITS.software), version: text(TEXT_LIMITS.software) });

const PeerLimitsSchema = v.object({
  stream_window: count(1024, LIMITS.maxWindowBytes),
  max_streams: count(1, 65_536),
  max_websocket_message: count(1024, LIMITS.maxWindowBytes),
});

export const InstanceMetadataSchema = v.object({
  hostname: text(TEXT_LIMITS.hostname),
  project: text(TEXT_LIMITS.project),
  platform: text(TEXT_LIMITS.platform),
  upstream: v.optional(SoftwareSchema),
});

/** Milliseconds since the epoch, up to what a `Date` can hold. */
const time = count(0, 8_640_000_000_000_000);

export const ABSENCE_CAUSES = ["asleep", "frozen", "network"] as const;
const AbsenceSchema = v.object({ cause: v.picklist(ABSENCE_CAUSES), since: time, until: time });

const AccessListSchema = v.object({
  users: v.optional(v.pipe(v.array(text(TEXT_LIMITS.gitHubName)), v.maxLength(TEXT_LIMITS.accessUsers))),
  organization: v.optional(text(TEXT_LIMITS.gitHubName)),
  team: v.optional(text(TEXT_LIMITS.gitHubName)),
});

/** True of what `register` takes as a list; its names may still be nobody's. */
export function isAccessList(value: unknown): value is AccessList {
  return v.is(AccessListSchema, value);
}

const LogLineSchema = v.object({
  at: time,
  level: v.picklist(["info", "warning", "error"]),
  text: text(TEXT_LIMITS.logLine),
});

const StatusFields = {
  status: v.picklist(STATUSES),
  sessions: v.pipe(v.array(ClaudeSessionSchema), v.maxLength(TEXT_LIMITS.sessions)),
};

const RegisterSchema = v.object({
  type: v.literal("register"),
  protocol: count(1, 1000),
  client_id: ClientIdSchema,
  software: SoftwareSchema,
  metadata: InstanceMetadataSchema,
  capabilities: v.pipe(v.array(text(64)), v.maxLength(64)),
  limits: PeerLimitsSchema,
  absence: v.optional(AbsenceSchema),
  access: v.optional(AccessListSchema),
  ...StatusFields,
});

const RegisteredSchema = v.object({
  type: v.literal("registered"),
  success: v.literal(true),
  protocol: count(1, 1000),
  software: SoftwareSchema,
  limits: PeerLimitsSchema,
  /** Where people open this instance. */
  instance: v.object({ label: text(63), url: text(2048) }),
});

const StatusUpdateSchema = v.object({ type: v.literal("status_update"), ...StatusFields });

const CommandSchema = v.object({
  type: v.literal("command"),
  command: v.picklist(["disconnect", "refresh_status"]),
  /** Only to a connector with the capability `commands`, which says when it has done it. */
  id: v.optional(count(0, 0xffff_ffff)),
});

/** A command was done, as far as the connector can tell; the end of its connection says the same of `disconnect`. */
const CommandDoneSchema = v.object({
  type: v.literal("command_done"),
  /** The command's. */
  id: count(0, 0xffff_ffff),
});

/** Asks for the recent log; only of a connector with the capability `log`. Its answer is also a measure of the way there. */
const LogRequestSchema = v.object({ type: v.literal("log_request"), id: count(0, 0xffff_ffff) });

const LogSchema = v.object({
  type: v.literal("log"),
  /** The request's. */
  id: count(0, 0xffff_ffff),
  /** Oldest first. */
  lines: v.pipe(v.array(LogLineSchema), v.maxLength(TEXT_LIMITS.logLines)),
});

const GoAwaySchema = v.object({
  type: v.literal("go_away"),
  code: v.picklist(Object.keys(CONNECTION_ERRORS) as [ConnectionErrorCode, ...ConnectionErrorCode[]]),
  message: text(1000),
});

const FromConnector = v.variant("type", [
  RegisterSchema,
  StatusUpdateSchema,
  LogSchema,
  CommandDoneSchema,
  GoAwaySchema,
]);
const FromHub = v.variant("type", [RegisteredSchema, CommandSchema, LogRequestSchema, GoAwaySchema]);

export type Register = v.InferOutput<typeof RegisterSchema>;
export type Registered = v.InferOutput<typeof RegisteredSchema>;
export type StatusUpdate = v.InferOutput<typeof StatusUpdateSchema>;
export type Command = v.InferOutput<typeof CommandSchema>;
export type CommandDone = v.InferOutput<typeof CommandDoneSchema>;
export type LogRequest = v.InferOutput<typeof LogRequestSchema>;
export type Log = v.InferOutput<typeof LogSchema>;
export type GoAway = v.InferOutput<typeof GoAwaySchema>;
export type ConnectorMessage = v.InferOutput<typeof FromConnector>;
export type HubMessage = v.InferOutput<typeof FromHub>;

const CONNECTOR_TYPES = new Set<string>(["register", "status_update", "log", "command_done", "go_away"]);
const HUB_TYPES = new Set<string>(["registered", "command", "log_request", "go_away"]);

/** Reads what a connector sent. Null for a type this version does not know; throws `ConnectionError` for anything malformed. */
export function parseConnectorMessage(data: string): ConnectorMessage | null {
  return parseControl(data, CONNECTOR_TYPES, FromConnector);
}

/** Reads what the hub sent. Null and errors as in `parseConnectorMessage`. */
export function parseHubMessage(data: string): HubMessage | null {
  return parseControl(data, HUB_TYPES, FromHub);
}

/** Writes any control message. */
export function encodeControl(message: ConnectorMessage | HubMessage): string {
  return JSON.stringify(message);
}

function parseControl<T>(
  data: string,
  known: ReadonlySet<string>,
  schema: v.GenericSchema<unknown, T>,
): T | null {
  if (utf8Length(data) > LIMITS.controlBytes) {
    throw new ConnectionError("message_too_big", `control message over ${LIMITS.controlBytes} bytes`);
  }
  const { type, value } = parseTyped(data);
  if (!known.has(type)) return null;
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const where = v.getDotPath(issue) ?? "message";
  throw new ConnectionError("bad_message", `${type.slice(0, 32)}: ${where}: ${issue.message}`.slice(0, 300));
}

/** Bytes on the wire; a text over the limit is not measured any further. */
function utf8Length(data: string): number {
  return data.length > LIMITS.controlBytes ? data.length : new TextEncoder().encode(data).byteLength;
}
