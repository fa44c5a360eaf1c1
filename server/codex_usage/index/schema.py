"""Tables of the index. Only numbers, ids, labels and paths are stored; docs/explanation/privacy.md lists them.

Everything in it can be rebuilt from the logs, so an older schema is dropped and read again.
"""

APPLICATION_ID = 0x43555347  # "CUSG"
#: Raise it when a table, the decoder or the counting rule changes: the index is then built anew.
VERSION = 10

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE projects (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, label TEXT NOT NULL, tags TEXT);
CREATE TABLE folders (path TEXT PRIMARY KEY, root TEXT NOT NULL, remote TEXT) WITHOUT ROWID;
CREATE TABLE homes (home TEXT PRIMARY KEY, label TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE decided (
  file_id INTEGER NOT NULL, cwd TEXT, home TEXT, remote TEXT, key TEXT NOT NULL, label TEXT NOT NULL
);
CREATE INDEX decided_file ON decided (file_id, cwd);
CREATE TABLE files (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL, provider TEXT NOT NULL,
  home TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
  offset INTEGER NOT NULL, head BLOB, tail BLOB, state BLOB, thread TEXT, archived INTEGER NOT NULL,
  read INTEGER NOT NULL, skipped TEXT, problem TEXT, source TEXT
);
CREATE INDEX files_thread ON files (thread);
CREATE INDEX files_unread ON files (problem, size, mtime_ns) WHERE read = 0;
CREATE INDEX files_skipped ON files (skipped) WHERE skipped IS NOT NULL;
CREATE INDEX files_problem ON files (problem) WHERE problem IS NOT NULL;
CREATE TABLE depends (thread TEXT NOT NULL, file_id INTEGER NOT NULL, PRIMARY KEY (thread, file_id)) WITHOUT ROWID;
CREATE TABLE threads (
  id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, provider TEXT NOT NULL, name TEXT, file TEXT,
  created_ms INTEGER, role TEXT NOT NULL, source TEXT, originator TEXT, version TEXT, cwd TEXT, branch TEXT,
  remote TEXT, project_id INTEGER, parent TEXT, forked_from TEXT, agent TEXT
);
DROP VIEW IF EXISTS sources;
CREATE VIEW sources AS SELECT t.id AS thread_id, coalesce(f.source, h.label, '(unknown)') AS label
  FROM threads t LEFT JOIN files f ON f.name = t.file LEFT JOIN homes h ON h.home = f.home;
CREATE TABLE turns (
  id INTEGER PRIMARY KEY, file_id INTEGER NOT NULL, key TEXT NOT NULL, thread_id INTEGER NOT NULL,
  started_ms INTEGER, ended_ms INTEGER, duration_ms INTEGER, first_token_ms INTEGER, outcome TEXT,
  trigger TEXT, parent_key TEXT, root_key TEXT, UNIQUE (file_id, key)
);
CREATE TABLE calls (
  id INTEGER PRIMARY KEY, uid INTEGER NOT NULL UNIQUE, file_id INTEGER NOT NULL, position INTEGER NOT NULL,
  time_ms INTEGER NOT NULL, day INTEGER NOT NULL, thread_id INTEGER NOT NULL, turn_key TEXT,
  turn_first INTEGER NOT NULL, model_id INTEGER, effort_id INTEGER, tier_id INTEGER, project_id INTEGER NOT NULL,
  cwd_id INTEGER, origin INTEGER NOT NULL, input INTEGER NOT NULL, cached INTEGER NOT NULL,
  cache_write INTEGER NOT NULL, output INTEGER NOT NULL, reasoning INTEGER NOT NULL, cache_write_1h INTEGER NOT NULL,
  context_window INTEGER, duration_ms INTEGER, gap_ms INTEGER, compaction INTEGER NOT NULL,
  recovered INTEGER NOT NULL, rate_id INTEGER NOT NULL, cost INTEGER, credits INTEGER,
  long_cost INTEGER NOT NULL, tier_cost INTEGER NOT NULL
);
CREATE TABLE windows (
  file_id INTEGER NOT NULL, position INTEGER NOT NULL, minutes INTEGER NOT NULL, time_ms INTEGER NOT NULL,
  limit_id TEXT, used_percent REAL NOT NULL, resets_at INTEGER, plan_type TEXT, credits_balance TEXT,
  PRIMARY KEY (file_id, position, minutes)
) WITHOUT ROWID;
CREATE TABLE reviews (
  file_id INTEGER NOT NULL, started_ms INTEGER NOT NULL, ended_ms INTEGER, PRIMARY KEY (file_id, started_ms)
) WITHOUT ROWID;
CREATE TABLE rates (
  id INTEGER PRIMARY KEY, provider TEXT NOT NULL, model TEXT NOT NULL, tier TEXT NOT NULL,
  confidence TEXT NOT NULL, credit_confidence TEXT, rate BLOB NOT NULL
);
CREATE TABLE thread_days (
  thread_id INTEGER NOT NULL, day INTEGER NOT NULL, project_id INTEGER NOT NULL, model_id INTEGER NOT NULL,
  effort_id INTEGER NOT NULL, tier_id INTEGER NOT NULL, origin INTEGER NOT NULL, rate_id INTEGER NOT NULL,
  calls INTEGER NOT NULL, turns INTEGER NOT NULL, input INTEGER NOT NULL, cached INTEGER NOT NULL,
  cache_write INTEGER NOT NULL, output INTEGER NOT NULL, reasoning INTEGER NOT NULL, cost INTEGER NOT NULL,
  credits INTEGER NOT NULL, long_cost INTEGER NOT NULL, tier_cost INTEGER NOT NULL,
  compactions INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  most_cost INTEGER, most_tokens INTEGER NOT NULL, most_input INTEGER NOT NULL, most_uncached INTEGER NOT NULL,
  most_output INTEGER NOT NULL, most_duration INTEGER,
  PRIMARY KEY (thread_id, day, project_id, model_id, effort_id, tier_id, origin, rate_id)
) WITHOUT ROWID;
CREATE TABLE days (
  day INTEGER NOT NULL, provider TEXT NOT NULL, project_id INTEGER NOT NULL, model_id INTEGER NOT NULL,
  effort_id INTEGER NOT NULL, tier_id INTEGER NOT NULL, origin INTEGER NOT NULL, rate_id INTEGER NOT NULL,
  calls INTEGER NOT NULL, turns INTEGER NOT NULL, input INTEGER NOT NULL, cached INTEGER NOT NULL,
  cache_write INTEGER NOT NULL, output INTEGER NOT NULL, reasoning INTEGER NOT NULL, cost INTEGER NOT NULL,
  credits INTEGER NOT NULL, long_cost INTEGER NOT NULL, tier_cost INTEGER NOT NULL,
  compactions INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  PRIMARY KEY (day, provider, project_id, model_id, effort_id, tier_id, origin, rate_id)
) WITHOUT ROWID;
"""

#: Made after the first bulk load, where they cost half of what they would during it.
INDICES = {
    "calls_thread": "calls (thread_id, day)",
    "calls_time": "calls (time_ms, uid, rate_id, cost, credits)",  # what was spent when, without looking up calls
    "calls_file": "calls (file_id, position)",
    "thread_days_day": "thread_days (day)",
    "windows_limit": "windows (minutes, coalesce(limit_id, 'codex'), time_ms, used_percent, resets_at)",
}
