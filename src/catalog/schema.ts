/** Raised when the tables change. A catalog of another version is moved aside: it is history, not data. */
export const catalogVersion = 2;

export const catalogSchema = `
CREATE TABLE run (
  id TEXT PRIMARY KEY,
  operation TEXT NOT NULL,
  dataset TEXT,
  started_ms INTEGER NOT NULL,
  process TEXT NOT NULL,
  ended_ms INTEGER,
  outcome TEXT,
  error_code TEXT,
  error_message TEXT,
  restore_point TEXT
) STRICT;
CREATE INDEX run_by_time ON run (started_ms DESC);

CREATE TABLE step (
  run TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  step TEXT NOT NULL,
  elapsed_ms REAL NOT NULL,
  PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE problem (
  run TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE verified (
  vault TEXT NOT NULL,
  parts INTEGER NOT NULL,
  part INTEGER NOT NULL,
  verified_ms INTEGER NOT NULL,
  ok INTEGER NOT NULL,
  PRIMARY KEY (vault, parts, part)
) STRICT, WITHOUT ROWID;
`;

/** What came later and takes nothing from the tables above: made wherever it is not there yet. */
export const catalogAdditions = `
CREATE TABLE IF NOT EXISTS destination (
  name TEXT PRIMARY KEY,
  seen_ms INTEGER NOT NULL,
  good_ms INTEGER,
  code TEXT,
  message TEXT,
  since_ms INTEGER
) STRICT, WITHOUT ROWID;
`;
