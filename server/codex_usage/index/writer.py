"""Puts counted logs into the tables, inside a transaction that someone else opened.

When two logs show the same response (a copied log under another name, a fork whose parent is gone, a Claude
session forked into another), one row stays: an original before a recovered copy, then the log whose name sorts
first. So the outcome does not depend on the order of reading. The log that lost depends on the winner's thread
and is counted again when that thread's logs change.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec

from codex_usage.homes.projects import hashed_remote
from codex_usage.index.attribution import Attribution
from codex_usage.index.zones import Days
from codex_usage.model import Call, Counted, LogFile, Thread, Turn
from codex_usage.money import Prices, Rate, key_of

_COLUMNS = (
    "uid, file_id, position, time_ms, day, thread_id, turn_key, turn_first, model_id, effort_id, tier_id,"
    " project_id, cwd_id, origin, input, cached, cache_write, output, reasoning, cache_write_1h, context_window,"
    " duration_ms, gap_ms, compaction, recovered, rate_id, cost, credits, long_cost, tier_cost"
)
_INSERT = f"INSERT OR IGNORE INTO calls ({_COLUMNS}) VALUES ({', '.join('?' * 30)})"
_REPLACE = f"UPDATE calls SET ({_COLUMNS}) = ({', '.join('?' * 30)}) WHERE uid = ?"
_SKIPS = msgspec.json.Decoder(dict[str, int])
RATE = msgspec.msgpack.Decoder(Rate)

#: What is the same for most calls of a thread: ids of its thread, model, effort, tier, project and folder, and its
#: rates with their ids, the latest first.
_Settings = tuple[int, int | None, int | None, int | None, int, int | None, list[tuple[int, Rate]]]


class Writer:
    """One refresh's view of the interned names, threads and prices. `touched` collects (thread, day) pairs."""

    def __init__(self, sql: sqlite3.Connection, days: Days) -> None:
        self.sql = sql
        self.days = days
        self.touched: set[tuple[int, int]] = set()
        self.new_threads = self.forgot = False
        self._names: dict[str, int] = {}
        self.projects = Attribution(sql)
        self._settings: dict[tuple[str | None, ...], _Settings] = {}
        self._threads: dict[str, tuple[int, str, str | None, str | None]] = {}
        self.prices = Prices()
        self._rates: dict[tuple[str, str, str], list[tuple[int, Rate]]] = {}
        for key, *names, blob in sql.execute("SELECT id, provider, model, tier, rate FROM rates ORDER BY id DESC"):
            self._rates.setdefault((names[0], names[1], names[2]), []).append((key, RATE.decode(blob)))

    # -- one log ----------------------------------------------------------------------------------------

    def put(self, file_id: int, file: LogFile, counted: Counted, head: bytes, tail: bytes) -> None:
        """Store what one reading of a log added, together with its cursor."""
        if counted.thread is not None:
            self._put_thread(file.name, counted.thread)
        self._put_calls(file_id, file, counted.calls)
        self._put_turns(file_id, file.provider, counted.turns)
        self.sql.executemany(
            "INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    file_id, w.position, w.window_minutes or 0, w.time_ms, w.limit_id, w.used_percent,
                    w.resets_at, w.plan_type, w.credits_balance,
                )
                for w in counted.windows
            ],
        )  # fmt: skip
        for started, ended in counted.reviews:
            if started >= 0:
                self.sql.execute("INSERT OR REPLACE INTO reviews VALUES (?, ?, NULL)", (file_id, started))
            else:
                self.sql.execute(
                    "UPDATE reviews SET ended_ms = ? WHERE file_id = ? AND ended_ms IS NULL", (ended, file_id)
                )
        self._depend(file_id, counted.depends_on)
        thread = counted.thread.id if counted.thread else None
        row = self.sql.execute("SELECT skipped FROM files WHERE id = ?", (file_id,)).fetchone()
        skipped = _SKIPS.decode(row[0]) if row and row[0] else {}
        for kind, count in counted.skipped.items():
            skipped[kind] = skipped.get(kind, 0) + count
        self.sql.execute(
            "UPDATE files SET path = ?, home = ?, size = ?, mtime_ns = ?, inode = ?, archived = ?, offset = ?,"
            " head = ?, tail = ?, state = ?, thread = coalesce(?, thread), read = 1, skipped = ?, problem = NULL"
            " WHERE id = ?",
            (
                file.path, file.home, file.size, file.mtime_ns, file.inode, file.archived, counted.offset, head,
                tail, counted.state, thread, json.dumps(skipped) if skipped else None, file_id,
            ),
        )  # fmt: skip

    def forget(self, file_id: int) -> None:
        """Drop every row a log gave, as before its first reading."""
        self.forgot = True
        self.sql.execute(
            "UPDATE threads SET file = NULL, created_ms = NULL, role = 'user', source = NULL, originator = NULL,"
            " version = NULL, cwd = NULL, branch = NULL, remote = NULL, project_id = NULL, parent = NULL,"
            " forked_from = NULL, agent = NULL WHERE file = (SELECT name FROM files WHERE id = ?)",
            (file_id,),
        )
        self._threads.clear()
        self.touched.update(self.sql.execute("SELECT DISTINCT thread_id, day FROM calls WHERE file_id = ?", (file_id,)))
        for table in ("calls", "turns", "windows", "reviews", "depends"):
            self.sql.execute(f"DELETE FROM {table} WHERE file_id = ?", (file_id,))
        self.sql.execute(
            "UPDATE files SET offset = 0, head = NULL, tail = NULL, state = NULL, read = 0, skipped = NULL"
            " WHERE id = ?",
            (file_id,),
        )

    def _depend(self, file_id: int, threads: Iterable[str]) -> None:
        self.sql.executemany(
            "INSERT OR IGNORE INTO depends VALUES (?, ?)", [(thread, file_id) for thread in threads if thread]
        )

    # -- threads, turns, names --------------------------------------------------------------------------

    def _put_thread(self, name: str, thread: Thread) -> None:
        """The header of a thread's first segment (by name) describes the thread."""
        before = self._thread(thread.id, thread.provider)
        remote = hashed_remote(thread.remote)
        project = self.projects.of(thread.cwd, thread.cwd, remote)
        self.sql.execute(
            "UPDATE threads SET file = ?, created_ms = ?, role = ?, source = ?, originator = ?, version = ?, cwd = ?,"
            " branch = ?, remote = ?, project_id = ?, parent = ?, forked_from = ?, agent = ?"
            " WHERE uuid = ? AND (file IS NULL OR file >= ? OR file NOT IN (SELECT name FROM files))",
            (
                name, thread.created_ms, thread.role, thread.source, thread.originator, thread.version, thread.cwd,
                thread.branch, remote, project, thread.parent_id, thread.forked_from, thread.agent, thread.id, name,
            ),
        )  # fmt: skip
        self._threads.pop(thread.id, None)
        self._settings.clear()
        if before[2:] not in ((None, None), self._thread(thread.id, thread.provider)[2:]):
            self.touched |= self.projects.again(before[0])  # an earlier segment says otherwise where it began

    def _thread(self, uuid: str, provider: str) -> tuple[int, str, str | None, str | None]:
        known = self._threads.get(uuid)
        if known is None:
            query = "SELECT id, provider, cwd, remote FROM threads WHERE uuid = ?"
            row = self.sql.execute(query, (uuid,)).fetchone()
            if row is None:
                self.sql.execute("INSERT INTO threads (uuid, provider, role) VALUES (?, ?, 'user')", (uuid, provider))
                self.new_threads = True
                row = self.sql.execute(query, (uuid,)).fetchone()
            known = self._threads[uuid] = row
        return known

    def _put_turns(self, file_id: int, provider: str, turns: list[Turn]) -> None:
        self.sql.executemany(
            "INSERT INTO turns (file_id, key, thread_id, started_ms, ended_ms, duration_ms, first_token_ms, outcome,"
            " trigger, parent_key, root_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (file_id, key) DO"
            " UPDATE SET started_ms = coalesce(excluded.started_ms, started_ms),"
            " ended_ms = coalesce(excluded.ended_ms, ended_ms),"
            " duration_ms = coalesce(excluded.duration_ms, duration_ms),"
            " first_token_ms = coalesce(excluded.first_token_ms, first_token_ms),"
            " outcome = coalesce(excluded.outcome, outcome)",
            [
                (
                    file_id, turn.key, self._thread(turn.thread_id, provider)[0], turn.started_ms, turn.ended_ms,
                    turn.duration_ms, turn.first_token_ms, turn.outcome, turn.trigger, turn.parent_key, turn.root_key,
                )
                for turn in turns
            ],
        )  # fmt: skip

    def _name(self, text: str | None) -> int | None:
        if text is None:
            return None
        known = self._names.get(text)
        if known is None:
            safe = _stored(text)
            self.sql.execute("INSERT OR IGNORE INTO names (text) VALUES (?)", (safe,))
            known = self.sql.execute("SELECT id FROM names WHERE text = ?", (safe,)).fetchone()[0]
            self._names[text] = known
        return known

    # -- calls ------------------------------------------------------------------------------------------

    def _put_calls(self, file_id: int, file: LogFile, calls: list[Call]) -> None:
        if not calls:
            return
        rows = [self._row(file_id, file.provider, call) for call in calls]
        before = self.sql.total_changes
        self.sql.executemany(_INSERT, rows)
        if self.sql.total_changes - before != len(rows):
            for call, row in zip(calls, rows, strict=True):
                self._settle(file_id, file.name, call, row)
        self.touched.update((row[5], row[4]) for row in rows)

    def _settle(self, file_id: int, name: str, call: Call, row: tuple[Any, ...]) -> None:
        """Decide between this row and the one stored under the same uid."""
        stored = self.sql.execute(
            "SELECT c.file_id, c.recovered, c.thread_id, c.day, c.output, f.name, f.thread FROM calls c"
            " JOIN files f ON f.id = c.file_id WHERE c.uid = ?",
            (call.uid,),
        ).fetchone()
        other_id, recovered, thread_id, day, output, other_name, other_thread = stored
        if other_id == file_id:
            if call.tokens.output >= output:
                self.sql.execute(_REPLACE, (*row, call.uid))
        elif (call.recovered, name) < (bool(recovered), other_name):
            self.touched.add((thread_id, day))
            self.sql.execute(_REPLACE, (*row, call.uid))
            self._depend(other_id, [self._own_thread(file_id, call)])
        else:
            self._depend(file_id, [other_thread or ""])

    def _own_thread(self, file_id: int, call: Call) -> str:
        row = self.sql.execute("SELECT thread FROM files WHERE id = ?", (file_id,)).fetchone()
        return (row[0] if row else None) or call.thread_id

    def _row(self, file_id: int, provider: str, call: Call) -> tuple[Any, ...]:
        key = (call.thread_id, call.model, call.effort, call.service_tier, call.cwd)
        known = self._settings.get(key)
        if known is None:
            known = self._settings[key] = self._look_up(provider, *key)
        thread_id, model, effort, tier, project, cwd, rates = known
        time_ms, numbers = call.time_ms, call.tokens
        rate_id, rate = priced_by(rates, time_ms)
        return (
            call.uid, file_id, call.position, time_ms, self.days.of(time_ms), thread_id, call.turn_key,
            call.turn_first, model, effort, tier, project, cwd, call.origin, *numbers, call.cache_write_1h,
            call.context_window, call.duration_ms, call.gap_ms, call.compaction, call.recovered, rate_id,
            rate.cost(numbers, call.cache_write_1h), rate.credited(numbers), *rate.added(numbers, call.cache_write_1h),
        )  # fmt: skip

    def _look_up(
        self, provider: str, thread: str, model: str | None, effort: str | None, tier: str | None, cwd: str | None
    ) -> _Settings:
        thread_id, _, home, remote = self._thread(thread, provider)
        project = self.projects.of(cwd and _stored(cwd), home, remote)
        rates = self.rates(provider, model, tier)
        return thread_id, self._name(model), self._name(effort), self._name(tier), project, self._name(cwd), rates

    def rates(self, provider: str, model: str | None, tier: str | None) -> list[tuple[int, Rate]]:
        """The rates of a model and tier with their ids, the latest first; stored when they are first asked for."""
        key = key_of(provider, model, tier)
        known = self._rates.get(key)
        if known is None:
            known = self._rates[key] = []
            for rate in self.prices.rates(key):
                cursor = self.sql.execute(
                    "INSERT INTO rates (provider, model, tier, confidence, credit_confidence, rate)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (*key, rate.confidence, rate.credit_confidence, msgspec.msgpack.encode(rate)),
                )
                known.insert(0, (cursor.lastrowid or 0, rate))
        return known


def priced_by(rates: list[tuple[int, Rate]], time_ms: int) -> tuple[int, Rate]:
    """The rate in force at a time, and its id; before the first one the oldest."""
    for pair in rates:
        if time_ms >= pair[1].from_ms:
            return pair
    return rates[-1]


def _stored(text: str) -> str:
    """A text as the index keeps it. A lone surrogate cannot be stored; it is replaced, as everywhere it is shown."""
    return text.encode("utf-8", "replace").decode("utf-8")[:1000]
