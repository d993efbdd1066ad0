import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";

/**
 * Applies the `.sql` files of a folder that D1 has not seen, in the order of their names, each with its record in one
 * transaction. The record is wrangler's own table, so `wrangler d1 migrations` and this agree.
 */
export async function applyMigrations(db: D1Database, folder: string): Promise<void> {
  await db
    .prepare(
      `CREATE TABLE IF NOT EXISTS d1_migrations (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         name TEXT UNIQUE,
         applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
       )`,
    )
    .run();
  const { results } = await db.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
  const applied = new Set(results.map((row) => row.name));
  const names = readdirSync(folder).filter((name) => name.endsWith(".sql") && !applied.has(name));
  if (names.length === 0) return;
  // Loaded only when there is something to do: wrangler takes half a second.
  const { unstable_splitSqlQuery: splitStatements } = await import("wrangler");
  for (const name of names.toSorted()) {
    const statements = splitStatements(readFileSync(path.join(folder, name), "utf8"));
    await db.batch([
      ...statements.map((statement) => db.prepare(statement)),
      db.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name),
    ]);
  }
}
