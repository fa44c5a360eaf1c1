"""Opens, refreshes and compares indexes."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from codex_usage.homes import Places
from codex_usage.index import Index, Refreshed, open_index, refresh

#: The module, which the package hides behind its function of the same name: for its limits.
LIMITS = importlib.import_module("codex_usage.index.batches")

#: Columns that differ between two indexes of the same logs, or only say how an index came to be.
_OWN = {"id", "inode", "mtime_ns", "state"} | {
    f"{name}_id" for name in ("file", "model", "effort", "tier", "project", "cwd", "rate")
}
_THREAD = "(SELECT uuid FROM threads t WHERE t.id = {0}.thread_id)"
_FILE = "(SELECT name FROM files f WHERE f.id = {0}.file_id)"
_NAME = "(SELECT text FROM names n WHERE n.id = {0}.{1}_id)"
_RATE = "(SELECT rate FROM rates r WHERE r.id = {0}.rate_id)"
_PROJECT = "(SELECT key FROM projects p WHERE p.id = {0}.project_id)"

Snapshot = dict[str, list[tuple[Any, ...]]]


def places_of(*codex: Path, claude: tuple[Path, ...] = (), data: Path | None = None) -> Places:
    """Places with an index beside (or in) `data`."""
    data = data or codex[0].parent
    return Places(tuple(codex), claude, data, data / "index.sqlite")


def refreshed(places: Places, **options: Any) -> Refreshed:
    """Open the index of `places`, refresh it once and close it."""
    with open_index(places.index) as index:
        return refresh(index, places, **options)


def snapshot_of(places: Places) -> Snapshot:
    """The picture of an index on disk."""
    with open_index(places.index) as index:
        return snapshot(index)


def clean_build(places: Places) -> Snapshot:
    """The picture of an index built at once from what is on disk now."""
    path = places.index.with_name("clean.sqlite")
    for file in path.parent.glob("clean.sqlite*"):
        file.unlink()
    with open_index(path) as index:
        refresh(index, places)
        return snapshot(index)


def snapshot(index: Index) -> Snapshot:
    """Everything stored, with names instead of row ids and in a fixed order."""
    own = {
        "thread_id": _THREAD,
        "file_id": _FILE,
        "project_id": _PROJECT,
        "rate_id": _RATE,
        **{f"{name}_id": _NAME.replace("{1}", name) for name in ("model", "effort", "tier", "cwd")},
    }
    tables = ("calls", "turns", "windows", "reviews", "threads", "thread_days", "days", "files")
    picture: Snapshot = {}
    for table in tables:
        columns = [row[1] for row in index.sql.execute(f"PRAGMA table_info({table})")]
        chosen = [own.get(name, name).format("x") for name in columns if name not in _OWN or name in own]
        rows = index.sql.execute(f"SELECT {', '.join(chosen)} FROM {table} x").fetchall()
        picture[table] = sorted(rows, key=repr)
    return picture


def calls_in(index: Index) -> list[tuple[int, int, int]]:
    """(input, cached, output) of every call, by time and place."""
    return index.sql.execute("SELECT input, cached, output FROM calls ORDER BY time_ms, file_id, position").fetchall()
