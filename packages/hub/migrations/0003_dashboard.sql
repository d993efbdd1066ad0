-- What people chose about how the hub looks, and what /health counts.

-- Whether the pages of this person's instances carry the hub's mark.
ALTER TABLE users ADD COLUMN shows_mark INTEGER NOT NULL DEFAULT 1;

-- Written by each UserHub when one of its numbers changes; /health adds them up.
CREATE TABLE census (
  user_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  instances INTEGER NOT NULL,     -- connected now
  browsers INTEGER NOT NULL,      -- open dashboards
  changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
