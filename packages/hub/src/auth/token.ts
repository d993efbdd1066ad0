/**
 * Tokens of instances: `orc_<43 characters of base64url><6 characters of checksum>`. The prefix and the checksum let
 * secret scanners find a leaked one and let the hub refuse a mistyped one without asking the database.
 */
import {
  createToken,
  findTokenByText,
  replaceToken,
  setTokenUsed,
  type PresentedTokenRow,
  type TokenRow,
} from "../db/tokens.ts";
import { equalInConstantTime, randomSecret, sha256 } from "../secrets.ts";
import type { KnownAdmission } from "./admission.ts";
import type { Role } from "./policy.ts";
import type { RequestPlace } from "./request-place.ts";

const PREFIX = "orc_";
const CHECKSUM_LENGTH = 6;
const SHAPE = /^orc_[A-Za-z0-9_-]{49}$/;

/** A use is written down again after this time, in milliseconds, or when instance or place are others. */
const USE_WRITTEN_EVERY_MS = 10 * 60_000;

/** `connect`: instances dial in. `admin`: an administrator's programs decide who else may use the hub. */
export const SCOPES = ["connect", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** Who presents a good token, and what is known of them. Times are milliseconds since the epoch. */
export interface TokenHolder {
  tokenId: string;
  userId: string;
  login: string;
  scopes: readonly Scope[];
  /** When it stops working; null: never. */
  expiresAt: number | null;
  /** What D1 remembers of the owner's admission, which a token alone does not give; null where GitHub was never asked. */
  admission: (KnownAdmission & { role: Role }) | null;
  lastUse: TokenUse | null;
}

export interface TokenUse {
  at: number;
  /** The instance it was used for; null where it was used for something else. */
  clientId: string | null;
  ip: string | null;
  place: string | null;
}

export type TokenRefusal = "malformed" | "unknown" | "revoked" | "expired";

/** A new token's text: 256 random bits. Show it once and store only its hash. */
export async function createInstanceToken(): Promise<string> {
  const body = `${PREFIX}${randomSecret()}`;
  return `${body}${await checksum(body)}`;
}

/** Makes a token for a person's instances and returns its text, which nobody can read again, and its row. */
export async function issueInstanceToken(
  db: D1Database,
  token: { userId: string; name: string; scopes?: readonly Scope[]; expiresAt?: number | null },
  now: number = Date.now(),
): Promise<{ text: string; row: TokenRow }> {
  const { userId, name, scopes = ["connect"], expiresAt = null } = token;
  const text = await createInstanceToken();
  const stored = { id: randomSecret(12), text, userId, name, scopes: scopes.join(" "), expiresAt };
  return { text, row: await createToken(db, stored, now) };
}

/**
 * Puts a new token in the place of a person's, with the same name, scopes and lifetime, and lets the old one work until
 * `oldExpiresAt` at most. Null where there is none, or it was revoked or replaced already.
 */
export async function rotateInstanceToken(
  db: D1Database,
  token: { id: string; userId: string; oldExpiresAt: number },
  now: number = Date.now(),
): Promise<{ text: string; row: TokenRow } | null> {
  const by = { id: randomSecret(12), text: await createInstanceToken() };
  const row = await replaceToken(db, token, by, now);
  return row === null ? null : { text: by.text, row };
}

/** Whose token this is, or why it is refused. Malformed ones are refused without asking the database. */
export async function verifyInstanceToken(
  db: D1Database,
  text: string,
  now: number = Date.now(),
): Promise<{ ok: TokenHolder } | { refused: TokenRefusal }> {
  if (!(await isWellFormed(text))) return { refused: "malformed" };
  const row = await findTokenByText(db, text);
  if (row === null || !equalInConstantTime(row.secret_hash, await sha256(text)))
    return { refused: "unknown" };
  if (row.revoked_at !== null) return { refused: "revoked" };
  if (row.expires_at !== null && row.expires_at <= now) return { refused: "expired" };
  return { ok: holderOf(row) };
}

/** Remembers where a token was used; writes nothing where that is known and recent. `clientId`: the instance, if for one. */
export async function recordTokenUse(
  db: D1Database,
  { tokenId, lastUse }: Pick<TokenHolder, "tokenId" | "lastUse">,
  use: { clientId: string | null; from: RequestPlace },
  now: number = Date.now(),
): Promise<void> {
  const { clientId, from } = use;
  const isKnown =
    lastUse !== null &&
    lastUse.clientId === clientId &&
    lastUse.ip === from.ip &&
    lastUse.place === from.place &&
    now < lastUse.at + USE_WRITTEN_EVERY_MS;
  if (!isKnown) await setTokenUsed(db, { id: tokenId, clientId, ...from, now });
}

/** The scopes in a token's row; words of a later version are left out. */
export function parseScopes(words: string): Scope[] {
  const known = words.split(" ");
  return SCOPES.filter((scope) => known.includes(scope));
}

async function isWellFormed(text: string): Promise<boolean> {
  if (!SHAPE.test(text)) return false;
  const body = text.slice(0, -CHECKSUM_LENGTH);
  return equalInConstantTime(await checksum(body), text.slice(-CHECKSUM_LENGTH));
}

function holderOf(row: PresentedTokenRow): TokenHolder {
  const { admission_allowed: allowed, admission_checked_at: checkedAt, admission_role: role } = row;
  return {
    tokenId: row.id,
    userId: row.user_id,
    login: row.login,
    scopes: parseScopes(row.scopes),
    expiresAt: row.expires_at,
    admission:
      allowed === null || checkedAt === null || role === null
        ? null
        : { allowed: allowed === 1, checkedAt, role },
    lastUse:
      row.last_used_at === null
        ? null
        : { at: row.last_used_at, clientId: row.last_client_id, ip: row.last_ip, place: row.last_place },
  };
}

async function checksum(body: string): Promise<string> {
  return (await sha256(`orchestrator-token:${body}`)).slice(0, CHECKSUM_LENGTH);
}
