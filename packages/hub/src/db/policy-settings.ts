/** Keeps the hash of the settings of access; true where it was another one, for one of all who say so at once. */
export async function notePolicySettings(db: D1Database, hash: string): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `INSERT INTO policy_settings (only_row, hash) VALUES (1, ?)
       ON CONFLICT (only_row) DO UPDATE SET hash = excluded.hash WHERE hash <> excluded.hash`,
    )
    .bind(hash)
    .run();
  return meta.changes > 0;
}

/** Makes the next who asks take the settings for changed. */
export async function forgetPolicySettings(db: D1Database): Promise<void> {
  await db.prepare("DELETE FROM policy_settings").run();
}
