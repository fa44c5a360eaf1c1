"""What tools did, in tables of their own: read from the logs' bodies in a second pass that runs only when asked.

Only labels of fixed lists, identifiers of MCP tools, numbers and keyed hashes are stored (docs/explanation/privacy.md).
Each batch of logs is one transaction with its cursors. Facts belong to the calls of their log by position; a call that
is counted in another log takes its facts out of every answer, so that what a fork copied counts once. Sums by day are
made of them at the end of a pass; what is asked with filters or by the hour is summed from the facts in the same way.
"""

from __future__ import annotations

import gc
import hashlib
import os
import sqlite3
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from functools import cache
from itertools import accumulate, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from codex_usage.homes import Places
from codex_usage.homes.config import installation_secret
from codex_usage.homes.platform import replaced
from codex_usage.index.batches import PARALLEL_BYTES
from codex_usage.index.database import Index, explained
from codex_usage.index.queries import Filters, Scope, between, conditions_of, where_of
from codex_usage.logs import head_hash, tail_hash
from codex_usage.logs.rollout import layout_of
from codex_usage.logs.tools import ToolDecoder, ToolUse

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

#: Raise it when what is read changes: all facts are then read anew.
VERSION = 2
BATCH_BYTES = 64 << 20
#: By which words of a label tool uses can be summed up. A fact's `marks` tell for each (the bit of its place)
#: whether it is its call's first of the group: so calls count once there. The next bit is for files, and the last one
#: tells that the RETRIES-th failure in a row of a family within a turn is met.
GROUPINGS: tuple[tuple[str, ...], ...] = (
    ("kind",), ("kind", "name"), ("kind", "name", "family"), ("work",), ("family",), ("family", "operation"),
    ("server", "name"),
)  # fmt: skip
RETRIES = 3
_WORDS = ("kind", "name", "server", "family", "operation", "work")
_FILE, _LOOP = len(GROUPINGS), len(GROUPINGS) + 1
#: Table of sums by day -> its key, its sums, what it is about, and which groups it leaves out.
_ROLLUPS: dict[str, tuple[dict[str, str], dict[str, str], str, str]] = {
    "fact_days": (
        {"label_id": "f.label_id", "day": "d.day"},
        {
            "uses": "sum(main)", "runs": "sum(runs)", "known": "sum(main AND outcome IS NOT NULL)",
            "failed": "sum(main AND coalesce(outcome, 0) <> 0)", "timed": "count(f.duration_ms)",
            "took_ms": "coalesce(sum(f.duration_ms), 0)", "bytes": "coalesce(sum(bytes), 0)",
            "uncut": "coalesce(sum(f.tokens), 0)", "loops": f"sum(marks >> {_LOOP})",
            "inferred": "sum(main AND NOT exact)",
            # beside a max() SQLite takes the other columns from the row that has it
            "most": "max(bytes)", "most_uid": "d.uid", "most_uncut": "f.tokens",
            **{
                f"{name}{at}": f"sum(iif(marks & {1 << at}, {value}, 0))"
                for at in range(_FILE)
                for name, value in (("calls", "1"), ("tokens", "d.input + d.output"), ("cost", "coalesce(d.cost, 0)"))
            },
        }, "1", "1",
    ),
    "fact_day_files": (
        {"work": "l.work", "file": "f.file", "thread_id": "d.thread_id", "day": "d.day"},
        {
            "touches": "sum(max(runs, 1))", "added": "sum(added)", "removed": "sum(removed)",
            "calls": f"sum(marks >> {_FILE} & 1)",
            "tokens": f"sum(iif(marks & {1 << _FILE}, d.input + d.output, 0))",
        },
        "f.file IS NOT NULL AND (l.work = 'read' OR (l.work = 'write' AND coalesce(outcome, 0) = 0))",
        "l.work = 'write' OR touches > 1",
    ),
    "fact_day_threads": (
        {"day": "d.day", "thread_id": "d.thread_id"},
        {
            "every": "'all'", "reads": "sum(iif(l.work = 'read', runs, 0))",
            "searches": "sum(iif(l.work = 'search', runs, 0))",
            "files_read": "count(DISTINCT iif(l.work = 'read', file, NULL))",
            "files_changed": "count(DISTINCT iif(l.work = 'write' AND coalesce(outcome, 0) = 0, file, NULL))",
            "changes": "sum(l.work = 'write' AND file IS NOT NULL AND coalesce(outcome, 0) = 0)",
            "lines": "sum(iif(coalesce(outcome, 0) = 0, added + removed, 0))",
            "read_bytes": "sum(iif(l.work = 'read', coalesce(bytes, 0), 0))",
        }, "l.work IN ('read', 'search', 'write')", "1",
    ),
}  # fmt: skip
TABLES = """
CREATE TABLE fact_files (
  file_id INTEGER PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
  offset INTEGER NOT NULL, head BLOB, tail BLOB, state BLOB, linked TEXT, unlinked INTEGER, skipped INTEGER NOT NULL,
  read_ms INTEGER NOT NULL
);
CREATE TABLE fact_labels (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, server TEXT NOT NULL, family TEXT NOT NULL,
  operation TEXT NOT NULL, work TEXT NOT NULL, UNIQUE (kind, name, server, family, operation, work)
);
CREATE TABLE facts (
  file_id INTEGER NOT NULL, call INTEGER NOT NULL, position INTEGER NOT NULL, part INTEGER NOT NULL, exact INTEGER,
  marks INTEGER NOT NULL, turn INTEGER NOT NULL, time_ms INTEGER NOT NULL, label_id INTEGER NOT NULL,
  main INTEGER NOT NULL, runs INTEGER NOT NULL, outcome INTEGER, duration_ms INTEGER, bytes INTEGER, tokens INTEGER,
  file TEXT, added INTEGER, removed INTEGER, PRIMARY KEY (file_id, call, position, part)
) WITHOUT ROWID;
CREATE TABLE fact_stamps (day INTEGER PRIMARY KEY, stamp TEXT NOT NULL)""" + "".join(
    f";\nCREATE TABLE {name} ({', '.join([*keys, *sums])}, PRIMARY KEY ({', '.join(keys)})) WITHOUT ROWID"
    for name, (keys, sums, _, _) in _ROLLUPS.items()
)


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


_Row = tuple[Any, ...]
_Label = tuple[str, ...]


class _Reading(NamedTuple):
    """What one reading of a log gave. `begin` is None when it was read from its start, whatever was known of it;
    `whole` when its end was reached; `error` when it could not be read."""

    log: dict[str, Any]
    begin: int | None = None
    end: int = 0
    uses: Sequence[ToolUse] = ()
    state: bytes = b""
    skipped: int = 0
    whole: bool = True
    hashes: tuple[bytes, bytes] = (b"", b"")
    error: bool = False


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
    pool: ProcessPoolExecutor | None = None

    def over() -> bool:
        return seconds is not None and time.monotonic() - began >= seconds

    collecting = gc.isenabled()
    gc.disable()  # rows are many and hold no cycles
    try:
        secret = installation_secret(places.data)
        _prepare(index, secret)
        waiting = _changed(index)
        if sum(log["size"] - (log["offset"] or 0) for log in waiting) > PARALLEL_BYTES and (os.cpu_count() or 1) > 1:
            from concurrent.futures import ProcessPoolExecutor  # 7 ms that few passes need

            pool = ProcessPoolExecutor(2)
        while waiting and not (done.bytes and over()):
            sizes = list(accumulate(log["size"] - (log["offset"] or 0) for log in waiting))
            some = waiting[: bisect_right(sizes, BATCH_BYTES) + 1]
            batch = list[_Reading]()
            for reading in pool.map(_read, some, repeat(secret)) if pool else (_read(log, secret) for log in some):
                batch.append(reading)
                if over():
                    break
            broken.update(reading.log["id"] for reading in batch if reading.error)
            with index.write() as sql:
                labels = _labels(sql)
                for reading in batch:
                    if not reading.error:
                        _put(sql, reading, labels, {label: key for key, label in labels.items()})
            waiting = _changed(index, broken)
            read = done.files_read + sum(reading.whole and not reading.error for reading in batch)
            size = sum(reading.end - (reading.begin or 0) for reading in batch)
            done = FactsDone(read, done.bytes + size, len(waiting), len(broken))
            if progress:
                progress(done)
        gone = [row[0] for row in index.sql.execute("SELECT file_id FROM fact_files EXCEPT SELECT id FROM files")]
        if done.bytes or gone or _stale_days(index.sql):  # only then is the lock worth waiting for
            with index.write() as sql:
                _forget(sql, gone)
                _link(sql)
                _sum_up(sql)
    except sqlite3.DatabaseError as error:
        raise explained(index.path, error) or error from error
    finally:
        if collecting:
            gc.enable()
        if pool:
            pool.shutdown(cancel_futures=True)
    return done._replace(pending_files=len(waiting) + len(broken), seconds=time.monotonic() - began)


def _prepare(index: Index, secret: bytes) -> None:
    """Make the tables; facts of another version or secret are dropped."""
    mark = f"{VERSION}:{hashlib.blake2b(b'mark', key=secret, digest_size=4).hexdigest()}"
    if index.get("facts") == mark:
        return
    with index.write() as sql:
        if index.get("facts") == mark:
            return  # another process was faster
        for table in ("facts", "fact_labels", "fact_files", "fact_stamps", *_ROLLUPS):
            sql.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in TABLES.split(";\n"):
            sql.execute(statement)
        index.put("facts", mark)


def scanned(index: Index) -> bool:
    """Has a pass of this version begun?"""
    return (index.get("facts") or "").startswith(f"{VERSION}:")


def _changed(index: Index, broken: Set[int] = frozenset()) -> list[dict[str, Any]]:
    """Logs to read but for the broken ones, the newest first."""
    cursor = index.sql.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute(
        "SELECT f.id, f.path, f.size, f.mtime_ns, f.inode, f.thread, t.cwd, t.version, k.offset, k.inode AS old_inode,"
        f" k.head, k.tail, k.state {_CHANGED} ORDER BY f.mtime_ns DESC, f.name"
    )
    return [dict(row) for row in rows if row["id"] not in broken]


def _read(log: dict[str, Any], secret: bytes) -> _Reading:
    """Read (on) in a log."""
    path, begin = log["path"], log["offset"]
    try:
        if begin is not None and (
            path.endswith(".zst")
            or replaced(log["old_inode"], log["inode"])
            or (head_hash(path, begin), tail_hash(path, begin)) != (log["head"], log["tail"])
        ):
            begin = None
        decoder = ToolDecoder(secret, log["cwd"], log["thread"], b"" if begin is None else log["state"])
        end = decoder.read(path, begin or 0, BATCH_BYTES)
        hashes = (head_hash(path, end), tail_hash(path, end))
    except OSError:
        return _Reading(log, error=True)
    return _Reading(log, begin, end, decoder.uses, decoder.state, decoder.skipped, decoder.whole, hashes)


def _forget(sql: sqlite3.Connection, files: Iterable[int]) -> None:
    for file in files:
        for table in ("facts", "fact_files"):
            sql.execute(f"DELETE FROM {table} WHERE file_id = ?", (file,))


def _labels(sql: sqlite3.Connection) -> dict[int, _Label]:
    return {row[0]: row[1:] for row in sql.execute("SELECT * FROM fact_labels")}


@cache
def _groups(label: _Label) -> frozenset[tuple[int, _Label]]:
    words = dict(zip(_WORDS, label, strict=True))
    return frozenset((bit, tuple(words[word] for word in by)) for bit, by in enumerate(GROUPINGS))


#: A fact as it is read from a log: the columns of `facts` but file_id, call, exact and marks.
_AS_READ = ("position, part, turn, time_ms, label_id, main, runs, outcome, duration_ms, bytes, tokens, file, added,"
            " removed")  # fmt: skip


def _put(sql: sqlite3.Connection, reading: _Reading, labels: dict[int, _Label], keys: dict[_Label, int]) -> None:
    """Store what one reading of a log gave, with its cursor. `labels` and their `keys` are those known so far."""
    log = reading.log
    if reading.begin is None:
        _forget(sql, [log["id"]])
    known = sql.execute(f"SELECT {_AS_READ} FROM facts WHERE file_id = ?", (log["id"],))
    rows: dict[tuple[int, int], _Row] = {row[:2]: row for row in known}
    for use in reading.uses:
        for at, part in enumerate(use.parts):
            label = (use.kind, use.name, use.server, part.family, part.operation, part.work)
            if label not in keys:
                keys[label] = len(labels) + 1
                labels[keys[label]] = label
                sql.execute("INSERT INTO fact_labels VALUES (?, ?, ?, ?, ?, ?, ?)", (keys[label], *label))
            # what is known of the use as a whole stands with its main command only, so that sums are right
            whole = (use.duration_ms, use.output_bytes, use.output_tokens) if not at else (None, None, None)
            outcome = use.outcome if at == 0 or use.kind == "patch" else None
            rows[use.position, use.first + at] = (
                use.position, use.first + at, use.turn, use.time_ms, keys[label], at == 0, part.runs, outcome,
                *whole, part.file, part.added, part.removed,
            )  # fmt: skip
    size = log["size"] if reading.whole else -1  # one read in part is not up to date
    sql.execute(
        "INSERT OR REPLACE INTO fact_files VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, 0,"
        " ? + coalesce((SELECT skipped FROM fact_files WHERE file_id = ?), 0), ?)",
        (log["id"], size, log["mtime_ns"], log["inode"], reading.end, *reading.hashes, reading.state, reading.skipped,
         log["id"], int(time.time() * 1000)),
    )  # fmt: skip
    _store(sql, log["id"], log["version"], rows.values(), labels)


def _store(
    sql: sqlite3.Connection, file: int, version: str | None, rows: Iterable[_Row], labels: dict[int, _Label]
) -> None:
    """Write the facts of a log anew, each linked to its call.

    A response's usage line stands before its items up to 0.69 and after them since (ROLLOUTS.md §6): there the next
    call is meant, if the item came after its begin. Tools of a response without usage (an abort) go to the last,
    inferred."""
    before = layout_of(version) == "before"
    query = "SELECT position, time_ms - coalesce(duration_ms, 0) FROM calls WHERE file_id = ? ORDER BY position"
    calls = sql.execute(query, (file,)).fetchall()
    places = [call[0] for call in calls]
    written, met, unlinked = [], defaultdict[int, set[tuple[int, _Label]]](set), 0
    streak: tuple[object, ...] = ()
    length = 0
    for row in sorted(rows):
        position, _, turn, time_ms, label, main, _, outcome, *_, name, _, _ = row
        at = bisect_right(places, position)
        follows = not before and at < len(calls) and calls[at][1] <= time_ms
        call = places[at - (not follows)] if at or follows else -1
        new = (_groups(labels[label]) | {(_FILE, (labels[label][-1], name))}) - met[call]
        met[call] |= new
        marks = sum(1 << bit for bit, _ in new)
        if main and labels[label][0] == "shell":
            this = (turn, labels[label][3], bool(outcome))
            streak, length = this, length + 1 if this == streak else 1
            marks |= (1 << _LOOP) * bool(outcome and length == RETRIES)
        unlinked += call < 0 and main
        written.append((file, call, *row[:2], before or follows if call >= 0 else None, marks, *row[2:]))
    sql.execute("DELETE FROM facts WHERE file_id = ?", (file,))
    sql.executemany(f"INSERT INTO facts VALUES ({', '.join('?' * 18)})", written)
    stamp = f"{len(places)},{sum(places)}"
    sql.execute("UPDATE fact_files SET (linked, unlinked) = (?, ?) WHERE file_id = ?", (stamp, unlinked, file))
    sql.execute("DELETE FROM fact_stamps WHERE day IN (SELECT day FROM calls WHERE file_id = ?)", (file,))


def _link(sql: sqlite3.Connection) -> None:
    """Link again the tools of logs whose calls are others than when they were linked."""
    stale = sql.execute(
        "SELECT file_id, version FROM (SELECT k.file_id, k.linked, t.version,"
        " (SELECT count(*) || ',' || coalesce(sum(position), 0) FROM calls c WHERE c.file_id = k.file_id) AS stamp"
        " FROM fact_files k JOIN files f ON f.id = k.file_id LEFT JOIN threads t ON t.uuid = f.thread)"
        " WHERE linked IS NOT stamp"
    ).fetchall()
    labels = _labels(sql)
    for file, version in stale:
        rows = sql.execute(f"SELECT {_AS_READ} FROM facts WHERE file_id = ?", (file,)).fetchall()
        _store(sql, file, version, rows, labels)


def _stale_days(sql: sqlite3.Connection) -> list[tuple[int, str | None, int, int]]:
    """(day, its calls' number, tokens and cost as text, first and last time) of days that are to be summed anew."""
    return sql.execute(
        "SELECT day, now, first, last FROM (SELECT day, sum(calls) || ',' || sum(input + output) || ',' || sum(cost)"
        " AS now, min(first_ms) AS first, max(last_ms) AS last FROM days GROUP BY day)"
        " LEFT JOIN fact_stamps USING (day) WHERE now IS NOT stamp"
        " UNION ALL SELECT day, NULL, 0, 0 FROM fact_stamps WHERE day NOT IN (SELECT day FROM days)"
    ).fetchall()


def _sum_up(sql: sqlite3.Connection) -> None:
    """Make the sums by day anew where calls or facts have changed."""
    stale = _stale_days(sql)
    sql.executemany("DELETE FROM fact_stamps WHERE day = ?", [row[:1] for row in stale])
    sql.executemany("INSERT INTO fact_stamps VALUES (?, ?)", [row[:2] for row in stale if row[1]])
    days = f"day IN ({', '.join(str(row[0]) for row in stale)})"
    span = between("d.time_ms", min((row[2] for row in stale if row[1]), default=0),
                   max((row[3] + 1 for row in stale if row[1]), default=0))  # fmt: skip
    for table in _ROLLUPS if stale else ():
        sql.execute(f"DELETE FROM {table} WHERE {days}")
        sql.execute(f"INSERT INTO {table} {_summed(table, [*span, f'd.{days}'])}")


def _summed(table: str, conditions: list[str]) -> str:
    """What a table of sums by day holds, of some calls."""
    keys, sums, about, kept = _ROLLUPS[table]
    columns = ", ".join(f"{value} AS {name}" for name, value in (keys | sums).items())
    return (
        f"SELECT {columns} FROM calls d CROSS JOIN facts f ON f.file_id = d.file_id AND f.call = d.position"
        f" CROSS JOIN fact_labels l ON l.id = f.label_id{where_of([*conditions, about])}"
        f" GROUP BY {', '.join(keys.values())} HAVING {kept}"
    )


def facts_state(index: Index) -> FactsState | None:
    """How far the pass has come; None when it never ran."""
    if not scanned(index):
        return None
    row = index.sql.execute("SELECT count(*), max(read_ms), sum(skipped), sum(unlinked) FROM fact_files").fetchone()
    pending = index.sql.execute(f"SELECT count(*) {_CHANGED}").fetchone()[0]
    return FactsState(row[0], pending, *row[1:]) if row[0] else None


_ALL = Filters()


class FactRow(NamedTuple):
    """Sums of a group of tool uses. `known` uses told their outcome, `failed` of them failed; `timed` ones took
    `took_ms` in all; `output_bytes` as the model got it, `uncut_tokens` of the outputs whose log tells it; `loops` of
    retries; `inferred` uses are linked by inference. `calls` asked for them; their `associated_tokens` and `cost`
    (nano-dollars) are those of whole calls, so these three must not be added up over groups."""

    labels: tuple[str, ...]
    uses: int
    runs: int
    known: int
    failed: int
    timed: int
    took_ms: int
    output_bytes: int
    uncut_tokens: int
    loops: int
    inferred: int
    calls: int
    associated_tokens: int
    cost: int


#: Which tool uses: all, and those of a kind.
ONLY = {"": "1", "shell": "kind = 'shell'", "git": "family IN ('git', 'gh')", "mcp": "kind = 'mcp'"}


def _from(index: Index, table: str, scope: Scope, filters: Filters) -> tuple[str, list[Any]]:
    """A table of sums by day for a scope: as it is stored, or summed now; with its parameters."""
    if filters == _ALL and scope.days is not None:
        return f"(SELECT * FROM {table}{where_of(between('day', *scope.days))})", []
    conditions, parameters = conditions_of(index, filters)
    return f"({_summed(table, [*between('d.time_ms', scope.start_ms, scope.end_ms), *conditions])})", parameters


def fact_groups(
    index: Index, by: tuple[str, ...], scope: Scope, filters: Filters = _ALL, only: str = ""
) -> list[FactRow]:
    """Sums of the tool uses of a scope by one of GROUPINGS, of those that ONLY names, in no particular order."""
    table, parameters = _from(index, "fact_days", scope, filters)
    at, words = GROUPINGS.index(by), ", ".join(by)
    names = [*list(_ROLLUPS["fact_days"][1])[:10], f"calls{at}", f"tokens{at}", f"cost{at}"]
    each = ", ".join(f"sum({name}) AS {name}" for name in names)
    query = (
        f"SELECT {words}, {', '.join(f'sum({name})' for name in names)}"
        f" FROM (SELECT label_id, {each} FROM {table} GROUP BY label_id) JOIN fact_labels ON id = label_id"
        f" WHERE {ONLY[only]} GROUP BY {words}"
    )
    return [FactRow(row[: len(by)], *row[len(by) :]) for row in index.sql.execute(query, parameters)]


def largest_outputs(
    index: Index, scope: Scope, filters: Filters, limit: int
) -> list[tuple[int, str, str, str, int, int | None]]:
    """(call uid, kind, name, family, bytes, uncut tokens) of the largest outputs, of each label one a day."""
    table, parameters = _from(index, "fact_days", scope, filters)
    query = f"SELECT most_uid, kind, name, family, most, most_uncut FROM {table} JOIN fact_labels ON id = label_id"
    return index.sql.execute(f"{query} WHERE most ORDER BY most DESC LIMIT ?", [*parameters, limit]).fetchall()


def fact_rows(
    index: Index, table: str, by: str, sums: str, scope: Scope, filters: Filters, limit: int, only: str = "1"
) -> tuple[int, list[tuple[Any, ...]]]:
    """Of a table of sums by day: how many rows there are by the columns `by`, and those with the greatest first of the
    `sums`, greatest first, as `by` and `sums`."""
    source, parameters = _from(index, table, scope, filters)
    where = f"FROM {source} WHERE {only} GROUP BY {by}"
    total = index.sql.execute(f"SELECT count(*) FROM (SELECT 1 {where})", parameters).fetchone()[0]
    each = ", ".join(f"sum({name})" for name in sums.split())
    # only of the best ones the other sums are worth making
    best = f"SELECT {by} {where} ORDER BY sum({sums.split()[0]}) DESC, {by} LIMIT ?"
    told = by.replace("thread_id", "(SELECT uuid FROM threads WHERE id = thread_id)")
    query = f"SELECT {told}, {each} FROM ({best}) CROSS JOIN {source} USING ({by}) WHERE {only} GROUP BY {by}"
    rows = index.sql.execute(query, [*parameters, limit, *parameters]).fetchall()
    return total, sorted(rows, key=lambda row: -row[by.count(",") + 1])


class Output(NamedTuple):
    """What a tool put into the context (or, of a write, which file it changed): its family or name, and bytes."""

    tool: str
    work: str
    file: str | None
    bytes: int


def outputs(index: Index, thread: str, first_ms: int, least: int) -> dict[int, list[Output]]:
    """Of a thread from a moment on, by call uid and in order: outputs of `least` bytes or more, and what
    files were read and changed. Nothing where no pass was made."""
    found: dict[int, list[Output]] = {}
    for uid, *row in index.sql.execute(
        "SELECT d.uid, iif(family = '', l.name, family), work, file, coalesce(bytes, 0) FROM files k"
        " CROSS JOIN facts f ON f.file_id = k.id CROSS JOIN fact_labels l ON l.id = label_id CROSS JOIN calls d"
        " ON d.file_id = f.file_id AND d.position = f.call WHERE k.thread = ? AND f.time_ms >= ?"
        " AND (bytes >= ? OR file IS NOT NULL) ORDER BY f.file_id, f.position, part",
        (thread, first_ms, least),
    ) if scanned(index) else ():  # fmt: skip
        found.setdefault(uid, []).append(Output(*row))
    return found
