"""Typed questions to the index. Every figure shown anywhere starts as a row of one of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from codex_usage.index.database import Index
from codex_usage.index.zones import Days, date_day, zone_of


@dataclass(frozen=True)
class Scope:
    """A half-open span of time. `days` is the same span as local day numbers when it begins and ends at
    midnights of the index's own zone; only then can the daily sums answer."""

    start_ms: int | None = None
    end_ms: int | None = None
    days: tuple[int | None, int | None] | None = (None, None)


@dataclass(frozen=True)
class Filters:
    """What to count; None means all."""

    model: str | None = None
    project: str | None = None
    effort: str | None = None
    thread: str | None = None
    provider: str | None = None
    origin: str | None = None


class GroupRow(NamedTuple):
    """Sums of a group of calls. Cost in nano-dollars over the `priced` ones."""

    key: tuple[Any, ...]
    labels: tuple[Any, ...]
    calls: int
    turns: int
    threads: int
    input: int
    cached: int
    cache_write: int
    output: int
    reasoning: int
    cost: int
    priced: int
    compactions: int
    first_ms: int | None
    last_ms: int | None


class ThreadRow(NamedTuple):
    """Sums of a thread's calls in a scope, with what its header says."""

    uuid: str
    name: str | None
    provider: str
    role: str
    source: str | None
    originator: str | None
    project: str | None
    cwd: str | None
    branch: str | None
    parent: str | None
    forked_from: str | None
    agent: str | None
    created_ms: int | None
    segments: int
    calls: int
    turns: int
    input: int
    cached: int
    cache_write: int
    output: int
    reasoning: int
    cost: int
    priced: int
    compactions: int
    first_ms: int
    last_ms: int
    models: str


class CallRow(NamedTuple):
    """One call with its names looked up."""

    uid: int
    time_ms: int
    provider: str
    thread: str
    turn: str | None
    parent: str | None
    role: str
    model: str | None
    effort: str | None
    tier: str | None
    project: str
    cwd: str | None
    origin: int
    input: int
    cached: int
    cache_write: int
    output: int
    reasoning: int
    context_window: int | None
    duration_ms: int | None
    gap_ms: int | None
    compaction: int
    recovered: int
    cost: int | None


class TurnStats(NamedTuple):
    """Turns of a thread or scope by outcome, with their durations (milliseconds, sorted)."""

    outcomes: dict[str, int]
    durations: list[int]
    first_tokens: list[int]


class Quality(NamedTuple):
    """What was read and what could not be."""

    files: int
    calls: int
    recovered: int
    threads: int
    silent_files: int
    skipped: dict[str, int]
    problems: list[str]
    first_ms: int | None
    last_ms: int | None


#: Grouping word -> (key expression, label expression)
GROUPS: dict[str, tuple[str, str]] = {
    "model": ("d.model_id", "coalesce(m.text, '(unknown)')"),
    "project": ("d.project_id", "p.label"),
    "effort": ("d.effort_id", "coalesce(e.text, '(default)')"),
    "tier": ("d.tier_id", "coalesce(s.text, 'standard')"),
    "origin": ("d.origin", "d.origin"),
    "provider": ("provider", "provider"),
    "day": ("d.day", "d.day"),
    "week": ("(d.day + 3) / 7", "((d.day + 3) / 7) * 7 - 3"),  # day 0 was a Thursday; weeks begin on Mondays
    "month": ("strftime('%Y-%m', d.day * 86400, 'unixepoch')", "strftime('%Y-%m', d.day * 86400, 'unixepoch')"),
    "directory": ("t.cwd", "coalesce(t.cwd, '(none)')"),
    "thread": ("d.thread_id", "t.uuid"),
    "role": ("t.role", "t.role"),
}

_CALL_COLUMNS = """(SELECT thread_id, day, project_id, coalesce(model_id, 0) AS model_id, coalesce(effort_id, 0) AS effort_id,
  coalesce(tier_id, 0) AS tier_id, origin, 1 AS calls, turn_first AS turns, input, cached, cache_write, output,
  reasoning, coalesce(cost, 0) AS cost, cost IS NOT NULL AS priced, compaction AS compactions, time_ms AS first_ms,
  time_ms AS last_ms FROM calls WHERE time_ms >= {start} AND time_ms < {end})"""
_FOREVER = 1 << 62


class _Query:
    """SQL text and its parameters, built together."""

    def __init__(self, scope: Scope, filters: Filters, *, threads: bool, zone: str | None) -> None:
        self.parameters: list[Any] = []
        where = []
        if scope.days is not None and zone is None:
            self.source = "thread_days" if threads or filters.thread else "days"
            for bound, sign in zip(scope.days, (">=", "<"), strict=True):
                if bound is not None:
                    where.append(f"d.day {sign} ?")
                    self.parameters.append(bound)
        else:
            start = -_FOREVER if scope.start_ms is None else scope.start_ms
            end = _FOREVER if scope.end_ms is None else scope.end_ms
            self.source = _CALL_COLUMNS.format(start=int(start), end=int(end))
            if zone is not None:
                self.source = self.source.replace("thread_id, day,", "thread_id, local_day(time_ms) AS day,")
        self.by_thread = self.source != "days"
        provider = "t.provider" if self.by_thread else "d.provider"
        self.provider = provider
        for column, value in (
            ("m.text", filters.model),
            ("p.label", filters.project),
            ("e.text", filters.effort),
            (provider, filters.provider),
            ("t.uuid", filters.thread),
        ):
            if value is not None:
                where.append(f"{column} = ? COLLATE NOCASE")
                self.parameters.append(value)
        if filters.origin is not None:
            from codex_usage.model import ORIGINS

            codes = [str(code) for code, origin in enumerate(ORIGINS) if origin.who == filters.origin]
            where.append(f"d.origin IN ({', '.join(codes) or 'NULL'})")
        self.where = f" WHERE {' AND '.join(where)}" if where else ""
        self.tables = f" FROM {self.source} d"
        if self.by_thread:
            self.tables += " JOIN threads t ON t.id = d.thread_id"
        self.tables += (
            " LEFT JOIN names m ON m.id = d.model_id LEFT JOIN names e ON e.id = d.effort_id"
            " LEFT JOIN names s ON s.id = d.tier_id JOIN projects p ON p.id = d.project_id"
        )

    def select(self, by: tuple[str, ...], sums: str) -> str:
        """The statement for sums by groups: keys, then labels, then sums."""
        columns = [self.provider if word == "provider" else GROUPS[word][0] for word in by]
        columns += [self.provider if word == "provider" else GROUPS[word][1] for word in by]
        group = f" GROUP BY {', '.join(map(str, range(1, len(by) + 1)))}" if by else ""
        return f"SELECT {', '.join([*columns, sums])}{self.tables}{self.where}{group}"


_SUMS = (
    "sum(calls), sum(turns), {threads}, sum(input), sum(cached), sum(cache_write), sum(output), sum(reasoning),"
    " sum(cost), sum(priced), sum(compactions), min(first_ms), max(last_ms)"
)


def _zone(index: Index, zone: str | None) -> str | None:
    """None when the index's own days can answer for this zone; else the zone, with its SQL function ready."""
    if zone is None or zone == index.get("zone"):
        return None
    days = Days(zone_of(zone)[1])
    index.sql.create_function("local_day", 1, days.of, deterministic=True)
    return zone


def totals(index: Index, scope: Scope, filters: Filters = Filters(), zone: str | None = None) -> GroupRow:
    """Sums over everything in the scope."""
    return _group_rows(index, (), scope, filters, zone)[0]


def groups(
    index: Index, by: Sequence[str], scope: Scope, filters: Filters = Filters(), zone: str | None = None
) -> list[GroupRow]:
    """Sums by one or more of GROUPS, in no particular order; `key` and `labels` have one part for each."""
    return _group_rows(index, tuple(by), scope, filters, zone)


def _group_rows(
    index: Index, by: tuple[str, ...], scope: Scope, filters: Filters, zone: str | None
) -> list[GroupRow]:
    zone = _zone(index, zone)
    query = _Query(scope, filters, threads=not {"thread", "role", "directory"}.isdisjoint(by), zone=zone)
    threads = "count(DISTINCT d.thread_id)" if query.by_thread else "0"
    rows = index.sql.execute(query.select(by, _SUMS.format(threads=threads)), query.parameters).fetchall()
    counts = {} if query.by_thread else _thread_counts(index, by, scope, filters, zone)
    width = len(by)
    result = []
    for row in rows:
        sums = [value or 0 for value in row[2 * width : 2 * width + 11]]
        if not query.by_thread:
            sums[2] = counts.get(row[:width], 0)
        result.append(GroupRow(row[:width], row[width : 2 * width], *sums, *row[2 * width + 11 :]))
    return result


def _thread_counts(
    index: Index, by: tuple[str, ...], scope: Scope, filters: Filters, zone: str | None
) -> dict[tuple[Any, ...], int]:
    """Distinct threads per group: the one figure that daily sums cannot add up."""
    query = _Query(scope, filters, threads=True, zone=zone)
    rows = index.sql.execute(query.select(by, "count(DISTINCT d.thread_id)"), query.parameters)
    return {row[: len(by)]: row[-1] for row in rows}


_ORDERS = {
    "cost": "sum(cost)",
    "tokens": "sum(input) + sum(output)",
    "calls": "sum(calls)",
    "recent": "max(last_ms)",
    "output": "sum(output)",
}


def threads(
    index: Index,
    scope: Scope,
    filters: Filters = Filters(),
    *,
    order: str = "cost",
    limit: int = 20,
    offset: int = 0,
    zone: str | None = None,
) -> list[ThreadRow]:
    """The top threads of a scope; `order` is one of cost, tokens, calls, recent, output."""
    query = _Query(scope, filters, threads=True, zone=_zone(index, zone))
    text = (
        "SELECT t.uuid, t.name, t.provider, t.role, t.source, t.originator, tp.label, t.cwd, t.branch, t.parent,"
        " t.forked_from, t.agent, t.created_ms, (SELECT count(*) FROM files f WHERE f.thread = t.uuid),"
        f" {_SUMS.format(threads='0').replace(' 0,', '', 1)}, group_concat(DISTINCT m.text)"
        f"{query.tables} LEFT JOIN projects tp ON tp.id = coalesce(t.project_id, d.project_id){query.where}"
        f" GROUP BY d.thread_id ORDER BY {_ORDERS[order]} DESC, t.uuid LIMIT ? OFFSET ?"
    )
    rows = index.sql.execute(text, [*query.parameters, limit, offset])
    return [ThreadRow(*row) for row in rows]


_CALL_ORDERS = {
    "cost": "c.cost DESC NULLS LAST, c.time_ms DESC",
    "tokens": "c.input + c.output DESC",
    "input": "c.input DESC",
    "uncached": "c.input - c.cached DESC",
    "output": "c.output DESC",
    "recent": "c.time_ms DESC",
    "oldest": "c.time_ms, c.uid",
    "duration": "c.duration_ms DESC NULLS LAST",
}


def calls(
    index: Index,
    scope: Scope,
    filters: Filters = Filters(),
    *,
    order: str = "recent",
    limit: int | None = 20,
    offset: int = 0,
) -> list[CallRow]:
    """Single calls of a scope; `order` is one of cost, tokens, input, uncached, output, recent, oldest, duration."""
    where, parameters = _call_conditions(scope, filters)
    text = (
        "SELECT c.uid, c.time_ms, t.provider, t.uuid, c.turn_key, t.parent, t.role, m.text, e.text, s.text, p.label,"
        " w.text, c.origin, c.input, c.cached, c.cache_write, c.output, c.reasoning, c.context_window,"
        " c.duration_ms, c.gap_ms, c.compaction, c.recovered, c.cost FROM calls c"
        " JOIN threads t ON t.id = c.thread_id LEFT JOIN names m ON m.id = c.model_id"
        " LEFT JOIN names e ON e.id = c.effort_id LEFT JOIN names s ON s.id = c.tier_id"
        " JOIN projects p ON p.id = c.project_id LEFT JOIN names w ON w.id = c.cwd_id"
        f"{where} ORDER BY {_CALL_ORDERS[order]} LIMIT ? OFFSET ?"
    )
    rows = index.sql.execute(text, [*parameters, -1 if limit is None else limit, offset])
    return [CallRow(*row) for row in rows]


def find_calls(index: Index, prefix: str) -> list[int]:
    """Uids of the calls whose 16-digit hexadecimal id starts with the text (at most two)."""
    try:
        low = int(prefix.ljust(16, "0"), 16)
        high = int(prefix.ljust(16, "f"), 16)
    except ValueError:
        return []
    limit = (1 << 63) - 1
    rows = index.sql.execute(
        "SELECT uid FROM calls WHERE uid BETWEEN ? AND ? LIMIT 2", (min(low, limit), min(high, limit))
    )
    return [row[0] for row in rows]


def _call_conditions(scope: Scope, filters: Filters) -> tuple[str, list[Any]]:
    where, parameters = [], []
    for column, sign, value in (
        ("c.time_ms", ">=", scope.start_ms),
        ("c.time_ms", "<", scope.end_ms),
        ("t.provider", "=", filters.provider),
        ("t.uuid", "=", filters.thread),
        ("m.text", "=", filters.model),
        ("e.text", "=", filters.effort),
        ("p.label", "=", filters.project),
    ):
        if value is not None:
            where.append(f"{column} {sign} ?" + (" COLLATE NOCASE" if isinstance(value, str) else ""))
            parameters.append(value)
    if filters.origin is not None:
        from codex_usage.model import ORIGINS

        codes = [str(code) for code, origin in enumerate(ORIGINS) if origin.who == filters.origin]
        where.append(f"c.origin IN ({', '.join(codes) or 'NULL'})")
    return (f" WHERE {' AND '.join(where)}" if where else ""), parameters


def matched_models(index: Index) -> dict[str, str]:
    """Model name in the logs to the name in the price list that its price was taken from."""
    from codex_usage.index.writer import _RATES

    rows = index.sql.execute("SELECT model, rates FROM rates WHERE rates <> x'90'")
    return {model: rates[0].matched for model, blob in rows if (rates := _RATES.decode(blob))}


def turn_stats(index: Index, thread: str | None = None) -> TurnStats:
    """Outcomes and durations of turns, of one thread or of all."""
    where = " WHERE thread_id = (SELECT id FROM threads WHERE uuid = ?)" if thread else ""
    rows = index.sql.execute(
        f"SELECT coalesce(outcome, 'open'), duration_ms, first_token_ms FROM turns{where}", [thread] if thread else []
    ).fetchall()
    outcomes: dict[str, int] = {}
    for outcome, _, _ in rows:
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return TurnStats(
        outcomes,
        sorted(row[1] for row in rows if row[1] is not None),
        sorted(row[2] for row in rows if row[2] is not None),
    )


def find_threads(index: Index, text: str) -> list[tuple[str, str | None]]:
    """(id, name) of threads whose id starts with the text, or whose name is it."""
    start = text.lower().replace("%", "").replace("_", "")
    rows = index.sql.execute(
        "SELECT uuid, name FROM threads WHERE uuid = ?1 OR uuid LIKE ?2 OR name = ?1 COLLATE NOCASE LIMIT 10",
        (text, f"{start}%" if start else "\0"),
    )
    return list(rows)


def short_threads(index: Index, suffix: str) -> list[tuple[str, str | None]]:
    """(id, name) of threads whose id ends with the text: the part in which ids of one day differ."""
    rows = index.sql.execute(
        "SELECT uuid, name FROM threads WHERE uuid LIKE ? LIMIT 10", (f"%{suffix.lower().replace('%', '')}",)
    )
    return list(rows)


def children(index: Index, thread: str) -> list[tuple[str, str, str]]:
    """(id, role, link) of threads that a thread caused; link is logged or inferred.

    Reviews of versions that log no parent are linked by folder and the time of the parent's review mode."""
    rows = index.sql.execute("SELECT uuid, role, 'logged' FROM threads WHERE parent = ?", (thread,)).fetchall()
    rows += index.sql.execute(
        "SELECT c.uuid, c.role, 'inferred' FROM threads p JOIN files f ON f.thread = p.uuid JOIN reviews r"
        " ON r.file_id = f.id JOIN threads c ON c.role = 'review' AND c.parent IS NULL AND c.cwd = p.cwd"
        " AND c.created_ms BETWEEN r.started_ms - 1000 AND coalesce(r.ended_ms, r.started_ms + 3600000)"
        " WHERE p.uuid = ? AND c.uuid <> p.uuid",
        (thread,),
    ).fetchall()
    return rows


def allowance(index: Index) -> list[tuple[str | None, int, float, int | None, int, str | None, str | None]]:
    """The newest snapshot of each allowance window: (limit id, minutes, used percent, resets at (s), seen (ms),
    plan, credits balance)."""
    return index.sql.execute(
        "SELECT limit_id, minutes, used_percent, resets_at, max(time_ms), plan_type, credits_balance FROM windows"
        " WHERE minutes > 0 GROUP BY limit_id, minutes ORDER BY minutes"
    ).fetchall()


def quality(index: Index) -> Quality:
    """What was read, what was recovered and what had to be skipped."""
    from codex_usage.index.writer import _SKIPS

    skipped: dict[str, int] = {}
    for (blob,) in index.sql.execute("SELECT skipped FROM files WHERE skipped IS NOT NULL"):
        for kind, count in _SKIPS.decode(blob).items():
            skipped[kind] = skipped.get(kind, 0) + count
    one = index.sql.execute
    counted = one("SELECT coalesce(sum(calls), 0), min(first_ms), max(last_ms) FROM days").fetchone()
    return Quality(
        one("SELECT count(*) FROM files WHERE read = 1").fetchone()[0],
        counted[0],
        0,
        one("SELECT count(*) FROM threads").fetchone()[0],
        0,
        skipped,
        [row[0] for row in one("SELECT problem FROM files WHERE problem IS NOT NULL")],
        counted[1],
        counted[2],
    )


def midnight_scope(index: Index, start_ms: int | None, end_ms: int | None, zone: str | None) -> Scope:
    """A scope in milliseconds, with day numbers when its ends are midnights of the index's zone."""
    name = index.get("zone")
    if zone is not None and zone != name:
        return Scope(start_ms, end_ms, None)
    days = Days(zone_of(name)[1])
    bounds: list[int | None] = []
    for bound in (start_ms, end_ms):
        if bound is None:
            bounds.append(None)
        elif days.of(bound) != days.of(bound - 1):
            bounds.append(days.of(bound))
        else:
            return Scope(start_ms, end_ms, None)
    return Scope(start_ms, end_ms, (bounds[0], bounds[1]))


__all__ = [
    "CallRow", "Filters", "GroupRow", "Quality", "Scope", "ThreadRow", "TurnStats", "allowance", "calls", "children",
    "date_day", "find_threads", "groups", "matched_models", "midnight_scope", "quality", "short_threads", "threads",
    "totals", "turn_stats",
]  # fmt: skip
