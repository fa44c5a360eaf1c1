"""Puts counted logs into the tables, inside a transaction that someone else opened.

When two logs show the same response (a copied log under another name, a fork whose parent is gone, a Claude
session forked into another, another machine's bundle), one row stays: what a log here shows before what was imported,
an original before a recovered copy, then the log whose name sorts first. So the outcome does not depend on the order of
reading. The log that lost depends on the winner's thread and is counted again when that thread's logs change.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import astuple

from codex_usage.homes.projects import hashed_remote
from codex_usage.index.attribution import Attribution
from codex_usage.index.queries import RATE
from codex_usage.index.zones import Days
from codex_usage.ledger import UNNAMED
from codex_usage.model.nouns import Call, Counted, LogFile, Thread, Tokens, kind_of
from codex_usage.money import Prices, Rate, key_of

_COLUMNS = (
    "uid, file_id, position, time_ms, day, thread_id, turn_key, turn_first, model_id, effort_id, tier_id,"
    " project_id, cwd_id, origin, input, cached, cache_write, output, reasoning, cache_write_1h, context_window,"
    " duration_ms, gap_ms, compaction, recovered, rate_id, cost, credits, long_cost, tier_cost"
)
_MARKS = ", ".join("?" * 30)
_INSERT = f"INSERT OR IGNORE INTO calls ({_COLUMNS}) VALUES ({_MARKS})"
_REPLACE = f"UPDATE calls SET ({_COLUMNS}) = ({_MARKS}) WHERE uid = ?"
#: What a header says, in the order of Thread; a turn's facts, in the order of Turn.
_HEADER = "created_ms, role, source, originator, version, cwd, branch, remote, parent, forked_from, agent"
_TURN = ("started_ms", "ended_ms", "duration_ms", "first_token_ms", "outcome")
_PUT_TURN = (
    f"INSERT INTO turns (file_id, key, thread_id, {', '.join(_TURN)}, trigger, parent_key, root_key)"
    f" VALUES ({', '.join('?' * 11)}) ON CONFLICT (file_id, key) DO UPDATE SET"
    f" {', '.join(f'{name} = coalesce(excluded.{name}, {name})' for name in _TURN)}"
)
_SKIPS = msgspec.json.Decoder(dict[str, int])

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
        self._bundle = 0  # the id of the file that is put, when it is one
        self._threads: dict[str, tuple[int, str, str | None, str | None]] = {}
        self.prices = Prices()
        self._rates: dict[tuple[str, str, str], list[tuple[int, Rate]]] = {}
        for key, *names, blob in sql.execute("SELECT id, provider, model, tier, rate FROM rates ORDER BY id DESC"):
            self._rates.setdefault((names[0], names[1], names[2]), []).append((key, RATE.decode(blob)))

    # -- one log ----------------------------------------------------------------------------------------

    def put(self, file_id: int, file: LogFile, counted: Counted, head: bytes, tail: bytes) -> None:
        """Store what one reading of a log added, together with its cursor."""
        self._bundle = file_id if file.provider == "bundle" else 0
        self._settings.clear()
        rows = [(file_id, *folder) for folder in counted.folders]
        self.sql.executemany("INSERT INTO decided VALUES (?, ?, ?, ?, ?, ?)", rows)
        for thread in [counted.thread] if counted.thread else counted.threads:
            self._put_thread(file, thread)
        self._put_calls(file_id, file, counted.calls)
        turns = [
            (file_id, turn.key, self._thread(turn.thread_id, _provider(file))[0], *astuple(turn)[2:])
            for turn in counted.turns
        ]
        self.sql.executemany(_PUT_TURN, turns)
        self.sql.executemany(
            "INSERT OR REPLACE INTO windows (file_id, position, time_ms, limit_id, minutes, used_percent, resets_at,"
            " plan_type, credits_balance) VALUES (?, ?, ?, ?, coalesce(?, 0), ?, ?, ?, ?)",
            [(file_id, *astuple(window)) for window in counted.windows],
        )
        for started, ended in counted.reviews:
            if started >= 0:
                self.sql.execute("INSERT OR REPLACE INTO reviews VALUES (?, ?, NULL)", (file_id, started))
            else:
                ending = "UPDATE reviews SET ended_ms = ? WHERE file_id = ? AND ended_ms IS NULL"
                self.sql.execute(ending, (ended, file_id))
        self._depend(file_id, counted.depends_on)
        own = counted.thread.id if counted.thread else None
        before = self.sql.execute("SELECT skipped FROM files WHERE id = ?", (file_id,)).fetchone()[0]
        skipped = Counter(_SKIPS.decode(before or "{}"))
        skipped.update(counted.skipped)
        self.sql.execute(
            "UPDATE files SET (path, home, size, mtime_ns, inode, archived, offset, head, tail, state, thread, skipped,"
            " source, read, problem) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, coalesce(?, thread), ?, coalesce(?, source), 1,"
            " NULL) WHERE id = ?",
            (file.path, file.home, file.size, file.mtime_ns, file.inode, file.archived, counted.offset, head, tail,
             counted.state, own, json.dumps(skipped) if skipped else None, counted.source, file_id),
        )  # fmt: skip

    def forget(self, file_id: int) -> None:
        """Drop every row a log gave, as before its first reading."""
        self.forgot = True
        unknown = ", ".join(f"{name} = {'NULL' if name != 'role' else repr('user')}" for name in _HEADER.split(", "))
        self.sql.execute(
            f"UPDATE threads SET file = NULL, project_id = NULL, {unknown}"
            " WHERE file = (SELECT name FROM files WHERE id = ?)",
            (file_id,),
        )
        self._threads.clear()
        self.touched.update(self.sql.execute("SELECT DISTINCT thread_id, day FROM calls WHERE file_id = ?", (file_id,)))
        for table in ("calls", "turns", "windows", "reviews", "depends", "decided"):
            self.sql.execute(f"DELETE FROM {table} WHERE file_id = ?", (file_id,))
        afresh = "offset = 0, head = NULL, tail = NULL, state = NULL, read = 0, skipped = NULL"
        self.sql.execute(f"UPDATE files SET {afresh} WHERE id = ?", (file_id,))

    def _depend(self, file_id: int, threads: Iterable[str]) -> None:
        rows = [(thread, file_id) for thread in threads if thread]
        self.sql.executemany("INSERT OR IGNORE INTO depends VALUES (?, ?)", rows)

    # -- threads, names --------------------------------------------------------------------------

    def _put_thread(self, file: LogFile, thread: Thread) -> None:
        """The header of a thread's first segment (by name) describes the thread; a bundle may tell nothing of it."""
        before = self._thread(thread.id, thread.provider)
        if self._bundle and thread == Thread(thread.id, thread.provider):
            return
        name = file.name
        if not kind_of(name):  # our own records hold the hash
            thread = msgspec.structs.replace(thread, remote=hashed_remote(thread.remote))
        project = self.projects.of(thread.cwd, thread.cwd, thread.remote, self._bundle)
        self.sql.execute(
            f"UPDATE threads SET (file, project_id, {_HEADER}) = ({', '.join('?' * 13)})"
            " WHERE uuid = ? AND (file IS NULL OR file >= ? OR file NOT IN (SELECT name FROM files))",
            (name, project, *astuple(thread)[2:], thread.id, name),
        )
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
        provider = _provider(file)
        rows = [self._row(file_id, provider, call) for call in calls]
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
        elif (kind_of(name) is not None, call.recovered, name) < (
            kind_of(other_name) is not None,
            bool(recovered),
            other_name,
        ):
            self.touched.add((thread_id, day))
            self.sql.execute(_REPLACE, (*row, call.uid))
            own = self.sql.execute("SELECT thread FROM files WHERE id = ?", (file_id,)).fetchone()[0]
            self._depend(other_id, [own or call.thread_id])
        else:
            self._depend(file_id, [other_thread or ""])

    def _row(self, file_id: int, provider: str, call: Call) -> tuple[Any, ...]:
        key = (call.thread_id, call.model, call.effort, call.service_tier, call.cwd)
        known = self._settings.get(key)
        if known is None:
            known = self._settings[key] = self._look_up(provider, *key)
        thread_id, model, effort, tier, project, cwd, rates = known
        time_ms, numbers = call.time_ms, call.tokens
        return (
            call.uid, file_id, call.position, time_ms, self.days.of(time_ms), thread_id, call.turn_key,
            call.turn_first, model, effort, tier, project, cwd, call.origin, *numbers, call.cache_write_1h,
            call.context_window, call.duration_ms, call.gap_ms, call.compaction, call.recovered,
            *_money(rates, time_ms, numbers, call.cache_write_1h),
        )  # fmt: skip

    def _look_up(
        self, provider: str, thread: str, model: str | None, effort: str | None, tier: str | None, cwd: str | None
    ) -> _Settings:
        thread_id, provider, home, remote = self._thread(thread, provider)
        project = self.projects.of(cwd and _stored(cwd), home, remote, self._bundle)
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

    # -- what belongs to the whole ----------------------------------------------------------------------

    def drop_known(self) -> None:
        """Drop what a terminal showed without its thread where the calls of a thread, from one to another, add up to
        just that: such totals are those of a thread since it or its process began."""
        query = "SELECT {}, input, cached, output FROM calls c JOIN files f ON f.id = c.file_id WHERE f.name {} GLOB ?"
        others = query.format("c.thread_id", "NOT") + " ORDER BY c.thread_id, time_ms, position"
        unnamed = self.sql.execute(query.format("c.id, c.thread_id, c.day", ""), (f"{UNNAMED}*",)).fetchall()
        thread, starts, at = 0, set[tuple[int, ...]](), (0, 0, 0)
        for key, *numbers in self.sql.execute(others, (f"{UNNAMED}*",)).fetchall() if unnamed else ():
            if key != thread:
                thread, starts, at = key, set(), (0, 0, 0)
            starts.add(at)
            at = (at[0] + numbers[0], at[1] + numbers[1], at[2] + numbers[2])
            for call, own, day, i, c, o in unnamed:
                if (at[0] - i, at[1] - c, at[2] - o) in starts:
                    self.sql.execute("DELETE FROM calls WHERE id = ?", (call,))
                    self.touched.add((own, day))

    def reprice(self) -> None:
        """Work out every cost again with the prices of now; tokens stay as they are."""
        self.sql.execute("DELETE FROM rates")
        self._rates.clear()
        rows = self.sql.execute(
            "SELECT c.id, t.provider, m.text, s.text, c.time_ms, c.cache_write_1h, c.input, c.cached, c.cache_write,"
            " c.output, c.reasoning FROM calls c JOIN threads t ON t.id = c.thread_id"
            " LEFT JOIN names m ON m.id = c.model_id LEFT JOIN names s ON s.id = c.tier_id"
        )
        updates = [
            (*_money(self.rates(provider, model, tier), time_ms, Tokens(*numbers), one_hour), key)
            for key, provider, model, tier, time_ms, one_hour, *numbers in rows
        ]
        self.sql.executemany(
            "UPDATE calls SET (rate_id, cost, credits, long_cost, tier_cost) = (?, ?, ?, ?, ?) WHERE id = ?", updates
        )

    def sweep(self) -> None:
        """Drop threads that no header, call or turn speaks of."""
        self.sql.execute(
            "DELETE FROM threads WHERE file IS NULL AND NOT EXISTS (SELECT 1 FROM calls WHERE thread_id = threads.id)"
            " AND NOT EXISTS (SELECT 1 FROM turns WHERE thread_id = threads.id)"
        )


def _provider(file: LogFile) -> str:
    """Whose threads a file shows; those of our own records were declared before."""
    return "claude" if file.provider == "claude" else "codex"


def _money(
    rates: list[tuple[int, Rate]], time_ms: int, tokens: Tokens, one_hour: int
) -> tuple[int, int | None, int | None, int, int]:
    """Rate id, cost, credits and what a long context and a tier added, by the rate in force at a time; before the
    first one by the oldest."""
    for rate_id, rate in rates:  # noqa: B007 - the last one looked at
        if time_ms >= rate.from_ms:
            break
    return rate_id, rate.cost(tokens, one_hour), rate.credited(tokens), *rate.added(tokens, one_hour)


def _stored(text: str) -> str:
    """A text as the index keeps it. A lone surrogate cannot be stored; it is replaced, as everywhere it is shown."""
    return text.encode("utf-8", "replace").decode("utf-8")[:1000]
