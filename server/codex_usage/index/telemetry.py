"""Keeps what telemetry told, in a file of its own: unlike the index it can't be made anew from the logs.

Only numbers, ids, labels and names are stored (docs/explanation/privacy.md). An event that is received again is known
by its identity and changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from codex_usage.index.database import BUSY_SECONDS, Index, explained, open_index
from codex_usage.index.queries import Filters, Scope
from codex_usage.logs.otlp import DECISION, NUMBERS, REQUESTS, RESPONSE, START, TOOL, TURN, WORDS, Event
from codex_usage.model import BadInput


class _Schema:
    """Nothing can make older tables anew: a new version has to take them over before `open_index` drops them."""

    APPLICATION_ID, VERSION = 0x43555354, 1  # "CUST"
    TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE labels (id INTEGER PRIMARY KEY, {" TEXT NOT NULL, ".join(WORDS)} TEXT NOT NULL);
CREATE TABLE events (
  time_ms INTEGER NOT NULL, identity INTEGER NOT NULL, label_id INTEGER NOT NULL, {" INTEGER, ".join(NUMBERS)} INTEGER,
  PRIMARY KEY (time_ms, identity)
) WITHOUT ROWID;
"""


def telemetry_path(index: Path) -> Path:
    """Where telemetry is kept: beside the index."""
    return index.with_name("telemetry.sqlite")


def open_telemetry(path: Path) -> Index:
    """Open or make the file; raises what `open_index` does."""
    return open_index(path, _Schema)


def add_events(found: Index, events: Sequence[Event], wait: float = BUSY_SECONDS) -> int:
    """Keep events in one transaction; how many were new. Raises IndexBusy after `wait` seconds, or BadInput."""
    first, more = (", ".join("?" * (len(columns) + most)) for columns, most in ((WORDS, 1), (NUMBERS, 3)))
    try:
        with found.write(wait) as sql:
            horizon, before = int(found.get("horizon") or 0), sql.total_changes
            labels = {one.words: _key(one.words) for one in events if one.time_ms >= horizon}
            rows = [(at, key, labels[words], *numbers) for at, key, words, numbers in events if at >= horizon]
            sql.executemany(f"INSERT OR IGNORE INTO events VALUES ({more})", rows)
            new = sql.total_changes - before
            sql.executemany(
                f"INSERT OR IGNORE INTO labels VALUES ({first})", [(key, *words) for words, key in labels.items()]
            )  # fmt: skip
        return new
    except sqlite3.DatabaseError as error:
        raise explained(found.path, error) or error from error


def _key(words: tuple[str, ...]) -> int:
    """The id of a label, by its words, so that writers need not know of each other."""
    return int.from_bytes(hashlib.blake2b("\0".join(words).encode(), digest_size=8).digest()) >> 1


def forget_events(path: Path, older_than_ms: int | None = None) -> None:
    """Delete the events before a time for good, or all; no byte of them is left. Raises IndexBusy."""
    if path.exists():
        with open_telemetry(path) as found:
            with found.write() as sql:
                found.put("horizon", str(older_than_ms or 0))
                sql.execute("DELETE FROM events WHERE time_ms < ?", (older_than_ms or 1 << 62,))
                sql.execute("DELETE FROM labels WHERE id NOT IN (SELECT label_id FROM events)")
            found.shrink()


# -- what it tells -------------------------------------------------------------------------------------------

#: So many of the newest responses are looked for among the calls: in the same thread, with the same tokens, logged
#: within so many milliseconds.
LATEST, _NEAR_MS = 20_000, 10_000
#: Title, columns, rows in order, and the events that they rest on.
Told = tuple[str, list[str], list[tuple[Any, ...]], tuple[str, ...]]


class Heard(NamedTuple):
    """What was received in a scope: of each event how many and the time of the first; the time of the newest; bytes of
    the file; responses that are whole, and how many of the newest LATEST of them were found among the index's calls."""

    events: dict[str, tuple[int, int]]
    newest_ms: int
    bytes: int
    responses: int
    matched: int
    tables: list[Told]


_FILTERS = {
    "model": "model = ? COLLATE NOCASE", "thread": "thread = ?",
    "project": "thread IN (SELECT t.uuid FROM logs.threads t JOIN logs.projects p ON p.id = t.project_id"
    " WHERE p.label = ? COLLATE NOCASE)",
}  # fmt: skip
#: Requests and responses, with what stands before and after each in its thread. A request is `final` when no next
#: attempt follows. A response belongs to the request before it, whose duration ends where the response begins.
_FLOW = f"""
CREATE TEMP TABLE flow AS SELECT time_ms, identity, thread, event, model, effort, user, status, attempt, success,
  ttft_ms, input, cached, output, reasoning, event <> '{RESPONSE}' AS request,
  iif(lag(event) OVER near <> '{RESPONSE}', lag(took_ms) OVER near, NULL) AS head_ms,
  iif(lag(event) OVER near <> '{RESPONSE}', time_ms - lag(time_ms - took_ms) OVER near, NULL) AS whole_ms,
  NOT coalesce(lead(event) OVER near <> '{RESPONSE}' AND lead(attempt) OVER near = attempt + 1, 0) AS final,
  coalesce(lead(event) OVER near = '{RESPONSE}' AND NOT lead(success) OVER near, 0) AS broken
FROM heard WHERE event IN {(*REQUESTS, RESPONSE)}
WINDOW near AS (PARTITION BY thread ORDER BY time_ms, event = '{RESPONSE}')
"""
_MATCHED = f"""
CREATE TEMP TABLE matched AS SELECT f.*, c.uid, min(abs(c.time_ms - f.time_ms)) FROM
  (SELECT * FROM flow WHERE NOT request AND success ORDER BY time_ms DESC LIMIT {LATEST}) f
  JOIN logs.threads t ON t.uuid = f.thread JOIN logs.calls c ON +c.thread_id = t.id
  AND c.time_ms BETWEEN f.time_ms - {_NEAR_MS} AND f.time_ms + {_NEAR_MS}
  AND (c.input, c.cached, c.output, c.reasoning) = (f.input, f.cached, f.output, f.reasoning)
GROUP BY f.time_ms, f.identity
"""
_WHO = (
    "CASE lower(source) WHEN 'user' THEN 'person' WHEN 'config' THEN 'policy' WHEN 'automatedreviewer' THEN 'reviewer'"
    " ELSE 'other' END"
)
_INPUT = {"input_tokens": "coalesce(sum(input), 0)", "cached_input_tokens": "coalesce(sum(cached), 0)"}
_OUTPUT = {"output_tokens": "coalesce(sum(output), 0)", "reasoning_output_tokens": "coalesce(sum(reasoning), 0)"}
_MODEL, _WHOLE = {"model": "model"}, "flow WHERE NOT request AND success"
_TIMES = {"first_token_ms": "head_ms + ttft_ms", "request_ms": "whole_ms"}
_BOTH = (*REQUESTS, RESPONSE)
_GOOD = "sum(final AND success AND NOT broken)"
#: Title -> the events that it rests on; rows; by what they are grouped; what is counted; and values of which the middle
#: and the 95th percentile are told.
_Table = tuple[tuple[str, ...], str, dict[str, str], dict[str, str], dict[str, str]]
_TABLES: dict[str, _Table] = {
    "user decisions": (
        (DECISION,), "heard", {"source": _WHO, "decision": "decision", "server": "server", "name": "name"},
        {"decisions": "count(*)"}, {}),
    "decisions by day": (
        (DECISION,), "heard", {"day": "local_day(time_ms)", "source": _WHO, "decision": "decision"},
        {"decisions": "count(*)"}, {}),
    "terminals": (
        (START,), "heard", {"terminal": "terminal"},
        {"conversations": "count(DISTINCT thread)", "starts": "count(*)"}, {}),
    "request attempts": (
        REQUESTS, "flow WHERE request", {"status": "status", "attempt": "attempt"},
        {"attempts": "count(*)", "share": "round(1.0 * count(*) / sum(count(*)) OVER (), 4)"}, {}),
    "requests": (
        _BOTH, "flow WHERE request", _MODEL,
        {"requests": "sum(final)", "succeeded": _GOOD, "success_rate": f"round(1.0 * {_GOOD} / sum(final), 4)",
         "retries": "sum(coalesce(attempt, 0) > 0)", "broken_streams": "sum(broken)"}, {}),
    "response times": (
        _BOTH, _WHOLE, _MODEL, {"responses": "count(*)", "first_tokens": f"count({_TIMES['first_token_ms']})"}, _TIMES),
    "first token of a turn": ((TURN,), "heard", _MODEL, {"turns": "count(*)"}, {"first_token_ms": "took_ms"}),
    "reasoning effort": (
        (RESPONSE,), _WHOLE, {"effort": "effort", **_MODEL}, {"responses": "count(*)", **_OUTPUT}, {}),
    "users": (
        _BOTH, "flow", {"user": "user"},
        {"requests": "sum(request AND final)", "responses": "sum(NOT request AND success)",
         "conversations": "count(DISTINCT thread)", **_INPUT, **_OUTPUT}, {}),
    "tools": (
        (TOOL,), "heard", {"server": "server", "name": "name"},
        {"uses": "count(*)", "failed": "sum(success = 0)",
         "failure_rate": "round(1.0 * sum(success = 0) / count(success), 4)"}, {"duration_ms": "took_ms"}),
}  # fmt: skip


def heard(path: Path, index: Path, scope: Scope, filters: Filters, day: Callable[[int], str]) -> Heard | None:
    """What was received in a scope, None when nothing ever was. `day` is the day of a time in milliseconds; `index` has
    the calls. Raises IndexBusy, or BadInput for a filter that telemetry can't answer."""
    chosen = {word: value for word, value in asdict(filters).items() if value is not None}
    if unknown := chosen.keys() - _FILTERS:
        raise BadInput(f"Telemetry does not tell {min(unknown)}; filter it by {', '.join(_FILTERS)}.")
    if not path.exists():
        return None
    with open_telemetry(path) as found:
        sql = found.sql
        newest = sql.execute("SELECT max(time_ms) FROM events").fetchone()[0]
        sql.execute("ATTACH ? AS logs", (str(index),))
        sql.create_function("local_day", 1, day)
        where = " AND ".join(["time_ms >= ?", "time_ms < ?", *(_FILTERS[word] for word in chosen)])
        least, most = scope.start_ms or 0, 1 << 62 if scope.end_ms is None else scope.end_ms
        view = f"CREATE TEMP TABLE heard AS SELECT * FROM events e JOIN labels l ON l.id = e.label_id WHERE {where}"
        for text, values in ((view, (least, most, *chosen.values())), (_FLOW, ()), (_MATCHED, ())):
            sql.execute(text, values)
        counts = sql.execute("SELECT event, count(*), min(time_ms) FROM heard GROUP BY event").fetchall()
        whole, matched = (sql.execute(f"SELECT count(*) FROM {rows}").fetchone()[0] for rows in (_WHOLE, "matched"))
        tables = [_told(sql, title, table) for title, table in _TABLES.items()]
        slow = f"SELECT uid, model, effort, {', '.join(_TIMES.values())} FROM matched ORDER BY whole_ms DESC, uid"
        columns = ["call_id", "model", "effort", *_TIMES]
        tables.append(("slowest responses", columns, sql.execute(slow).fetchall(), _BOTH))
        size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
        return Heard({row[0]: row[1:] for row in counts}, newest, size, whole, matched, tables) if newest else None


def _told(sql: sqlite3.Connection, title: str, table: _Table) -> Told:
    """A table's rows, the latest day or the most counted first."""
    events, rows, by, counts, spread = table
    rows = f"heard WHERE event = '{events[0]}'" if rows == "heard" else rows
    asked = [*by.values(), *counts.values(), *(f"json_group_array({of})" for of in spread.values())]
    width, keys = len(by) + len(counts), ", ".join(map(str, range(1, len(by) + 1)))
    order = f"{1 if 'day' in by else len(by) + 1} DESC, {keys}"
    found = []
    for row in sql.execute(f"SELECT {', '.join(asked)} FROM {rows} GROUP BY {keys} ORDER BY {order}"):
        known = [sorted(value for value in json.loads(cell) if value is not None) for cell in row[width:]]
        told = [of[min(len(of) - 1, len(of) * part // 100)] if of else None for of in known for part in (50, 95)]
        found.append((*row[:width], *told))
    return title, [*by, *counts, *(f"p{part}_{name}" for name in spread for part in (50, 95))], found, events
