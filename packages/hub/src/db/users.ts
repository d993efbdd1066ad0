import type { Role } from "../auth/policy.ts";

/** Adds a person, or brings the login and name of a known one up to date. `id` is `local` or `github:<numeric id>`. */
export async function upsertUser(
  db: D1Database,
  user: { id: string; login: string; name: string },
  now: number = Date.now(),
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO users (id, login, name, created_at) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT (id) DO UPDATE SET login = ?2, name = ?3 WHERE login <> ?2 OR name <> ?3`,
    )
    .bind(user.id, user.login, user.name, now)
    .run();
}

/** GitHub calls a person otherwise than when they signed in. */
export async function renameUser(db: D1Database, id: string, login: string): Promise<void> {
  await db.prepare("UPDATE users SET login = ? WHERE id = ?").bind(login, id).run();
}

/** What D1 remembers of a person's admission, beside what it is joined with: null where GitHub was never asked. */
export interface AdmissionColumns {
  /** 1 or 0. */
  allowed: number | null;
  /** When GitHub last answered, milliseconds since the epoch. */
  checked_at: number | null;
  role: Role | null;
}

interface PersonRow extends AdmissionColumns {
  id: string;
  login: string;
  name: string;
}

export function findPerson(db: D1Database, id: string): Promise<PersonRow | null> {
  return db
    .prepare(
      `SELECT u.id, u.login, u.name, a.allowed, a.checked_at, a.role
       FROM users u LEFT JOIN admissions a ON a.user_id = u.id WHERE u.id = ?`,
    )
    .bind(id)
    .first<PersonRow>();
}

/** Whether this person wants the mark in the pages of their instances, as everybody does at first. */
export async function showsMark(db: D1Database, id: string): Promise<boolean> {
  const statement = db.prepare("SELECT shows_mark FROM users WHERE id = ?").bind(id);
  return (await statement.first<number>("shows_mark")) !== 0;
}

export async function setShowsMark(db: D1Database, id: string, shows: boolean): Promise<void> {
  await db
    .prepare("UPDATE users SET shows_mark = ? WHERE id = ?")
    .bind(shows ? 1 : 0, id)
    .run();
}
