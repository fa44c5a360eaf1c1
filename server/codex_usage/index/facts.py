"""What tools did, in tables of their own: read from the logs' bodies in a second pass that runs only when asked.

Only labels of fixed lists, identifiers of MCP tools, numbers and keyed hashes are stored (docs/explanation/privacy.md).
Each batch of logs is one transaction with its cursors. Facts belong to the calls of their log by position; a call that
is counted in another log takes its facts out of every answer, so that what a fork copied counts once.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

from codex_usage.homes import Places
from codex_usage.homes.config import read_file, write_bytes
from codex_usage.index.database import Index, explained
from codex_usage.index.queries import Filters, Scope, between, conditions_of, where_of
from codex_usage.logs import head_hash, tail_hash
from codex_usage.logs.rollout import layout_of
from codex_usage.logs.tools import ToolDecoder

#: Raise it when what is read changes: all facts are then read anew.
VERSION = 1
BATCH_BYTES = 64 << 20
_KEY_BYTES = 32
TABLES = """
CREATE TABLE IF NOT EXISTS fact_files (
  file_id INTEGER PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
  offset INTEGER NOT NULL, head BLOB, tail BLOB, state BLOB, linked TEXT, skipped INTEGER NOT NULL,
  read_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS fact_labels (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, server TEXT NOT NULL, family TEXT NOT NULL,
  operation TEXT NOT NULL, work TEXT NOT NULL, UNIQUE (kind, name, server, family, operation, work)
);
CREATE TABLE IF NOT EXISTS facts (
  file_id INTEGER NOT NULL, position INTEGER NOT NULL, part INTEGER NOT NULL, call INTEGER, exact INTEGER,
  turn INTEGER NOT NULL, time_ms INTEGER NOT NULL, label_id INTEGER NOT NULL, main INTEGER NOT NULL,
  runs INTEGER NOT NULL, outcome INTEGER, duration_ms INTEGER, bytes INTEGER, tokens INTEGER, file TEXT,
  added INTEGER, removed INTEGER, PRIMARY KEY (file_id, position, part)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS facts_call ON facts (file_id, call);
"""


class FactsDone(NamedTuple):
    """What a pass did: logs and bytes read, logs left for the next one, and those that could not be read."""

    files_read: int = 0
    bytes: int = 0
    pending_files: int = 0
    problems: int = 0
    seconds: float = 0.0


class FactsState(NamedTuple):
    """How far the pass has come: logs scanned and not (or no longer up to date), when last, lines left out, tool uses
    that no call is known of (most are copies)."""

    scanned: int
    pending: int
    read_ms: int | None
    skipped: int
    unlinked: int


class _Reading(NamedTuple):
    """What one reading of a log gave. `begin` is None when it was read from its start, whatever was known of it."""

    log: sqlite3.Row
    decoder: ToolDecoder
    begin: int | None
    end: int
    hashes: tuple[bytes, bytes]


_CHANGED = (
    "FROM files f LEFT JOIN fact_files k ON k.file_id = f.id LEFT JOIN threads t ON t.uuid = f.thread"
    " WHERE f.provider = 'codex' AND f.read = 1 AND (k.size, k.mtime_ns, k.inode) IS NOT (f.size, f.mtime_ns, f.inode)"
)


def refresh_facts(
    index: Index, places: Places, seconds: float | None = None, progress: Callable[[FactsDone], None] | None = None
) -> FactsDone:
    """Read on in every Codex log that the index knows, newest first, until `seconds` have passed. Run `refresh` before.

    Raises IndexBusy, and BadInput for a full or damaged disk.
    """
    began = time.monotonic()
    done, broken = FactsDone(), set[int]()

    def over() -> bool:
        return seconds is not None and time.monotonic() - began >= seconds

    try:
        secret = _secret(places.data / "secret")
        _prepare(index, secret)
        waiting = _changed(index)
        while waiting and not (done.bytes and over()):
            batch, size = list[_Reading](), 0
            for log in waiting:
                if size >= BATCH_BYTES or (size and over()):
                    break
                try:
                    batch.append(_read(log, secret))
                    size += batch[-1].end - (batch[-1].begin or 0)
                except OSError:
                    broken.add(log["id"])
            with index.write() as sql:
                for reading in batch:
                    _put(sql, reading)
                _link(sql, [reading.log["id"] for reading in batch])
            waiting = _changed(index, broken)
            read = done.files_read + sum(reading.decoder.whole for reading in batch)
            done = FactsDone(read, done.bytes + size, len(waiting), len(broken))
            if progress:
                progress(done)
        gone = "SELECT file_id FROM fact_files EXCEPT SELECT id FROM files"
        if index.sql.execute(gone).fetchone() or _stale(index.sql):  # only then is the lock worth waiting for
            with index.write() as sql:
                _forget(sql, [row[0] for row in sql.execute(gone).fetchall()])
                _link(sql)
    except sqlite3.DatabaseError as error:
        raise explained(index.path, error) or error from error
    return done._replace(pending_files=len(waiting) + len(broken), seconds=time.monotonic() - began)


def _secret(path: Path) -> bytes:
    """The key of this installation's hashes, made when first asked for; only the user may read it."""
    key = read_file(path) or b""
    if len(key) < _KEY_BYTES:
        key = secrets.token_bytes(_KEY_BYTES)
        write_bytes(path, key)
    return key[:_KEY_BYTES]


def _prepare(index: Index, secret: bytes) -> None:
    """Make the tables; facts of another version or secret are dropped."""
    mark = f"{VERSION}:{hashlib.blake2b(b'mark', key=secret, digest_size=4).hexdigest()}"
    if _ready(index) and index.get("facts") == mark:
        return
    with index.write() as sql:
        if _ready(index) and index.get("facts") == mark:
            return  # another process was faster
        for table in ("facts", "fact_labels", "fact_files"):
            sql.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in TABLES.split(";\n"):
            sql.execute(statement)
        index.put("facts", mark)


def _ready(index: Index) -> bool:
    return index.sql.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone() is not None


def _changed(index: Index, broken: Set[int] = frozenset()) -> list[sqlite3.Row]:
    """Logs to read but for the broken ones, the newest first."""
    cursor = index.sql.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute(
        "SELECT f.id, f.path, f.size, f.mtime_ns, f.inode, f.thread, t.cwd, k.offset, k.inode AS old_inode, k.head,"
        f" k.tail, k.state {_CHANGED} ORDER BY f.mtime_ns DESC, f.name"
    )
    return [row for row in rows if row["id"] not in broken]


def _read(log: sqlite3.Row, secret: bytes) -> _Reading:
    """Read (on) in a log."""
    path, begin = log["path"], log["offset"]
    if begin is not None and (
        path.endswith(".zst")
        or (log["old_inode"] != log["inode"] and os.name == "posix")
        or (head_hash(path, begin), tail_hash(path, begin)) != (log["head"], log["tail"])
    ):
        begin = None
    decoder = ToolDecoder(secret, log["cwd"], log["thread"], b"" if begin is None else log["state"])
    end = decoder.read(path, begin or 0, BATCH_BYTES)
    return _Reading(log, decoder, begin, end, (head_hash(path, end), tail_hash(path, end)))


def _forget(sql: sqlite3.Connection, files: Iterable[int]) -> None:
    for file in files:
        for table in ("facts", "fact_files"):
            sql.execute(f"DELETE FROM {table} WHERE file_id = ?", (file,))


def _put(sql: sqlite3.Connection, reading: _Reading) -> None:
    """Store what one reading of a log gave, with its cursor."""
    log, decoder, begin, end, hashes = reading
    if begin is None:
        _forget(sql, [log["id"]])
    labels: dict[tuple[str, ...], int | None] = {
        row[1:]: row[0] for row in sql.execute("SELECT * FROM fact_labels").fetchall()
    }
    rows: list[tuple[Any, ...]] = []
    for use in decoder.uses:
        for at, part in enumerate(use.parts):
            label = (use.kind, use.name, use.server, part.family, part.operation, part.work)
            if label not in labels:
                labels[label] = sql.execute("INSERT INTO fact_labels VALUES (NULL, ?, ?, ?, ?, ?, ?)", label).lastrowid
            # what is known of the use as a whole stands with its main command only, so that sums are right
            whole = (use.duration_ms, use.output_bytes, use.output_tokens) if not at else (None, None, None)
            outcome = use.outcome if at == 0 or use.kind == "patch" else None
            rows.append(
                (log["id"], use.position, use.first + at, None, None, use.turn, use.time_ms, labels[label], at == 0,
                 part.runs, outcome, *whole, part.file, part.added, part.removed)
            )  # fmt: skip
    sql.executemany(f"INSERT OR REPLACE INTO facts VALUES ({', '.join('?' * 17)})", rows)
    size = log["size"] if decoder.whole else -1  # one read in part is not up to date
    sql.execute(
        "INSERT OR REPLACE INTO fact_files VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL,"
        " ? + coalesce((SELECT skipped FROM fact_files WHERE file_id = ?), 0), ?)",
        (log["id"], size, log["mtime_ns"], log["inode"], end, *hashes, decoder.state, decoder.skipped,
         log["id"], int(time.time() * 1000)),
    )  # fmt: skip


def _stale(sql: sqlite3.Connection, logs: Iterable[int] | None = None) -> list[tuple[int, str, str | None]]:
    """Of some logs or all: those whose tools were linked to other calls than they have now, or not yet."""
    some = "" if logs is None else f" WHERE k.file_id IN ({', '.join(map(str, logs))})"
    return sql.execute(
        "SELECT file_id, stamp, version FROM (SELECT k.file_id, k.linked, t.version,"
        " (SELECT count(*) || ',' || total(position) FROM calls c WHERE c.file_id = k.file_id) AS stamp"
        " FROM fact_files k JOIN files f ON f.id = k.file_id LEFT JOIN threads t ON t.uuid = f.thread"
        f"{some}) WHERE linked IS NOT stamp"
    ).fetchall()


#: A response's usage line stands before its items up to 0.69 and after them since (ROLLOUTS.md §6): there the next call
#: is meant, if the item came after its begin. Tools of a response without usage (an abort) go to the last, inferred.
_LINK = """UPDATE facts SET (call, exact) = (
  SELECT coalesce(next, last), iif(coalesce(next, last) IS NULL, NULL, :before OR next IS NOT NULL) FROM (SELECT
    (SELECT max(position) FROM calls c WHERE c.file_id = :file AND c.position <= facts.position) AS last,
    (SELECT iif(:before OR time_ms - coalesce(duration_ms, 0) > facts.time_ms, NULL, position) FROM calls c
      WHERE c.file_id = :file AND c.position > facts.position ORDER BY position LIMIT 1) AS next))
  WHERE file_id = :file"""


def _link(sql: sqlite3.Connection, logs: Iterable[int] | None = None) -> None:
    """Find the call of each tool use of some logs or all, where that is stale."""
    for file, stamp, version in _stale(sql, logs):
        sql.execute(_LINK, {"file": file, "before": layout_of(version) == "before"})
        sql.execute("UPDATE fact_files SET linked = ? WHERE file_id = ?", (stamp, file))


def facts_state(index: Index) -> FactsState | None:
    """How far the pass has come; None when it never ran."""
    if not _ready(index):
        return None
    row = index.sql.execute("SELECT count(*), max(read_ms), coalesce(sum(skipped), 0) FROM fact_files").fetchone()
    pending = index.sql.execute(f"SELECT count(*) {_CHANGED}").fetchone()[0]
    unlinked = index.sql.execute("SELECT count(*) FROM facts WHERE call IS NULL AND main").fetchone()[0]
    return FactsState(row[0], pending, row[1], row[2], unlinked) if row[0] else None


_ALL = Filters()


class FactRow(NamedTuple):
    """Sums of a group of tool uses. `touches`: how often they named a file (or ran). `known` uses told their outcome,
    `failed` of them failed; `output_bytes` as the model got it, `uncut_tokens` of the outputs whose log tells it;
    `inferred` uses are linked by inference. `calls` asked for them; their `associated_tokens` and `cost` (nano-dollars)
    are those of whole calls, so these three must not be added up over groups."""

    labels: tuple[Any, ...]
    uses: int
    runs: int
    touches: int
    known: int
    failed: int
    output_bytes: int
    uncut_tokens: int
    lines_added: int
    lines_removed: int
    inferred: int
    calls: int
    associated_tokens: int
    cost: int


#: The sums of FactRow in its order, within a call.
_SUMS = """sum(main), sum(runs), sum(max(runs, 1)), sum(main AND outcome IS NOT NULL),
  sum(main AND coalesce(outcome, 0) <> 0), sum(coalesce(bytes, 0)), sum(coalesce(f.tokens, 0)), sum(added),
  sum(removed), sum(main AND NOT exact), 1, d.input + d.output, coalesce(d.cost, 0)"""
GROUPS = {
    **{word: f"l.{word}" for word in ("kind", "name", "server", "family", "operation", "work")},
    "file": "f.file",
    "thread": "(SELECT uuid FROM threads WHERE id = d.thread_id)",
}
#: Which tool uses: all, and those of a kind.
ONLY = {
    "": [],
    "shell": ["l.kind = 'shell'"],
    "shell lines": ["l.kind = 'shell'", "f.main"],
    "git": ["l.family IN ('git', 'gh')"],
    "mcp": ["l.kind = 'mcp'"],
    "read": ["l.work = 'read'"],
    "search": ["l.work = 'search'"],
    "files read": ["l.work = 'read'", "f.file IS NOT NULL"],
    "files changed": ["l.work = 'write'", "f.file IS NOT NULL", "coalesce(f.outcome, 0) = 0"],
}


def _select(index: Index, columns: str, scope: Scope, filters: Filters, only: str, rest: str) -> tuple[str, list[Any]]:
    """A statement over the tool uses of a scope, with its parameters."""
    conditions, parameters = conditions_of(index, filters)
    where = where_of([*between("d.time_ms", scope.start_ms, scope.end_ms), *conditions, *ONLY[only]])
    # by this index from either side: SQLite took the primary key, and read a whole log's facts for every call
    tools = "facts f INDEXED BY facts_call JOIN calls d ON d.file_id = f.file_id AND d.position = f.call"
    return f"SELECT {columns} FROM {tools} JOIN fact_labels l ON l.id = label_id{where} {rest}", parameters


def fact_groups(
    index: Index, by: Sequence[str], scope: Scope, filters: Filters = _ALL, only: str = ""
) -> list[FactRow]:
    """Sums of the tool uses of a scope by some of GROUPS, of those that ONLY names, in no particular order."""
    width = len(by)
    keys = ", ".join(GROUPS[word] for word in by)
    numbers = ", ".join(str(at + 1) for at in range(width))
    each, parameters = _select(index, f"{keys}, {_SUMS}", scope, filters, only, f"GROUP BY {numbers}, d.id")
    names = [f"c{at}" for at in range(width + len(FactRow._fields) - 1)]
    sums = ", ".join([*names[:width], *(f"sum({name})" for name in names[width:])])
    query = f"WITH each_call({', '.join(names)}) AS ({each}) SELECT {sums} FROM each_call GROUP BY {numbers}"
    return [FactRow._make((row[:width], *row[width:])) for row in index.sql.execute(query, parameters)]


def shell_runs(
    index: Index, scope: Scope, filters: Filters = _ALL
) -> list[tuple[int, int, str, int | None, int | None]]:
    """(log, turn, family, outcome, milliseconds) of the main command of every shell use, in the order of the logs."""
    columns, order = "f.file_id, f.turn, family, f.outcome, f.duration_ms", "ORDER BY f.file_id, f.position, f.part"
    return index.sql.execute(*_select(index, columns, scope, filters, "shell lines", order)).fetchall()


def largest_outputs(
    index: Index, scope: Scope, filters: Filters, limit: int
) -> list[tuple[int, str, str, str, int, int | None]]:
    """(call uid, kind, name, family, bytes, uncut tokens) of the largest outputs."""
    columns, order = "d.uid, kind, name, family, f.bytes, f.tokens", f"ORDER BY f.bytes DESC LIMIT {int(limit)}"
    return index.sql.execute(*_select(index, columns, scope, filters, "", order)).fetchall()
