"""Brings the index up to what the logs on disk show: homes in, a changed index and a coverage out.

The index is a function of the logs that exist now. Most often nothing is new, and that is seen at once; else `batches`
reads on.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from codex_usage.homes import Places
from codex_usage.homes.config import config_mark
from codex_usage.homes.discovery import names_mark, unchanged
from codex_usage.index.database import BUSY_SECONDS, Index
from codex_usage.index.zones import zone_of
from codex_usage.money import price_source


def patience(since_ms: int | None) -> float:
    """Seconds that a question waits for logs which it may not need: few when it names a time, as those written
    since then are read first in any case."""
    return 1.0 if since_ms is not None else 8.0


class Progress(NamedTuple):
    """How far a refresh has come."""

    files: int
    total_files: int
    bytes: int
    total_bytes: int


@dataclass
class Refreshed:
    """What a refresh did. `covered_since_ms`: every call after it is counted; None when nothing is missing."""

    files: int = 0
    read_files: int = 0
    read_bytes: int = 0
    pending_files: int = 0
    pending_bytes: int = 0
    covered_since_ms: int | None = None
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    busy: bool = False


def refresh(
    index: Index,
    places: Places,
    *,
    since_ms: int | None = None,
    seconds: float | None = None,
    wait: float = BUSY_SECONDS,
    workers: int = 1,
    progress: Callable[[Progress], None] | None = None,
) -> Refreshed:
    """Read what is new, newest logs first.

    With `seconds` it stops after that time, but not before every log written since `since_ms` is in.
    `workers` > 1 reads a large first index in several processes. Raises IndexBusy, and BadInput for a full or
    damaged disk.
    """
    began = time.monotonic()
    marks = _marks(places)
    if (known := _nothing_new(index, places, marks)) is not None:
        return coverage(index, Refreshed(files=known, seconds=time.monotonic() - began))
    from codex_usage.index.batches import read_new  # with all that reads logs: the usual question needs none of it

    done = read_new(index, places, marks, since_ms, math.inf if seconds is None else began + seconds, wait, workers,
                    progress)  # fmt: skip
    done.seconds = time.monotonic() - began
    return coverage(index, done)


def _marks(places: Places) -> dict[str, str]:
    """What outside the logs an index depends on: the zone of its days, the prices, the names of threads,
    projects and homes."""
    return {
        "zone": zone_of(os.environ.get("CODEX_USAGE_TZ"))[0],
        "prices": price_source(),
        "names": names_mark(places.codex),
        "projects": config_mark(("projects.json",)),
        "labels": json.dumps({str(home): places.label(home) for home in places.homes}),
    }


def _nothing_new(index: Index, places: Places, marks: dict[str, str]) -> int | None:
    """The number of logs when the index holds all of them as they are now, else None."""
    left = (
        "SELECT EXISTS (SELECT 1 FROM files WHERE read = 0) OR EXISTS (SELECT 1 FROM files WHERE problem IS NOT NULL)"
    )
    if stale(index, marks) or index.sql.execute(left).fetchone()[0]:
        return None
    rows = index.sql.execute("SELECT path, size, mtime_ns, inode FROM files")
    known = {path: (size, mtime_ns, inode) for path, size, mtime_ns, inode in rows}
    return len(known) if unchanged(places.codex, places.claude, places.imported, known) else None


def stale(index: Index, marks: dict[str, str]) -> bool:
    """Must something be worked out anew, although no log has changed?"""
    return any(index.get(key) != value for key, value in marks.items()) or index.get("rollups") == "stale"


def coverage(index: Index, done: Refreshed | None = None) -> Refreshed:
    """What the index does not hold yet."""
    done = done or Refreshed()
    row = index.sql.execute(
        "SELECT count(*), coalesce(sum(size), 0), max(mtime_ns) FROM files WHERE read = 0 AND problem IS NULL"
    ).fetchone()
    done.pending_files, done.pending_bytes = row[0], row[1]
    done.covered_since_ms = None if row[2] is None else row[2] // 1_000_000
    if left := index.get("left"):  # logs that a bounded refresh has seen, but not registered yet
        done.pending_files, done.pending_bytes, done.covered_since_ms = map(int, left.split(","))
    return done
