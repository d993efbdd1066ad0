import type { Role } from "../auth/policy.ts";
import { sha256 } from "../secrets.ts";

/** An instance's token without its secret; times are milliseconds since the epoch. */
export interface TokenRow {
  id: string;
  user_id: string;
  name: string;
  /** The last four characters, so that a person can tell tokens apart. */
  hint: string;
  /** Words with spaces between them, see auth/token.ts. */
  scopes: string;
  created_at: number;
  expires_at: number | null;
  /** When, for which instance and from where it was last used. */
  last_used_at: number | null;
  last_client_id: string | null;
  last_ip: string | null;
  last_place: string | null;
  revoked_at: number | null;
  /** The token that rotation made in its stead. */
  replaced_by: string | null;
}

/** A token that was presented, with its owner and what is known of their admission (null: GitHub was never asked). */
export interface PresentedTokenRow extends TokenRow {
  secret_hash: string;
  login: string;
  admission_allowed: number | null;
  admission_checked_at: number | null;
  admission_role: Role | null;
}

export interface NewToken {
  id: string;
  userId: string;
  name: string;
  text: string;
  scopes: string;
  expiresAt: number | null;
}

const COLUMNS =
  "id, user_id, name, hint, scopes, created_at, expires_at, last_used_at, last_client_id, last_ip, last_place, revoked_at, replaced_by";

/** What a person is shown: not what was revoked, nor what was replaced and has run out. Binds the person and the time. */
const LISTED =
  "user_id = ?1 AND revoked_at IS NULL AND (replaced_by IS NULL OR expires_at IS NULL OR expires_at > ?2)";

/** Stores a new token; only the hash of `text` is kept. */
export async function createToken(
  db: D1Database,
  token: NewToken,
  now: number = Date.now(),
): Promise<TokenRow> {
  const row = await db
    .prepare(
      `INSERT INTO tokens (id, user_id, name, secret_hash, hint, scopes, created_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING ${COLUMNS}`,
    )
    .bind(
      token.id,
      token.userId,
      token.name,
      await sha256(token.text),
      hintOf(token.text),
      token.scopes,
      now,
      token.expiresAt,
    )
    .first<TokenRow>();
  if (row === null) throw new Error("The token was not stored.");
  return row;
}

/** The token with this text, whether or not it is still good, with its stored hash. */
export async function findTokenByText(db: D1Database, text: string): Promise<PresentedTokenRow | null> {
  const columns = COLUMNS.split(", ").map((column) => `t.${column}`);
  return db
    .prepare(
      `SELECT ${columns.join(", ")}, t.secret_hash, u.login, a.allowed AS admission_allowed,
         a.checked_at AS admission_checked_at, a.role AS admission_role
       FROM tokens t JOIN users u ON u.id = t.user_id LEFT JOIN admissions a ON a.user_id = t.user_id
       WHERE t.secret_hash = ?`,
    )
    .bind(await sha256(text))
    .first<PresentedTokenRow>();
}

/** A person's token that was not revoked; null where there is none. */
export function findToken(db: D1Database, token: { id: string; userId: string }): Promise<TokenRow | null> {
  return db
    .prepare(`SELECT ${COLUMNS} FROM tokens WHERE id = ? AND user_id = ? AND revoked_at IS NULL`)
    .bind(token.id, token.userId)
    .first<TokenRow>();
}

/** The tokens a person may still do something about, newest first. */
export async function listTokens(
  db: D1Database,
  userId: string,
  now: number = Date.now(),
): Promise<TokenRow[]> {
  const { results } = await db
    .prepare(`SELECT ${COLUMNS} FROM tokens WHERE ${LISTED} ORDER BY created_at DESC, id`)
    .bind(userId, now)
    .all<TokenRow>();
  return results;
}

export async function countTokens(db: D1Database, userId: string, now: number = Date.now()): Promise<number> {
  const row = await db
    .prepare(`SELECT count(*) AS count FROM tokens WHERE ${LISTED}`)
    .bind(userId, now)
    .first<{ count: number }>();
  return row?.count ?? 0;
}

/**
 * Puts a new token in the place of a person's: same name, scopes and lifetime. The old one works until `oldExpiresAt` at
 * most. Null where there is no such token, or it was revoked or replaced already. Both happen or neither.
 */
export async function replaceToken(
  db: D1Database,
  replaced: { id: string; userId: string; oldExpiresAt: number },
  by: { id: string; text: string },
  now: number = Date.now(),
): Promise<TokenRow | null> {
  const current = "id = ?1 AND user_id = ?2 AND revoked_at IS NULL AND replaced_by IS NULL";
  const insert = db
    .prepare(
      `INSERT INTO tokens (id, user_id, name, secret_hash, hint, scopes, created_at, expires_at)
       SELECT ?3, user_id, name, ?4, ?5, scopes, ?6, ?6 + (expires_at - created_at) FROM tokens WHERE ${current}
       RETURNING ${COLUMNS}`,
    )
    .bind(replaced.id, replaced.userId, by.id, await sha256(by.text), hintOf(by.text), now);
  const update = db
    .prepare(
      `UPDATE tokens SET replaced_by = ?3, expires_at = min(coalesce(expires_at, ?4), ?4) WHERE ${current}`,
    )
    .bind(replaced.id, replaced.userId, by.id, replaced.oldExpiresAt);
  const [inserted] = await db.batch<TokenRow>([insert, update]);
  return inserted?.results[0] ?? null;
}

/**
 * Revokes a person's token. Returns it as it is then, with the time it was first revoked; null where there is none.
 */
export function revokeToken(
  db: D1Database,
  token: { id: string; userId: string },
  now: number = Date.now(),
): Promise<TokenRow | null> {
  return db
    .prepare(
      `UPDATE tokens SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? AND user_id = ? RETURNING ${COLUMNS}`,
    )
    .bind(now, token.id, token.userId)
    .first<TokenRow>();
}

/** Removes what a person revoked before `before`, or what ran out before then: nobody asks why it is refused any more. */
export async function deleteOldTokens(db: D1Database, userId: string, before: number): Promise<void> {
  await db
    .prepare("DELETE FROM tokens WHERE user_id = ? AND (revoked_at < ? OR expires_at < ?)")
    .bind(userId, before, before)
    .run();
}

/** Remembers a token's last use. */
export async function setTokenUsed(
  db: D1Database,
  use: { id: string; clientId: string | null; ip: string | null; place: string | null; now: number },
): Promise<void> {
  await db
    .prepare(
      "UPDATE tokens SET last_used_at = ?, last_client_id = ?, last_ip = ?, last_place = ? WHERE id = ?",
    )
    .bind(use.now, use.clientId, use.ip, use.place, use.id)
    .run();
}

function hintOf(text: string): string {
  return text.slice(-4);
}
