/** A person. `id` is `local` or `github:<numeric id>`; times are milliseconds since the epoch. */
export interface UserRow {
  id: string;
  login: string;
  name: string;
  created_at: number;
}

/** Adds a person, or brings the login and name of a known one up to date. */
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

export function findUser(db: D1Database, id: string): Promise<UserRow | null> {
  return db.prepare("SELECT id, login, name, created_at FROM users WHERE id = ?").bind(id).first<UserRow>();
}
