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
