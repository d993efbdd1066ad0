-- Who may use the hub, by which sign-ins and tokens, and what was decided. Times are milliseconds since the epoch.

-- Sign-ins and codes live for days at most; people sign in once more.
DROP TABLE sessions;
CREATE TABLE sessions (
  id TEXT PRIMARY KEY,            -- public; also the first part of the cookie
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  secret_hash TEXT NOT NULL,      -- of the secret the browser has now
  previous_hash TEXT,             -- of the one before: other tabs may still be on their way with it
  rotated_at INTEGER NOT NULL,
  user_agent TEXT NOT NULL,
  ip TEXT,                        -- where it was last used from
  place TEXT,
  created_at INTEGER NOT NULL,
  last_used_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL     -- the absolute end
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);

DROP TABLE one_time_codes;
CREATE TABLE one_time_codes (
  code_hash TEXT PRIMARY KEY,
  -- 'local': the printed sign-in link. 'viewer': moving to an instance's origin. 'setup': the printed setup link.
  -- 'github': the state of a sign-in at GitHub. 'github-app': the state of an App being created.
  purpose TEXT NOT NULL CHECK (purpose IN ('local', 'viewer', 'setup', 'github', 'github-app')),
  user_id TEXT,
  session_id TEXT,                -- the hub session that asked (viewer)
  subject TEXT,                   -- the instance's label (viewer)
  binding_hash TEXT,              -- hash of what only the browser that asked has
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX one_time_codes_by_expiry ON one_time_codes (expires_at);

ALTER TABLE tokens ADD COLUMN scopes TEXT NOT NULL DEFAULT 'connect';  -- words with spaces between them
ALTER TABLE tokens ADD COLUMN expires_at INTEGER;
ALTER TABLE tokens ADD COLUMN last_ip TEXT;
ALTER TABLE tokens ADD COLUMN last_place TEXT;
ALTER TABLE tokens ADD COLUMN replaced_by TEXT;                        -- the token that rotation made in its stead

-- What GitHub last said about a person, and what followed from it. Nobody without a row gets in, but for the local user.
CREATE TABLE admissions (
  user_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  memberships TEXT NOT NULL,      -- JSON, see auth/policy.ts
  checked_at INTEGER NOT NULL,    -- when GitHub last answered
  tried_at INTEGER NOT NULL,      -- when it was last asked
  allowed INTEGER NOT NULL,
  role TEXT NOT NULL,
  reason TEXT NOT NULL            -- the entity that lets them in, or the refusal
) STRICT;

CREATE TABLE allowed_entities (
  kind TEXT NOT NULL CHECK (kind IN ('organization', 'team', 'user')),
  github_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('member', 'admin')),
  added_by TEXT,                  -- a user's id; null where setup added it
  added_at INTEGER NOT NULL,
  PRIMARY KEY (kind, github_id)
) STRICT;

-- The GitHub App that people sign in with, where it is not in the settings. One row; secrets are encrypted.
CREATE TABLE github_app (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  app_id INTEGER NOT NULL,
  slug TEXT NOT NULL,
  html_url TEXT NOT NULL,
  client_id TEXT NOT NULL,
  client_secret TEXT NOT NULL,
  webhook_secret TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- Webhook deliveries that took effect, by the hash of their signature: the same one takes effect once.
CREATE TABLE webhook_deliveries (
  signature_hash TEXT PRIMARY KEY,
  received_at INTEGER NOT NULL
) STRICT;

CREATE TABLE audit_log (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  action TEXT NOT NULL,
  user_id TEXT,
  login TEXT,
  subject TEXT,
  reason TEXT,
  ip TEXT,
  place TEXT
) STRICT;
CREATE INDEX audit_log_by_time ON audit_log (at);
CREATE INDEX audit_log_by_user ON audit_log (user_id, at);
