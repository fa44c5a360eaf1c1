"""Forgets what is older than a time for good: no refresh brings it back, and no byte of it stays in the index."""

from __future__ import annotations

from codex_usage.index import rollup
from codex_usage.index.database import Index
from codex_usage.model import Counted

_LOST = "file_id NOT IN (SELECT id FROM files)"
_NAMED = " UNION ".join(f"SELECT coalesce({name}_id, 0) FROM calls" for name in ("model", "effort", "tier", "cwd"))
_DAYS = "day <= coalesce((SELECT min(day) FROM calls), day)"
#: What goes, in this order: logs that were not written since, what came from them, what is old in other logs, and what
#: nothing refers to any more.
_OLD = {
    "files": "mtime_ns < :ms * 1000000 AND id NOT IN (SELECT file_id FROM calls WHERE time_ms >= :ms)",
    "calls": "time_ms < :ms",
    "turns": f"{_LOST} OR coalesce(ended_ms, started_ms, 0) < :ms"
    " AND NOT EXISTS (SELECT 1 FROM calls c WHERE c.file_id = turns.file_id AND c.turn_key = turns.key)",
    "windows": f"time_ms < :ms OR {_LOST}",
    "reviews": f"coalesce(ended_ms, started_ms) < :ms OR {_LOST}",
    "depends": _LOST,
    "facts": f"time_ms < :ms OR {_LOST}",
    "fact_files": _LOST,
    # the sums of the days that are left are made again by the next pass
    **dict.fromkeys(("fact_stamps", "fact_days", "fact_day_files", "fact_day_threads"), _DAYS),
    "fact_labels": "id NOT IN (SELECT label_id FROM facts)",
    "threads": "id NOT IN (SELECT thread_id FROM calls UNION SELECT thread_id FROM turns)"
    " AND coalesce(file, '') NOT IN (SELECT name FROM files WHERE provider <> 'bundle')",
    "projects": "id NOT IN (SELECT project_id FROM calls UNION SELECT coalesce(project_id, 0) FROM threads)",
    "names": f"id NOT IN ({_NAMED})",
    "rates": "(provider, model, tier) NOT IN"
    " (SELECT provider, model, tier FROM rates r WHERE r.id IN (SELECT rate_id FROM calls))",
    "decided": f"{_LOST} OR cwd NOT IN (SELECT text FROM names UNION SELECT coalesce(cwd, '') FROM threads)",
    "folders": "path NOT IN (SELECT text FROM names UNION SELECT coalesce(cwd, '') FROM threads)",
}


def forget(index: Index, older_than_ms: int) -> None:
    """Delete the calls before a time, and what only they need. Raises IndexBusy, also when only the last bytes wait."""
    with index.write() as sql:
        index.put("horizon", str(max(older_than_ms, horizon(index))))
        known = {row[0] for row in sql.execute("SELECT name FROM sqlite_master").fetchall()}
        for table in [table for table in _OLD if table in known]:
            sql.execute(f"DELETE FROM {table} WHERE {_OLD[table]}", {"ms": horizon(index)})
        rollup.rebuild(sql)
    index.shrink()


def horizon(index: Index) -> int:
    """The time (milliseconds) before which all is forgotten; 0 when nothing is."""
    return int(index.get("horizon") or 0)


def since(counted: Counted, ms: int) -> None:
    """Leave out what a log showed before a time."""
    counted.calls = [call for call in counted.calls if call.time_ms >= ms]
    kept = {call.turn_key for call in counted.calls}
    counted.turns = [
        turn for turn in counted.turns if turn.key in kept or (turn.ended_ms or turn.started_ms or 0) >= ms
    ]
    counted.windows = [window for window in counted.windows if window.time_ms >= ms]
    counted.reviews = [review for review in counted.reviews if not 0 <= review[0] < ms]
