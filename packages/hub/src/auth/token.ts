/**
 * Tokens of instances: `orc_<43 characters of base64url><6 characters of checksum>`. The prefix and the checksum let
 * secret scanners find a leaked one and let the hub refuse a mistyped one without asking the database.
 */
import { createToken, findLiveToken, setTokenUsed, type TokenRow } from "../db/tokens.ts";
import { equalInConstantTime, randomSecret, sha256 } from "../secrets.ts";

const PREFIX = "orc_";
const CHECKSUM_LENGTH = 6;
const SHAPE = /^orc_[A-Za-z0-9_-]{49}$/;

/** A new token's text: 256 random bits. Show it once and store only its hash. */
export async function createInstanceToken(): Promise<string> {
  const body = `${PREFIX}${randomSecret()}`;
  return `${body}${await checksum(body)}`;
}

/** Makes a token for a person's instances and returns its text, which nobody can read again, and its row. */
export async function issueInstanceToken(
  db: D1Database,
  token: { userId: string; name: string },
  now: number = Date.now(),
): Promise<{ text: string; row: TokenRow }> {
  const text = await createInstanceToken();
  return { text, row: await createToken(db, { id: randomSecret(12), text, ...token }, now) };
}

/** Whose token this is; null where it is malformed, unknown or revoked. */
export async function verifyInstanceToken(
  db: D1Database,
  text: string,
): Promise<{ tokenId: string; userId: string } | null> {
  if (!SHAPE.test(text)) return null;
  const body = text.slice(0, -CHECKSUM_LENGTH);
  if (!equalInConstantTime(await checksum(body), text.slice(-CHECKSUM_LENGTH))) return null;
  const row = await findLiveToken(db, text);
  if (row === null || !equalInConstantTime(row.secret_hash, await sha256(text))) return null;
  return { tokenId: row.id, userId: row.user_id };
}

/** Remembers that an instance registered with this token. */
export async function recordTokenUse(
  db: D1Database,
  tokenId: string,
  clientId: string,
  now: number = Date.now(),
): Promise<void> {
  await setTokenUsed(db, { id: tokenId, clientId, now });
}

async function checksum(body: string): Promise<string> {
  return (await sha256(`orchestrator-token:${body}`)).slice(0, CHECKSUM_LENGTH);
}
