"""Where a call stands in its log, and the calls around it: places to seek to."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from codex_usage.index.database import Index
from codex_usage.model import BadInput
from codex_usage.model.nouns import kind_of


class Source(NamedTuple):
    """A call's log and byte offsets of usage in it: the call's, of up to two calls before it, nearest first, of the
    next one, of the first call of its turn and, in `low`, of the one before that (else 0)."""

    path: str
    version: str | None
    turn_ms: int | None
    position: int
    before: list[int]
    after: int | None
    first: int
    low: int


def source_of(index: Index, uid: int) -> Source:
    """The place of a call that is in the index. Raises BadInput when its log is not here."""
    file, turn, *row, at = index.sql.execute(
        "SELECT c.file_id, c.turn_key, f.path, (SELECT version FROM threads WHERE uuid = f.thread),"
        " (SELECT started_ms FROM turns WHERE file_id = c.file_id AND key = c.turn_key), c.position"
        " FROM calls c JOIN files f ON f.id = c.file_id WHERE c.uid = ?",
        (uid,),
    ).fetchone()

    def near(rest: str, *values: object) -> list[int]:
        text = f"SELECT position FROM calls WHERE file_id = ? AND position {rest}"
        return [row[0] for row in index.sql.execute(text, (file, *values))]

    before, after = near("< ? ORDER BY position DESC LIMIT 2", at), near("> ? ORDER BY position LIMIT 1", at)
    first = [*near("<= ? AND turn_first AND turn_key = ? ORDER BY position DESC LIMIT 1", at, turn), at][0]
    low = [*near("< ? ORDER BY position DESC LIMIT 1", first), 0][0]
    if kind_of(Path(row[0]).name):
        raise BadInput("The log of this call is not here: it was ingested, or imported from another machine.")
    return Source._make([*row, at, before, after[0] if after else None, first, low])
