-- People, their sign-ins, the tokens of their instances. Times are milliseconds since the epoch; secrets are SHA-256, base64url.
CREATE TABLE users (
  id TEXT PRIMARY KEY,            -- 'local' or 'github:<numeric id>'
  login TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,            -- public id, for lists and revocation
  secret_hash TEXT NOT NULL UNIQUE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  user_agent TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_used_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  secret_hash TEXT NOT NULL UNIQUE,
  hint TEXT NOT NULL,             -- the last four characters, so that a person can tell tokens apart
  created_at INTEGER NOT NULL,
  last_used_at INTEGER,
  last_client_id TEXT,
  revoked_at INTEGER
) STRICT;
CREATE INDEX tokens_by_user ON tokens (user_id);

-- Codes that work once: the local sign-in link ('local'), moving a browser to an instance's origin ('viewer').
CREATE TABLE one_time_codes (
  code_hash TEXT PRIMARY KEY,
  purpose TEXT NOT NULL CHECK (purpose IN ('local', 'viewer')),
  user_id TEXT NOT NULL,
  session_id TEXT,                -- the hub session that asked (viewer)
  subject TEXT,                   -- the instance's label (viewer)
  binding_hash TEXT,              -- hash of the browser's nonce on that origin (viewer)
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX one_time_codes_by_expiry ON one_time_codes (expires_at);
