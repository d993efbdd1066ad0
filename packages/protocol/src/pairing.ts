/**
 * Pairing: how an instance without a token gets one (SPEC.md section 11). The control messages on `/ws/pending`, the same in
 * version 1 but for `token_received`; what the code and the fingerprint are made of.
 */
import * as v from "valibot";
import { ClientIdSchema } from "./control.ts";
import { ConnectionError } from "./errors.ts";
import { parseTyped } from "./json-message.ts";
import { TEXT_LIMITS } from "./limits.ts";

export const PAIRING = {
  /** Seconds from the first registration until a code is worth nothing. */
  lifetimeSeconds: 600,
  /** UTF-16 code units of one control message. */
  messageLength: 32 * 1024,
  /** Letters in a code: consonants, so that no code is a word (RFC 8628, section 6.1). */
  alphabet: "BCDFGHJKLMNPQRSTVWXZ",
  codeLength: 8,
} as const;

/** 256 random bits in base64url, made by the connector, said in `Authorization: Pairing <secret>` and shown to nobody. */
export const PAIRING_SECRET = /^[A-Za-z0-9_-]{43}$/;

const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
const SoftwareSchema = v.object({ name: text(TEXT_LIMITS.software), version: text(TEXT_LIMITS.software) });

const PendingRegisterSchema = v.object({
  type: v.literal("pending_register"),
  /** What version 1 calls its request; the hub says it again in its answer. */
  pending_id: v.optional(text(128)),
  hostname: text(TEXT_LIMITS.hostname),
  project: text(TEXT_LIMITS.project),
  platform: text(TEXT_LIMITS.platform),
  /** Under what it will connect. Without one the hub chooses. */
  client_id: v.optional(ClientIdSchema),
  software: v.optional(SoftwareSchema),
});

/** The token is kept: the hub forgets what it knows. Version 2 only. */
const TokenReceivedSchema = v.object({ type: v.literal("token_received") });

const PendingRegisteredSchema = v.object({
  type: v.literal("pending_registered"),
  success: v.literal(true),
  pending_id: v.optional(text(128)),
  /** As people read it: `WDJB-MJHT`. */
  code: text(16),
  /** Where the code is said, with the code in it. */
  url: text(2048),
  /** As `pairingFingerprint` says it. */
  fingerprint: text(64),
  /** Seconds. */
  expires_in: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(PAIRING.lifetimeSeconds)),
});

const TokenGrantedSchema = v.object({
  type: v.literal("token_granted"),
  token: text(512),
  client_id: ClientIdSchema,
  /** Login of who approved it, whose instance it is now. */
  user: v.optional(text(TEXT_LIMITS.gitHubName)),
});

const DeniedSchema = v.object({ type: v.literal("authorization_denied"), reason: text(1000) });
const TimeoutSchema = v.object({ type: v.literal("authorization_timeout"), message: text(1000) });

const FromPending = v.variant("type", [PendingRegisterSchema, TokenReceivedSchema]);
const FromPairingHub = v.variant("type", [
  PendingRegisteredSchema,
  TokenGrantedSchema,
  DeniedSchema,
  TimeoutSchema,
]);

export type PendingRegister = v.InferOutput<typeof PendingRegisterSchema>;
export type PendingRegistered = v.InferOutput<typeof PendingRegisteredSchema>;
export type TokenGranted = v.InferOutput<typeof TokenGrantedSchema>;
export type PendingMessage = v.InferOutput<typeof FromPending>;
export type PairingHubMessage = v.InferOutput<typeof FromPairingHub>;

const PENDING_TYPES = new Set<string>(["pending_register", "token_received"]);
const HUB_TYPES = new Set<string>([
  "pending_registered",
  "token_granted",
  "authorization_denied",
  "authorization_timeout",
]);

/** Reads what an instance without a token sent. Null for an unknown type; throws `ConnectionError` for anything malformed. */
export function parsePendingMessage(data: string): PendingMessage | null {
  return parse(data, PENDING_TYPES, FromPending);
}

/** Reads what the hub sent to an instance without a token. Null and errors as in `parsePendingMessage`. */
export function parsePairingMessage(data: string): PairingHubMessage | null {
  return parse(data, HUB_TYPES, FromPairingHub);
}

/** Writes any message of pairing. */
export function encodePairing(message: PendingMessage | PairingHubMessage): string {
  return JSON.stringify(message);
}

const CODE_LETTERS = new RegExp(`^[${PAIRING.alphabet}]{${PAIRING.codeLength}}$`);

/** `wdjbmjht` and ` WDJB - MJHT` as `WDJB-MJHT`; undefined for what is no code. */
export function parsePairingCode(typed: string): string | undefined {
  const letters = typed.replaceAll(/[\s\p{Pd}]/gu, "").toUpperCase();
  return CODE_LETTERS.test(letters) ? `${letters.slice(0, 4)}-${letters.slice(4)}` : undefined;
}

/** The code that 64 bits or more say. */
export function pairingCodeOf(bytes: Uint8Array): string {
  let number = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  let letters = "";
  for (let count = 0; count < PAIRING.codeLength; count++) {
    letters += PAIRING.alphabet[Number(number % 20n)] ?? "";
    number /= 20n;
  }
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

/** What both ends show of a secret, so that a person can compare: 64 bits of its hash, `3f2a 91bc 07de 55aa`. */
export async function pairingFingerprint(secret: string): Promise<string> {
  const bytes = new TextEncoder().encode(`orchestrator-pairing:${secret}`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replaceAll(/(.{4})(?=.)/g, "$1 ");
}

function parse<T>(data: string, known: ReadonlySet<string>, schema: v.GenericSchema<unknown, T>): T | null {
  if (data.length > PAIRING.messageLength)
    throw new ConnectionError(
      "message_too_big",
      `a message of more than ${PAIRING.messageLength} characters`,
    );
  const { type, value } = parseTyped(data);
  if (!known.has(type)) return null;
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const where = v.getDotPath(parsed.issues[0]) ?? "message";
  throw new ConnectionError("bad_message", `${type.slice(0, 32)}: ${where}: not as it must be`);
}
