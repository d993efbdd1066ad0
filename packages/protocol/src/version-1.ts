/**
 * The messages of version 1: JSON in text, both ways, and nothing else (SPEC.md, section 10). Only the hub speaks it, to programs
 * that others wrote: what they say is bounded, and where they leave out what nothing depends on, or say more, that is no mistake.
 */
import * as v from "valibot";
import { ClientIdSchema } from "./control.ts";
import { parseTyped } from "./json-message.ts";
import type { HeaderFields } from "./header-block.ts";
import { TEXT_LIMITS } from "./limits.ts";
import { STATUSES } from "./status.ts";

export { byteText, readAnswer } from "./version-1-answer.ts";

export const LIMITS = {
  /** UTF-16 code units of a message: an answer is held whole, as text and as bytes, in an object that has 128 MiB. */
  messageLength: 16 * 1024 * 1024,
  /** Bytes (UTF-8) of a request's body. */
  requestBodyBytes: 8 * 1024 * 1024,
  /** Seconds to wait for an answer, all of it. */
  answerTimeoutSeconds: 60,
  /** Requests without an answer, at once. */
  maxRequests: 256,
  /** Frames of one browser's WebSocket: each is a `user_request` that must be closed by its id. */
  maxBridgedFrames: 10_000,
  requestIdLength: 128,
  tokenLength: 512,
  messageTextLength: 1000,
  headerFields: 1000,
} as const;

/** A text for people: what is too long is cut, what is none is empty. */
const shown = (max: number) =>
  v.fallback(
    v.pipe(
      v.string(),
      v.transform((text) => text.slice(0, max)),
    ),
    "",
  );
const requestId = v.pipe(v.string(), v.minLength(1), v.maxLength(LIMITS.requestIdLength));

const NOTHING_SAID = { hostname: "", project: "", platform: "", version: "", status: "idle" } as const;

const MetadataSchema = v.fallback(
  v.object({
    hostname: shown(TEXT_LIMITS.hostname),
    project: shown(TEXT_LIMITS.project),
    platform: shown(TEXT_LIMITS.platform),
    version: shown(TEXT_LIMITS.software),
    status: v.fallback(v.picklist(STATUSES), "idle"),
  }),
  NOTHING_SAID,
);

const RegisterSchema = v.object({
  type: v.literal("register"),
  client_id: v.nullish(ClientIdSchema),
  user_token: v.nullish(v.pipe(v.string(), v.maxLength(LIMITS.tokenLength))),
  metadata: MetadataSchema,
});

const PingSchema = v.object({ type: v.literal("ping"), client_id: v.nullish(ClientIdSchema) });

const StatusUpdateSchema = v.object({ type: v.literal("status_update"), status: v.picklist(STATUSES) });

const HeaderSchema = v.tuple([
  v.string(),
  v.union([
    v.string(),
    v.pipe(
      v.number(),
      v.transform((value) => String(value)),
    ),
  ]),
]);

const HttpProxyResponseSchema = v.object({
  type: v.literal("http_proxy_response"),
  request_id: requestId,
  status: v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599)),
  headers: v.nullish(v.pipe(v.array(HeaderSchema), v.maxLength(LIMITS.headerFields)), []),
  body: v.nullish(v.string(), ""),
});

const ResponseChunkSchema = v.object({
  type: v.literal("response_chunk"),
  request_id: requestId,
  data: v.optional(v.unknown()),
});

const ResponseCompleteSchema = v.object({ type: v.literal("response_complete"), request_id: requestId });

const ErrorSchema = v.object({
  type: v.literal("error"),
  request_id: v.nullish(requestId),
  message: shown(LIMITS.messageTextLength),
});

const SCHEMAS = {
  register: RegisterSchema,
  ping: PingSchema,
  status_update: StatusUpdateSchema,
  http_proxy_response: HttpProxyResponseSchema,
  response_chunk: ResponseChunkSchema,
  response_complete: ResponseCompleteSchema,
  error: ErrorSchema,
} as const;

type Known = keyof typeof SCHEMAS;

export type Register = v.InferOutput<typeof RegisterSchema>;
export type Metadata = v.InferOutput<typeof MetadataSchema>;
export type HttpProxyResponse = v.InferOutput<typeof HttpProxyResponseSchema>;
export type ResponseChunk = v.InferOutput<typeof ResponseChunkSchema>;

/** A message of a known type that is not as it must be, or too long to be read: it costs the request it names, if it names one. */
export interface Malformed {
  type: "malformed";
  /** Its own type; undefined where it is too long to be read. */
  of: Known | undefined;
  request_id: string | undefined;
  why: "malformed" | "too_large";
  /** For whoever reads the log of the client. */
  problem: string;
}

export type ClientMessage = v.InferOutput<(typeof SCHEMAS)[Known]> | Malformed;

export interface HttpProxyRequest {
  type: "http_proxy_request";
  request_id: string;
  method: string;
  /** Path and query, as in an HTTP request. */
  path: string;
  headers: HeaderFields;
  body?: string;
  proxy_base?: string;
}

export type HubMessage =
  | { type: "registered"; success: true }
  | { type: "registered"; success: false; message: string }
  | { type: "pong"; client_id: string }
  | HttpProxyRequest
  | { type: "user_request"; request_id: string; action: string; payload: Record<string, unknown> }
  | { type: "command"; command: "disconnect" | "refresh_status" }
  | { type: "error"; message: string };

/** Writes a message of the hub. */
export function encodeMessage(message: HubMessage): string {
  return JSON.stringify(message);
}

/** The text of a heartbeat as the order of its fields has it in SPEC.md; clients may write it otherwise. */
export function pingText(clientId: string): string {
  return JSON.stringify({ type: "ping", client_id: clientId });
}

/** Reads what a client sent. Null for a type that is not known; throws `ConnectionError` `bad_message` for what is no message. */
export function parseMessage(data: string): ClientMessage | null {
  if (data.length > LIMITS.messageLength) return tooLarge(data);
  const { type, value } = parseTyped(data);
  if (!isKnown(type)) return null;
  const schema: v.GenericSchema<unknown, Exclude<ClientMessage, Malformed>> = SCHEMAS[type];
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const problem = `${type}: ${v.getDotPath(issue) ?? "message"}: ${issue.message}`.slice(0, 300);
  return { type: "malformed", of: type, request_id: requestIdOf(value), why: "malformed", problem };
}

function isKnown(type: string): type is Known {
  return Object.hasOwn(SCHEMAS, type);
}

function requestIdOf(value: object): string | undefined {
  return "request_id" in value && v.is(requestId, value.request_id) ? value.request_id : undefined;
}

/** Where the id of a request stands in a message that is too long to be read. */
const EARLY_REQUEST_ID = /"request_id"\s*:\s*"([^"\\]{1,128})"/;
const EARLY = 1000;

function tooLarge(data: string): Malformed {
  const id = EARLY_REQUEST_ID.exec(data.slice(0, EARLY))?.[1];
  const problem = `a message over ${LIMITS.messageLength} characters`;
  return { type: "malformed", of: undefined, request_id: id, why: "too_large", problem };
}
