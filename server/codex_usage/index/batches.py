"""Reads what is new in the logs into the index, newest logs first.

Each batch is one transaction that holds rows and cursors together, so a refresh killed at any moment leaves a state
that the next one continues from.
"""

from __future__ import annotations

import gc
import json
import sqlite3
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import astuple

from codex_usage.homes import Listing, Places, list_logs, thread_names
from codex_usage.homes.platform import replaced
from codex_usage.index import rollup, schema
from codex_usage.index.database import Index, explained
from codex_usage.index.reading import Done, Job, read_logs, start_worker
from codex_usage.index.refresh import Progress, Refreshed, stale
from codex_usage.index.retention import horizon, since
from codex_usage.index.writer import Writer
from codex_usage.index.zones import Days, zone_of
from codex_usage.ledger import BUNDLES, UNNAMED, Family, growth_of
from codex_usage.logs import head_hash, tail_hash
from codex_usage.model.nouns import LogFile, kind_of

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

BATCH_BYTES = 256 << 20
BULK_BYTES = 48 << 20
#: Below this a second process costs more than it saves.
PARALLEL_BYTES = 150 << 20


#: A log as the index knows it.
_Stored = namedtuple("_Stored", "id name path home size mtime_ns inode offset head tail thread read")
_Todo = list[tuple[LogFile, _Stored]]


def read_new(
    index: Index, places: Places, marks: dict[str, str], since_ms: int | None, until: float, wait: float, workers: int,
    progress: Callable[[Progress], None] | None,
) -> Refreshed:  # fmt: skip
    """Read what is new, batch after batch, until a time of the monotonic clock; see `refresh`."""
    run = _Run(index, places, marks, progress)
    pool: ProcessPoolExecutor | None = None
    collecting = gc.isenabled()
    gc.disable()  # rows are many and hold no cycles: looking for some took a tenth of the time
    try:
        while run.pending():
            if time.monotonic() > until and not run.written_since(since_ms):
                break
            if pool is None and workers > 1 and run.pending_bytes > PARALLEL_BYTES:
                from concurrent.futures import ProcessPoolExecutor  # 7 ms that few refreshes need

                pool = ProcessPoolExecutor(workers, initializer=start_worker, initargs=(run.listing.thread_paths(),))
            with index.write(wait):
                run.batch(pool, since_ms)
        run.close(wait)
    except sqlite3.DatabaseError as error:
        raise explained(index.path, error) or error from error
    finally:
        if collecting:
            gc.enable()
        if pool is not None:
            pool.shutdown(cancel_futures=True)
    return run.done


class _Run:
    """One refresh: a plan made from the listing and the stored cursors, batch after batch."""

    def __init__(
        self, index: Index, places: Places, marks: dict[str, str], progress: Callable[[Progress], None] | None
    ) -> None:
        self.index = index
        self.places = places
        self.progress = progress
        self.done = Refreshed()
        self._list()
        self.marks = marks
        self.days = Days(zone_of(marks["zone"])[1])
        self.bulk = self._alone = False
        self._first = True
        self._total: tuple[int, int] | None = None
        self._skip: set[str] = set()

    def _list(self) -> None:
        """See what is on disk. A listing older than another writer's commit would undo what that one saw."""
        self._version = self._data_version()
        self.listing: Listing = list_logs(self.places.codex, self.places.claude, self.places.imported)
        self.family = Family(self.listing.thread_paths())
        self.done.files, self.done.problems = len(self.listing.files), list(self.listing.problems)

    def _data_version(self) -> int:
        return int(self.index.sql.execute("PRAGMA data_version").fetchone()[0])

    def pending(self) -> bool:
        """Is there anything to write? Looks without taking the lock."""
        stored = self._stored()
        self._todo = self._changed(stored)
        self.pending_bytes = sum(file.size - (row.offset if row else 0) for file, row in self._todo)
        return bool(self._todo or self._gone(stored)) or stale(self.index, self.marks)

    def _stored(self) -> dict[str, _Stored]:
        rows = self.index.sql.execute(f"SELECT {', '.join(_Stored._fields)} FROM files")
        return {row[1]: _Stored._make(row) for row in rows}

    def _changed(self, stored: dict[str, _Stored]) -> list[tuple[LogFile, _Stored | None]]:
        found, horizon_ns = [], horizon(self.index) * 1_000_000
        for file in self.listing.newest_first():
            row = stored.get(file.name)
            same = row and row.read and row[2] == file.path and row[4:7] == (file.size, file.mtime_ns, file.inode)
            forgotten = row is None and file.mtime_ns < horizon_ns
            if not same and not forgotten and file.name not in self._skip:
                found.append((file, row))
        return found

    def _gone(self, stored: dict[str, _Stored]) -> list[_Stored]:
        """Logs that no longer exist. A home that cannot be listed now keeps what it gave."""
        homes = {str(home) for home in (*self.places.homes, self.places.imported)}
        return [
            row
            for name, row in stored.items()
            if name not in self.listing.files
            and (row.home in self.listing.read or row.home not in homes)
            and (row.home not in homes or not Path(row.path).is_file())
        ]

    # -- one transaction --------------------------------------------------------------------------------

    def batch(self, pool: ProcessPoolExecutor | None, since_ms: int | None = None) -> None:
        """Take in a batch of logs, with their cursors and the sums they change. Of many, those written since a
        time are a batch of their own, so that a question about it can be answered right after."""
        if self._data_version() != self._version:
            self._list()
            self._alone = True
        if self._alone:
            pool = None  # its workers know the threads of the old listing
        for key in ("zone", "prices", "projects"):
            if self.index.get(key) is None:
                self.index.put(key, self.marks[key])
        writer = Writer(self.index.sql, self.days)
        todo = self._settle(writer)
        size = sum(file.size - row.offset for file, row in todo)
        self._total = self._total or (len(todo), size)
        self._begin_bulk(size)
        taken = 0
        limit = BATCH_BYTES if pool is None else 4 * BATCH_BYTES  # workers idle at a batch's end
        wanted = []
        if self.bulk and since_ms is not None:  # a small refresh stays one transaction
            wanted = [one for one in todo if one[0].mtime_ns >= since_ms * 1_000_000]
        for job, done in read_logs(list(self._jobs(wanted or todo, limit)), self.family, pool):
            self._take(writer, job, done)
            taken += 1
        more = taken < len(todo)
        if not more:
            writer.drop_known()
            self._apply_marks(writer)
        if not self.bulk:
            rollup.renew(writer.sql, writer.touched)
            self._indices()
        elif not more:
            self._finish_bulk()
        if writer.forgot:
            writer.sweep()

    def _begin_bulk(self, size: int) -> None:
        """Much to read: sums and indices are made once at the end, as they would slow down every row."""
        stale = self.index.get("rollups") == "stale"
        self.bulk = self.bulk or stale or size > BULK_BYTES
        if self.bulk and not stale:
            self.index.put("rollups", "stale")
            if not self.index.sql.execute("SELECT 1 FROM calls LIMIT 1").fetchone():
                for name in schema.INDICES:
                    self.index.sql.execute(f"DROP INDEX IF EXISTS {name}")

    def _settle(self, writer: Writer) -> _Todo:
        """Decide what is read from its cursor and what from its start; forget the rows of the latter.

        A log is read anew when it was rewritten, and when a log that it was counted against came, went or showed
        more.
        """
        sql, stored = writer.sql, self._stored()
        gone, todo = self._gone(stored), self._changed(stored)
        known = {row.thread for row in stored.values() if not kind_of(row.name)}
        anew = {row.name for file, row in todo if row and row.read and not _grown(file, row)}
        threads = {row.thread for row in gone} | {stored[name].thread for name in anew}
        for file, row in todo:
            if file.thread_id in known and (row is None or row.read or row.size != file.size):
                threads.add(growth_of(file.thread_id or ""))
            if row is None:
                sql.execute(
                    "INSERT INTO files (name, path, provider, home, size, mtime_ns, inode, thread, archived, offset,"
                    " read) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)",
                    astuple(file),
                )
                if file.thread_id not in known:
                    threads.add(file.thread_id)
        if any(kind_of(thread or "") == "bundle" for thread in threads):
            threads.add(BUNDLES)
        if self._first and (todo or gone):  # compared again with all others, when these are read
            anew |= {name for name in stored if name.startswith(UNNAMED)}
        self._first = False
        if stored:
            anew |= (self._dependants(threads) & stored.keys()) - {row.name for row in gone}
        for row in gone:
            writer.forget(row.id)
            sql.execute("DELETE FROM files WHERE id = ?", (row.id,))
        for name in anew:
            writer.forget(stored[name].id)
        listed = {file.name for file, _ in todo}
        extra = [self.listing.files[name] for name in anew if name not in listed and name in self.listing.files]
        files = sorted([file for file, _ in todo] + extra, key=lambda file: (-file.mtime_ns, file.name))
        again = self._stored()
        return [(file, again[file.name]) for file in files]

    def _dependants(self, threads: set[str | None]) -> set[str]:
        """Names of logs of these threads and of those counted under an assumption about them, and so on."""
        rows = self.index.sql.execute(
            "WITH RECURSIVE reached(thread) AS (SELECT value FROM json_each(?) UNION SELECT f.thread FROM reached r"
            " JOIN depends d ON d.thread = r.thread JOIN files f ON f.id = d.file_id WHERE f.thread IS NOT NULL)"
            " SELECT name FROM reached r JOIN files f ON f.thread = r.thread"
            " UNION SELECT name FROM reached r JOIN depends d ON d.thread = r.thread JOIN files f ON f.id = d.file_id",
            (json.dumps([thread for thread in threads if thread]),),
        )
        return {row[0] for row in rows}

    def _jobs(self, todo: _Todo, limit: int) -> Iterator[Job]:
        """What is to be read of some logs, until it is more than a number of bytes."""
        for file, row in todo:
            offset, state = 0, b""
            if not file.compressed and row.read:
                query = "SELECT offset, coalesce(state, '') FROM files WHERE id = ?"
                offset, state = self.index.sql.execute(query, (row.id,)).fetchone()
            yield Job(row.id, file, offset, state or b"")
            limit -= file.size - offset
            if limit <= 0:
                return

    def _take(self, writer: Writer, job: Job, done: Done) -> None:
        if done.counted is None:
            self._skip.add(job.file.name)
            if done.problem:
                self.done.problems.append(done.problem)
                writer.sql.execute("UPDATE files SET problem = ? WHERE id = ?", (done.problem, job.file_id))
        else:
            if ms := horizon(self.index):
                since(done.counted, ms)
            writer.put(job.file_id, done.file, done.counted, done.head, done.tail)
            self.done.read_files += 1
            self.done.read_bytes += max(0, job.file.size - job.offset)
        if self.progress and self._total:
            self.progress(Progress(self.done.read_files, self._total[0], self.done.read_bytes, self._total[1]))

    # -- what belongs to the whole ----------------------------------------------------------------------

    def _apply_marks(self, writer: Writer) -> None:
        """Apply what changed outside the logs: the zone of days, the prices, the names of threads, projects and
        homes."""
        sql = writer.sql
        if self.index.get("zone") != self.marks["zone"]:
            rows = sql.execute("SELECT id, time_ms FROM calls").fetchall()
            sql.executemany("UPDATE calls SET day = ? WHERE id = ?", [(self.days.of(ms), key) for key, ms in rows])
            self.bulk = True
        if self.index.get("prices") != self.marks["prices"]:
            writer.reprice()
            self.bulk = True
        if self.bulk:
            self.index.put("rollups", "stale")
        if self.index.get("projects") != self.marks["projects"]:
            writer.touched |= writer.projects.again()
        if self.index.get("names") != self.marks["names"] or writer.new_threads:
            sql.execute("UPDATE threads SET name = NULL WHERE name IS NOT NULL")
            for home in self.places.codex:
                names = [(name, key) for key, name in thread_names(home).items()]
                sql.executemany("UPDATE threads SET name = ? WHERE uuid = ?", names)
        if self.index.get("labels") != self.marks["labels"]:
            sql.execute("DELETE FROM homes")
            sql.executemany("INSERT INTO homes VALUES (?, ?)", json.loads(self.marks["labels"]).items())
        for key, value in self.marks.items():
            self.index.put(key, value)

    def _finish_bulk(self) -> None:
        self._indices()
        rollup.rebuild(self.index.sql)
        self.index.put("rollups", "ok")

    def _indices(self) -> None:
        for name, columns in schema.INDICES.items():
            self.index.sql.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}")

    def written_since(self, since_ms: int | None) -> bool:
        """Is a log left that was written since a time?"""
        return since_ms is not None and any(file.mtime_ns >= since_ms * 1_000_000 for file, _ in self._todo)

    def close(self, wait: float) -> None:
        """Leave sums that fit the calls and a note of what is left, also when there is more to read later."""
        newest = max((file.mtime_ns for file, _ in self._todo), default=0) // 1_000_000
        left = f"{len(self._todo)},{self.pending_bytes},{newest}" if self._todo else None
        stale = self.index.get("rollups") == "stale"
        if stale or self.index.get("left") != left:
            with self.index.write(wait):
                self.index.put("left", left)
                if stale:
                    self._finish_bulk()


def _grown(file: LogFile, row: _Stored) -> bool:
    """Can a known log be read on from its cursor: same bytes before it, and more behind?"""
    if file.compressed or row.path.endswith(".zst") or row.head is None:
        return False
    if file.size < row.offset or replaced(row.inode, file.inode):
        return False
    if file.size <= row.size and file.path == row.path:
        return False
    try:
        return bool(head_hash(file.path, row.offset) == row.head and tail_hash(file.path, row.offset) == row.tail)
    except OSError:
        return True  # unreadable now: keep what is known
