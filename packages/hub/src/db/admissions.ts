import type { Memberships, Role } from "../auth/policy.ts";

/** What GitHub last said about a person and what followed from it; times are milliseconds since the epoch. */
export interface AdmissionRecord {
  /** `checkedAt` in it is when GitHub last answered. */
  memberships: Memberships;
  /** When GitHub was last asked. */
  triedAt: number;
  allowed: boolean;
  role: Role;
  /** `<kind>:<id>` of the entity that lets them in, or the refusal. */
  reason: string;
}

interface AdmissionRow {
  user_id: string;
  memberships: string;
  checked_at: number;
  tried_at: number;
  allowed: number;
  role: Role;
  reason: string;
}

/** Null where GitHub was never asked about this person. */
export async function findAdmission(db: D1Database, userId: string): Promise<AdmissionRecord | null> {
  const row = await db
    .prepare("SELECT * FROM admissions WHERE user_id = ?")
    .bind(userId)
    .first<AdmissionRow>();
  return row === null ? null : toRecord(row);
}

/** The person must exist. */
export async function saveAdmission(
  db: D1Database,
  userId: string,
  { memberships, triedAt, allowed, role, reason }: AdmissionRecord,
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO admissions (user_id, memberships, checked_at, tried_at, allowed, role, reason)
       VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (user_id) DO UPDATE SET memberships = excluded.memberships, checked_at = excluded.checked_at,
         tried_at = excluded.tried_at, allowed = excluded.allowed, role = excluded.role, reason = excluded.reason`,
    )
    .bind(userId, JSON.stringify(memberships), memberships.checkedAt, triedAt, allowed ? 1 : 0, role, reason)
    .run();
}

/** People who are admitted, in the order of their ids: as many as `limit` after the id `after`. */
export async function listAdmitted(
  db: D1Database,
  { after, limit }: { after: string; limit: number },
): Promise<(AdmissionRecord & { userId: string })[]> {
  const { results } = await db
    .prepare("SELECT * FROM admissions WHERE allowed = 1 AND user_id > ? ORDER BY user_id LIMIT ?")
    .bind(after, limit)
    .all<AdmissionRow>();
  return results.map((row) => ({ userId: row.user_id, ...toRecord(row) }));
}

/** Makes the answers about these people as old as `checkedAt` at least, so that they are asked after when they come next. */
export async function ageAdmissions(
  db: D1Database,
  userIds: readonly string[],
  checkedAt: number,
): Promise<void> {
  await db
    .prepare(
      `UPDATE admissions SET checked_at = min(checked_at, ?)
       WHERE user_id IN (SELECT value FROM json_each(?))`,
    )
    .bind(checkedAt, JSON.stringify(userIds))
    .run();
}

function toRecord(row: AdmissionRow): AdmissionRecord {
  const memberships = JSON.parse(row.memberships) as Memberships;
  return {
    memberships: { ...memberships, checkedAt: row.checked_at },
    triedAt: row.tried_at,
    allowed: row.allowed === 1,
    role: row.role,
    reason: row.reason,
  };
}
