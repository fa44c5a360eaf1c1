"""What is sent to a collector, in parts that are sent again when they change: days of calls, turns and tools."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from codex_usage.index.database import Index
from codex_usage.index.facts import scanned

#: Kind of part -> the columns of each day that tell whether its rows are others than before, in order of days. Turns
#: are by days of UTC, so that one query finds them; their outcome may come after the last call.
_MARKS = {
    "calls": "SELECT day, calls, input, cached, cache_write, output, reasoning, cost, credits, project_id, model_id,"
    " effort_id, tier_id, origin, rate_id FROM days ORDER BY day",
    "turns": "SELECT started_ms / 86400000, count(*), sum(duration_ms), sum(first_token_ms), count(outcome),"
    " sum(ended_ms), sum(length(outcome)) FROM turns WHERE started_ms > 0 GROUP BY 1 ORDER BY 1",
    "tools": "SELECT day, label_id, uses, known, failed, took_ms FROM fact_days ORDER BY day",
}
_TURNS = (
    "SELECT t.uuid, key, started_ms, duration_ms, first_token_ms, coalesce(outcome, 'open') FROM turns"
    " JOIN threads t ON t.id = thread_id WHERE started_ms > 0 AND started_ms / 86400000 = ? ORDER BY started_ms, 1, 2"
)


class SentTurn(NamedTuple):
    """A turn, as it is sent."""

    thread_id: str
    turn_id: str
    started_ms: int
    duration_ms: int | None
    first_token_ms: int | None
    outcome: str


def part_marks(index: Index) -> dict[tuple[str, int], str]:
    """(kind, day number) of every part -> a mark that differs when one of its rows does. Tools have parts only after a
    pass over the logs' tools."""
    found: dict[tuple[str, int], hashlib.blake2b] = {}
    for kind, query in _MARKS.items():
        for day, *row in index.sql.execute(query) if kind != "tools" or scanned(index) else ():
            found.setdefault((kind, day), hashlib.blake2b(digest_size=8)).update(repr(row).encode())
    return {key: mark.hexdigest() for key, mark in found.items()}


def turns_of_day(index: Index, day: int) -> Iterator[SentTurn]:
    """The turns that began on a day of UTC."""
    return (SentTurn(*row) for row in index.sql.execute(_TURNS, (day,)))


def first_call(index: Index) -> int | None:
    """The time of the first call, in milliseconds."""
    row: tuple[int | None] = index.sql.execute("SELECT min(first_ms) FROM days").fetchone()
    return row[0]
