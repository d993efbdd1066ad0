/** What an instance without a token sends, in its version of the protocol. */
import {
  ConnectionError,
  PAIRING,
  parseJson,
  parsePendingMessage,
  TEXT_LIMITS,
  type PendingMessage,
} from "@ai-orchestrator/protocol";
import * as v from "valibot";

/** Version 1 says no limits: what is too long is cut, and what is missing is empty. */
function word(max: number) {
  const cut = v.pipe(
    v.string(),
    v.transform((text) => text.slice(0, max)),
  );
  return v.fallback(v.optional(cut, ""), "");
}

const Version1Schema = v.object({
  type: v.literal("pending_register"),
  pending_id: word(128),
  hostname: word(TEXT_LIMITS.hostname),
  project: word(TEXT_LIMITS.project),
  platform: word(TEXT_LIMITS.platform),
});

/** Null for what says nothing here, such as a ping of version 1; throws `ConnectionError` for what is malformed. */
export function readPending(data: string, protocol: 1 | 2): PendingMessage | null {
  if (protocol === 2) return parsePendingMessage(data);
  if (data.length > PAIRING.messageLength) throw new ConnectionError("message_too_big");
  const parsed = v.safeParse(Version1Schema, parseJson(data));
  return parsed.success ? parsed.output : null;
}
