import { randomSecret, sha256 } from "../secrets.ts";

/**
 * `local`: the printed sign-in link. `viewer`: moving to an instance's origin. `setup`: the printed setup link. `github`: the
 * state of a sign-in at GitHub. `github-app`: the state of an App being made.
 */
export type CodePurpose = "local" | "viewer" | "setup" | "github" | "github-app";

/** What a code stands for: null is what its purpose has no use for. */
export interface OneTimeCodeRow {
  user_id: string | null;
  session_id: string | null;
  subject: string | null;
  binding_hash: string | null;
  expires_at: number;
}

export interface NewOneTimeCode {
  purpose: CodePurpose;
  userId?: string;
  /** Milliseconds from `now` for which the code works. */
  lifetimeMs: number;
  sessionId?: string;
  subject?: string;
  bindingHash?: string;
}

/** Makes a code that works once and returns it; only its hash is stored. Expired codes are swept on the way. */
export async function createOneTimeCode(
  db: D1Database,
  code: NewOneTimeCode,
  now: number = Date.now(),
): Promise<string> {
  const text = randomSecret();
  const insert = db
    .prepare(
      `INSERT INTO one_time_codes (code_hash, purpose, user_id, session_id, subject, binding_hash, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(
      await sha256(text),
      code.purpose,
      code.userId ?? null,
      code.sessionId ?? null,
      code.subject ?? null,
      code.bindingHash ?? null,
      now + code.lifetimeMs,
    );
  await db.batch([db.prepare("DELETE FROM one_time_codes WHERE expires_at <= ?").bind(now), insert]);
  return text;
}

/**
 * Takes a code out of the store and says what it stood for; null where it is unknown, used or expired, or was made with
 * another `bindingHash` than is asked for. One statement reads and removes it, so of two who present it at once only one gets it.
 */
export async function consumeOneTimeCode(
  db: D1Database,
  code: { text: string; purpose: CodePurpose; bindingHash?: string },
  now: number = Date.now(),
): Promise<OneTimeCodeRow | null> {
  const row = await db
    .prepare(
      `DELETE FROM one_time_codes WHERE code_hash = ?1 AND purpose = ?2 AND (?3 IS NULL OR binding_hash = ?3)
       RETURNING user_id, session_id, subject, binding_hash, expires_at`,
    )
    .bind(await sha256(code.text), code.purpose, code.bindingHash ?? null)
    .first<OneTimeCodeRow>();
  return row !== null && row.expires_at > now ? row : null;
}
