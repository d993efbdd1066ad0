/** The token that a pairing ends in: made when its connector is there to take it, so that none ever waits anywhere. */
import { auditSubject } from "../audit.ts";
import { findAdmitted, knownAdmission } from "../auth/session.ts";
import { issueInstanceToken } from "../auth/token.ts";
import { recordAudit } from "../db/audit.ts";
import { revokeToken, type TokenRow } from "../db/tokens.ts";
import { findPerson } from "../db/users.ts";
import type { Env } from "../env.ts";
import type { PairingPerson } from "./contract.ts";

const MAX_TOKEN_NAME = 80;

/** A token's text, which nobody can read again, and its row. */
export interface Grant {
  text: string;
  row: TokenRow;
}

/** A new token of who approved, named after the host; null where they may not use the hub any more. */
export async function makeGrant(env: Env, by: PairingPerson, hostname: string): Promise<Grant | null> {
  const { userId, login, from } = by;
  const person = await findPerson(env.DB, userId);
  if (person === null || (await findAdmitted(env, userId, knownAdmission(person), Date.now())) === null)
    return null;
  const name = hostname.slice(0, MAX_TOKEN_NAME).toWellFormed().trim();
  const made = await issueInstanceToken(env.DB, { userId, name: name || "paired instance" });
  const subject = auditSubject(made.row.name, made.row.id);
  await recordAudit(env.DB, {
    action: "token_created",
    userId,
    login,
    subject,
    reason: "pairing",
    from,
  });
  return made;
}

/** Revokes one that was sent and did not arrive; its holder, should there be one, is disconnected. */
export async function takeBack(env: Env, { userId }: PairingPerson, tokenId: string): Promise<void> {
  await revokeToken(env.DB, { id: tokenId, userId }, Date.now());
  await env.USER_HUB.getByName(userId).tokenRevoked(tokenId);
}
