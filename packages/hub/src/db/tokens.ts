import { sha256 } from "../secrets.ts";

/** An instance's token without its secret; times are milliseconds since the epoch. */
export interface TokenRow {
  id: string;
  user_id: string;
  name: string;
  /** The last four characters, so that a person can tell tokens apart. */
  hint: string;
  created_at: number;
  last_used_at: number | null;
  last_client_id: string | null;
  revoked_at: number | null;
}

const COLUMNS = "id, user_id, name, hint, created_at, last_used_at, last_client_id, revoked_at";

/** Stores a new token; only the hash of `text` is kept. */
export async function createToken(
  db: D1Database,
  token: { id: string; userId: string; name: string; text: string },
  now: number = Date.now(),
): Promise<TokenRow> {
  const row: TokenRow = {
    id: token.id,
    user_id: token.userId,
    name: token.name,
    hint: token.text.slice(-4),
    created_at: now,
    last_used_at: null,
    last_client_id: null,
    revoked_at: null,
  };
  await db
    .prepare(
      "INSERT INTO tokens (id, user_id, name, secret_hash, hint, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(row.id, row.user_id, row.name, await sha256(token.text), row.hint, now)
    .run();
  return row;
}

/** The token with this text, with its stored hash, unless it was revoked. */
export async function findLiveToken(
  db: D1Database,
  text: string,
): Promise<{ id: string; user_id: string; secret_hash: string } | null> {
  return db
    .prepare("SELECT id, user_id, secret_hash FROM tokens WHERE secret_hash = ? AND revoked_at IS NULL")
    .bind(await sha256(text))
    .first();
}

/** A person's tokens that are not revoked, newest first. */
export async function listTokens(db: D1Database, userId: string): Promise<TokenRow[]> {
  const { results } = await db
    .prepare(
      `SELECT ${COLUMNS} FROM tokens WHERE user_id = ? AND revoked_at IS NULL ORDER BY created_at DESC, id`,
    )
    .bind(userId)
    .all<TokenRow>();
  return results;
}

export async function countTokens(db: D1Database, userId: string): Promise<number> {
  const row = await db
    .prepare("SELECT count(*) AS count FROM tokens WHERE user_id = ? AND revoked_at IS NULL")
    .bind(userId)
    .first<{ count: number }>();
  return row?.count ?? 0;
}

/** Revokes a person's token; false where there is no such token or it is revoked already. */
export async function revokeToken(
  db: D1Database,
  token: { id: string; userId: string },
  now: number = Date.now(),
): Promise<boolean> {
  const { meta } = await db
    .prepare("UPDATE tokens SET revoked_at = ? WHERE id = ? AND user_id = ? AND revoked_at IS NULL")
    .bind(now, token.id, token.userId)
    .run();
  return meta.changes > 0;
}

export async function setTokenUsed(
  db: D1Database,
  use: { id: string; clientId: string; now: number },
): Promise<void> {
  await db
    .prepare("UPDATE tokens SET last_used_at = ?, last_client_id = ? WHERE id = ?")
    .bind(use.now, use.clientId, use.id)
    .run();
}
