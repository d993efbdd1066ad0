import type { Memberships } from "../auth/policy.ts";

/** Somebody the hub has heard of, and what GitHub last said about them; times are milliseconds since the epoch. */
export interface KnownPerson {
  /** `local` or `github:<numeric id>`. */
  userId: string;
  login: string;
  /** Null where GitHub was never asked about them. */
  memberships: Memberships | null;
  /** When GitHub last answered, and when it was last asked. */
  checkedAt: number | null;
  triedAt: number | null;
}

interface KnownPersonRow {
  id: string;
  login: string;
  memberships: string | null;
  checked_at: number | null;
  tried_at: number | null;
}

const SELECT_PEOPLE = `
  SELECT u.id, u.login, a.memberships, a.checked_at, a.tried_at
  FROM users u LEFT JOIN admissions a ON a.user_id = u.id`;

/** Everybody with this login or id. Several had a login one after the other; who was asked after last comes first. */
export async function findKnownPeople(db: D1Database, loginOrId: string): Promise<KnownPerson[]> {
  const { results } = await db
    .prepare(
      `${SELECT_PEOPLE} WHERE u.login = ?1 COLLATE NOCASE OR u.id = ?1 ORDER BY a.checked_at DESC, u.id`,
    )
    .bind(loginOrId)
    .all<KnownPersonRow>();
  return results.map(toPerson);
}

/** Everybody with one of these logins, in any case. The table is read once, however many they are. */
export async function findByLogins(db: D1Database, logins: readonly string[]): Promise<KnownPerson[]> {
  const { results } = await db
    .prepare(`${SELECT_PEOPLE} WHERE lower(u.login) IN (SELECT lower(value) FROM json_each(?1))`)
    .bind(JSON.stringify(logins))
    .all<KnownPersonRow>();
  return results.map(toPerson);
}

/** Everybody whom GitHub was asked about. */
export async function listKnownPeople(db: D1Database): Promise<KnownPerson[]> {
  const { results } = await db
    .prepare(`${SELECT_PEOPLE} WHERE a.user_id IS NOT NULL ORDER BY u.login COLLATE NOCASE, u.id`)
    .all<KnownPersonRow>();
  return results.map(toPerson);
}

function toPerson({ id, login, memberships, checked_at, tried_at }: KnownPersonRow): KnownPerson {
  return {
    userId: id,
    login,
    memberships: memberships === null ? null : (JSON.parse(memberships) as Memberships),
    checkedAt: checked_at,
    triedAt: tried_at,
  };
}
