-- The settings by which people were last let in, as a hash: when they change, everybody is asked after. One row.
CREATE TABLE policy_settings (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  hash TEXT NOT NULL
) STRICT;
