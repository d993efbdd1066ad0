/** The UserHub's tables. Each migration runs once, in order; never change one that was deployed, add the next. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE instances (
     client_id TEXT PRIMARY KEY,
     label TEXT NOT NULL UNIQUE,
     token_id TEXT NOT NULL,
     software_name TEXT NOT NULL,
     software_version TEXT NOT NULL,
     hostname TEXT NOT NULL,
     project TEXT NOT NULL,
     platform TEXT NOT NULL,
     upstream_name TEXT,
     upstream_version TEXT,
     status TEXT NOT NULL,
     status_since INTEGER NOT NULL,
     sessions TEXT NOT NULL,
     connected INTEGER NOT NULL,
     connected_at INTEGER NOT NULL,
     heard_at INTEGER NOT NULL,
     gone_at INTEGER,
     gone_reason TEXT,
     first_seen_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE revoked_tokens (
     token_id TEXT PRIMARY KEY,
     revoked_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE opened_instances (
     session_id TEXT NOT NULL,
     label TEXT NOT NULL,
     opened_at INTEGER NOT NULL,
     PRIMARY KEY (session_id, label)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE ended_sessions (
     session_id TEXT PRIMARY KEY,
     until INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE github_grant (
     only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
     access_token TEXT NOT NULL,
     access_expires_at INTEGER NOT NULL,
     refresh_token TEXT NOT NULL,
     refresh_expires_at INTEGER NOT NULL
   ) STRICT;`,
  `CREATE TABLE expiring_tokens (
     token_id TEXT PRIMARY KEY,
     at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE access_state (
     only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
     refused INTEGER NOT NULL,
     ask_after INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE membership_losses (
     lost TEXT NOT NULL,
     id INTEGER NOT NULL,
     login TEXT NOT NULL,
     at INTEGER NOT NULL,
     PRIMARY KEY (lost, id)
   ) STRICT, WITHOUT ROWID;`,
  // No index beside the key: an entry of the activity costs one row.
  `ALTER TABLE instances ADD COLUMN name TEXT NOT NULL DEFAULT '';
   ALTER TABLE instances ADD COLUMN kept_away INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE instances ADD COLUMN seen_until INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE instances ADD COLUMN absence TEXT;
   CREATE TABLE activity (
     id INTEGER PRIMARY KEY,
     entry TEXT NOT NULL
   ) STRICT;
   CREATE TABLE activity_archives (
     first_id INTEGER PRIMARY KEY,
     last_id INTEGER NOT NULL,
     key TEXT NOT NULL
   ) STRICT;`,
  `ALTER TABLE instances ADD COLUMN protocol INTEGER NOT NULL DEFAULT 2;
   ALTER TABLE instances ADD COLUMN path_trusted INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE instances ADD COLUMN access TEXT;`,
];

/** Brings the tables up to date; writes nothing where they are. */
export function migrate(storage: DurableObjectStorage): void {
  storage.sql.exec("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT");
  const [row] = storage.sql
    .exec<{ version: number }>("SELECT max(version) AS version FROM schema_version")
    .toArray();
  const version = row?.version ?? 0;
  if (version >= MIGRATIONS.length) return;
  storage.transactionSync(() => {
    for (const statements of MIGRATIONS.slice(version)) storage.sql.exec(statements);
    storage.sql.exec("INSERT INTO schema_version (version) VALUES (?)", MIGRATIONS.length);
  });
}
