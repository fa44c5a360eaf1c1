"""Typed questions to the index. Every figure shown anywhere starts as a row of one of these."""

from __future__ import annotations

import re
from collections import Counter, defaultdict, namedtuple
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from codex_usage.index.database import Index
from codex_usage.index.zones import Days, zone_of
from codex_usage.model import ORIGINS
from codex_usage.money import Rate


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
    confidence: str | None = None
    source: str | None = None


class GroupRow(NamedTuple):
    """Sums of a group of calls. `cost` in nano-dollars over the `priced` ones, of which `estimated_cost` rests on
    estimates; `credits` in nano-credits over the `credited` ones, some of them inferred or the user's own."""

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
    credits: int
    compactions: int
    priced: int
    estimated: int
    estimated_cost: int
    credited: int
    uncredited: int
    inferred: int
    overridden: int
    first_ms: int | None
    last_ms: int | None


class ThreadRow(NamedTuple):
    """Sums of a thread's calls in a scope, with what its header says, under the names that threads are told by."""

    head: dict[str, Any]
    sums: GroupRow


#: One call with its names looked up.
CallRow = namedtuple(
    "CallRow",
    "uid time_ms provider thread turn parent role model effort tier project cwd origin input cached cache_write output"
    " reasoning context_window duration_ms gap_ms compaction recovered rate cost credits",
)


class Quality(NamedTuple):
    """What was read and what could not be."""

    files: int
    calls: int
    skipped: dict[str, int]
    problems: list[str]


#: Grouping word -> (key expression, label expression), over rows named d of any source; keys are never NULL.
GROUPS: dict[str, tuple[str, str]] = {
    "model": ("d.model_id", "coalesce((SELECT text FROM names WHERE id = d.model_id), '(unknown)')"),
    "project": ("(SELECT label FROM projects WHERE id = d.project_id)",) * 2,
    "effort": ("d.effort_id", "coalesce((SELECT text FROM names WHERE id = d.effort_id), '(default)')"),
    "tier": ("d.tier_id", "coalesce((SELECT text FROM names WHERE id = d.tier_id), 'standard')"),
    "origin": ("d.origin", "d.origin"),
    "provider": ("(SELECT provider FROM threads WHERE id = d.thread_id)",) * 2,
    "day": ("d.day", "d.day"),
    "week": ("(d.day + 3) / 7", "((d.day + 3) / 7) * 7 - 3"),  # day 0 was a Thursday; weeks begin on Mondays
    "sunday_week": ("(d.day + 4) / 7", "((d.day + 4) / 7) * 7 - 4"),
    "month": ("strftime('%Y-%m', d.day * 86400, 'unixepoch')",) * 2,
    "directory": ("(SELECT coalesce(cwd, '(none)') FROM threads WHERE id = d.thread_id)",) * 2,
    "thread": ("d.thread_id", "(SELECT uuid FROM threads WHERE id = d.thread_id)"),
    "role": ("(SELECT role FROM threads WHERE id = d.thread_id)",) * 2,
    "agent": ("(SELECT coalesce(agent, role) FROM threads WHERE id = d.thread_id)",) * 2,
    "home": ("(SELECT label FROM sources WHERE thread_id = d.thread_id)",) * 2,
    "rate": ("d.rate_id", "d.rate_id"),
}
#: Labels of what a log does not name: they can be filtered by, as they are shown.
_NAMELESS = {"model": "(unknown)", "effort": "(default)"}
_TIME_WORDS = frozenset({"day", "week", "sunday_week", "month"})
_THREAD_WORDS = frozenset({"thread", "role", "agent", "home", "directory"})

_RAW = """(SELECT thread_id, {day} AS day, project_id, coalesce(model_id, 0) AS model_id,
  coalesce(effort_id, 0) AS effort_id, coalesce(tier_id, 0) AS tier_id, origin, 1 AS calls, turn_first AS turns, input,
  cached, cache_write, output, reasoning, coalesce(cost, 0) AS cost, coalesce(credits, 0) AS credits, rate_id,
  long_cost, tier_cost, compaction AS compactions, time_ms AS first_ms, time_ms AS last_ms FROM calls)"""
#: Filters by names, which are looked up first, so that no row has to: what of a row must be among which ids.
_NAMED = {
    "model": ("coalesce(d.model_id, 0)", "names WHERE text = ? COLLATE NOCASE"),
    "effort": ("coalesce(d.effort_id, 0)", "names WHERE text = ? COLLATE NOCASE"),
    "project": ("d.project_id", "projects WHERE label = ? COLLATE NOCASE"),
    "thread": ("d.thread_id", "threads WHERE uuid = ?"),
    "confidence": ("d.rate_id", "rates WHERE confidence = ?"),
}


class _Source:
    """Where sums come from: the days of the rollups where they fit the scope, else the calls."""

    def __init__(
        self, index: Index, scope: Scope, filters: Filters, by: Sequence[str] = (), zone: str | None = None,
        threads: bool = False,
    ) -> None:  # fmt: skip
        own_days = zone is None or zone == index.get("zone") or _TIME_WORDS.isdisjoint(by)
        if scope.days is not None and own_days:
            self.by_thread = bool(threads or filters.thread or filters.source or not _THREAD_WORDS.isdisjoint(by))
            self.table = "thread_days" if self.by_thread else "days"
            bounds, column = scope.days, "d.day"
        else:
            self.by_thread = True
            self.table = _RAW.format(day="day" if own_days else "local_day(time_ms)")
            bounds, column = (scope.start_ms, scope.end_ms), "d.first_ms"
        if not own_days:
            index.sql.create_function("local_day", 1, Days(zone_of(zone)[1]).of, deterministic=True)
        conditions, self.parameters = conditions_of(index, filters, self.table == "days")
        self.conditions = [*between(column, *bounds), *conditions]

    def select(self, columns: Sequence[str], rest: str = "", *only: str) -> str:
        """A statement over these rows, or over those of them for which further conditions hold."""
        return f"SELECT {', '.join(columns)} FROM {self.table} d{where_of([*self.conditions, *only])}{rest}"

    def keys(self, by: Sequence[str]) -> list[str]:
        """The key expressions of grouping words."""
        return ["d.provider" if word == "provider" and self.table == "days" else GROUPS[word][0] for word in by]


def conditions_of(index: Index, filters: Filters, days: bool = False) -> tuple[list[str], list[Any]]:
    """Filters as conditions on rows named d, with their parameters."""
    conditions: list[str] = []
    parameters: list[Any] = []
    for word, (column, rows) in _NAMED.items():
        value = getattr(filters, word)
        if value is not None:
            ids = [row[0] for row in index.sql.execute(f"SELECT id FROM {rows}", (value,))]
            ids += [0] if value.lower() == _NAMELESS.get(word) else []
            conditions.append(f"{column} IN ({_list(ids)})")
    if filters.provider is not None:
        # the plus keeps SQLite from looking calls up thread by thread instead of by time
        conditions.append("d.provider = ?" if days else "+d.thread_id IN (SELECT id FROM threads WHERE provider = ?)")
        parameters.append(filters.provider)
    if filters.source is not None:
        conditions.append("+d.thread_id IN (SELECT thread_id FROM sources WHERE label = ? COLLATE NOCASE)")
        parameters.append(filters.source)
    if filters.origin is not None:
        codes = [code for code, origin in enumerate(ORIGINS) if origin.who == filters.origin]
        conditions.append(f"d.origin IN ({_list(codes)})")
    return conditions, parameters


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def between(column: str, low: int | None, high: int | None) -> list[str]:
    """Conditions for low <= column < high; None is open."""
    return [f"{column} {sign} {int(bound)}" for sign, bound in ((">=", low), ("<", high)) if bound is not None]


def where_of(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


_DISTINCT = "count(DISTINCT d.thread_id)"


def _sums(index: Index, threads: str) -> list[str]:
    """What is summed, in the order of GroupRow; `threads` counts the distinct ones.

    How sure a price is depends on its rate alone, and rates are few: sums by confidence are sums over their ids."""
    by: dict[str, list[int]] = {}
    for key, price, credit in index.sql.execute("SELECT id, confidence, credit_confidence FROM rates"):
        by.setdefault(price, []).append(key)
        by.setdefault(f"credit {credit}", []).append(key)
    credited = [*by.get("credit exact", ()), *by.get("credit inferred", ()), *by.get("credit override", ())]
    return [
        "sum(calls)", "sum(turns)", threads, "sum(input)", "sum(cached)", "sum(cache_write)", "sum(output)",
        "sum(reasoning)", "sum(cost)", "sum(credits)", "sum(compactions)",
        _sum_of("calls", [*by.get("exact", ()), *by.get("estimated", ())]), _sum_of("calls", by.get("estimated")),
        _sum_of("cost", by.get("estimated")), _sum_of("calls", credited), _sum_of("calls", by.get("credit missing")),
        _sum_of("calls", by.get("credit inferred")), _sum_of("calls", by.get("credit override")),
        "min(first_ms)", "max(last_ms)",
    ]  # fmt: skip


def _sum_of(column: str, rates: Sequence[int] | None) -> str:
    return f"sum(CASE WHEN d.rate_id IN ({_list(rates)}) THEN {column} ELSE 0 END)" if rates else "0"


def totals(index: Index, scope: Scope, filters: Filters = Filters()) -> GroupRow:
    """Sums over everything in the scope."""
    return groups(index, (), scope, filters)[0]


def sessions(index: Index, scope: Scope, filters: Filters = Filters()) -> int:
    """Threads of the user's own with calls."""
    source = _Source(index, scope, filters, threads=True)
    text = source.select([_DISTINCT], "", "d.thread_id IN (SELECT id FROM threads WHERE role = 'user')")
    return int(index.sql.execute(text, source.parameters).fetchone()[0])


def groups(
    index: Index, by: Sequence[str], scope: Scope, filters: Filters = Filters(), zone: str | None = None,
    but: Sequence[GroupRow] = (),
) -> list[GroupRow]:  # fmt: skip
    """Sums by one or more of GROUPS, in no particular order; `key` and `labels` have one part for each. With `but`, one
    row of sums over all other groups. Sums by rate do not count threads.

    Daily sums cannot tell distinct threads, which are counted apart, in the sums by thread and day."""
    source = _Source(index, scope, filters, by, zone)
    known = source.by_thread and "rate" not in by
    threads = "0" if not known else "1" if "thread" in by and not but else _DISTINCT
    width = 0 if but else len(by)
    rows = _grouped(index, source, by, _sums(index, threads), but)
    if not width and not rows[0][0]:
        return [GroupRow._make(((), (), *[0] * 18, None, None))]
    result = [GroupRow._make((row[:width], row[width : 2 * width], *row[2 * width :])) for row in rows]
    if known or "rate" in by:
        return result
    finer = _Source(index, scope, filters, by, zone, threads=True)
    counts = {row[:width]: row[-1] for row in _grouped(index, finer, by, [_DISTINCT], but)}
    return [row._replace(threads=counts.get(row.key, 0)) for row in result]


def _grouped(
    index: Index, source: _Source, by: Sequence[str], sums: Sequence[str], but: Sequence[GroupRow]
) -> list[tuple[Any, ...]]:
    keys = source.keys(by)
    if but:
        known = ", ".join(f"({', '.join('?' * len(by))})" for _ in but)
        text = source.select(sums, "", f"({', '.join(keys)}) NOT IN (VALUES {known})")
        return index.sql.execute(text, [*source.parameters, *(part for row in but for part in row.key)]).fetchall()
    labels = [key if word == "provider" else GROUPS[word][1] for word, key in zip(by, keys, strict=True)]
    group = f" GROUP BY {_list(range(1, len(by) + 1))}" if by else ""
    return index.sql.execute(source.select([*keys, *labels, *sums], group), source.parameters).fetchall()


def labels(index: Index, word: str) -> list[str]:
    """The labels in use for model, project, effort or source, sorted."""
    if word == "source":
        rows = index.sql.execute("SELECT DISTINCT label FROM sources")
    else:
        rows = index.sql.execute(f"SELECT {GROUPS[word][1]} FROM (SELECT DISTINCT {word}_id FROM days) d")
    return sorted({row[0] for row in rows})


_ORDERS = {
    "cost": "sum(cost)",
    "tokens": "sum(input) + sum(output)",
    "calls": "sum(calls)",
    "recent": "max(last_ms)",
    "output": "sum(output)",
}
_THREAD = """SELECT uuid AS thread_id, name, provider, role, source, originator,
  (SELECT label FROM projects WHERE id = coalesce(project_id, ?)) AS project,
  iif(project_id IN (SELECT id FROM projects WHERE key = 'ignored'), NULL, cwd) AS cwd, branch,
  parent AS parent_thread_id, forked_from, (SELECT count(*) FROM files WHERE thread = uuid) AS segments
  FROM threads WHERE id = ?"""


def threads(
    index: Index, scope: Scope, filters: Filters = Filters(), *, order: str = "cost", limit: int = 20, offset: int = 0
) -> list[ThreadRow]:
    """The top threads of a scope; `order` is one of cost, tokens, calls, recent, output."""
    source = _Source(index, scope, filters, threads=True)
    text = source.select(
        ["d.project_id", "d.thread_id", "group_concat(DISTINCT d.model_id)", *_sums(index, "1")],
        f" GROUP BY d.thread_id ORDER BY {_ORDERS[order]} DESC, max(last_ms) DESC, d.thread_id LIMIT ? OFFSET ?",
    )
    models = dict(index.sql.execute("SELECT id, text FROM names WHERE id IN (SELECT model_id FROM days)").fetchall())
    found = []
    for project, thread, used, *sums in index.sql.execute(text, [*source.parameters, limit, offset]).fetchall():
        cursor = index.sql.execute(_THREAD, (project, thread))
        head = dict(zip((column[0] for column in cursor.description), cursor.fetchone(), strict=True))
        head["models"] = sorted(models[int(key)] for key in used.split(",") if int(key) in models)
        found.append(ThreadRow(head, GroupRow._make(((), (), *sums))))
    return found


#: Order of calls -> (what of a call decides, the same as the most of a thread's day in the rollup)
_CALL_ORDERS = {
    "cost": ("d.cost", "most_cost"),
    "tokens": ("d.input + d.output", "most_tokens"),
    "input": ("d.input", "most_input"),
    "uncached": ("d.input - d.cached", "most_uncached"),
    "output": ("d.output", "most_output"),
    "duration": ("d.duration_ms", "most_duration"),
    "recent": ("d.time_ms", "last_ms"),
    "oldest": ("-d.time_ms", "-first_ms"),
}
_CALL = """SELECT d.uid, d.time_ms, t.provider, t.uuid, d.turn_key, t.parent, t.role, m.text, e.text, s.text, p.label,
  iif(p.key = 'ignored', NULL, w.text),
  d.origin, d.input, d.cached, d.cache_write, d.output, d.reasoning, d.context_window, d.duration_ms,
  d.gap_ms, d.compaction, d.recovered, d.rate_id, d.cost, d.credits FROM {rows} JOIN threads t ON t.id = d.thread_id
  LEFT JOIN names m ON m.id = d.model_id LEFT JOIN names e ON e.id = d.effort_id
  LEFT JOIN names s ON s.id = d.tier_id JOIN projects p ON p.id = d.project_id LEFT JOIN names w ON w.id = d.cwd_id"""


def calls(
    index: Index, scope: Scope, filters: Filters = Filters(), *, order: str = "recent", limit: int = 20, offset: int = 0
) -> list[CallRow]:
    """Single calls of a scope; `order` is one of cost, tokens, input, uncached, output, recent, oldest, duration.

    The top n calls stand on the n days of threads that hold the greatest ones (each of those has at least one as
    great), so the rollup tells which few days to look at; of calls in time it tells which days a page is on."""
    key, most = _CALL_ORDERS[order]
    conditions, parameters = conditions_of(index, filters)
    outer, inner = (scope.days,) * 2 if scope.days else _touched_days(index, scope.start_ms, scope.end_ms)
    if scope.days and order in ("recent", "oldest"):
        source = _Source(index, scope, filters)
        upto = f"sum(sum(calls)) OVER (ORDER BY d.day {'DESC' if order == 'recent' else ''}) AS upto"
        text = source.select(["d.day AS day", upto, "sum(calls) AS calls"], " GROUP BY 1")
        text = f"SELECT min(day), max(day) + 1, min(upto - calls) FROM ({text}) WHERE upto > ? AND upto - calls < ?"
        first, end, before = index.sql.execute(text, [*source.parameters, offset, offset + limit]).fetchone()
        outer = inner = (first or 0, end or 0)  # behind the last page none
        offset -= before or 0
    where = where_of([*between("d.day", *inner), *conditions])
    least = index.sql.execute(
        f"SELECT {most} FROM thread_days d{where} ORDER BY 1 DESC LIMIT 1 OFFSET ?", [*parameters, limit + offset - 1]
    ).fetchone()
    floor = [least[0]] if least and least[0] is not None else []
    where = where_of([*between("d.day", *outer), *conditions, *[f"{most} >= ?" for _ in floor]])
    days = f"SELECT DISTINCT d.thread_id, d.day FROM thread_days d{where}"
    within = where_of([*between("d.time_ms", scope.start_ms, scope.end_ms), *conditions])
    by = f"ORDER BY {key} DESC NULLS LAST, d.time_ms DESC, d.uid"
    text = _CALL.format(
        rows=f"(SELECT d.id FROM ({days}) g CROSS JOIN calls d ON d.thread_id = g.thread_id AND d.day = g.day"
        f"{within} {by} LIMIT ? OFFSET ?) x CROSS JOIN calls d ON d.id = x.id"
    )
    rows = index.sql.execute(f"{text} {by}", [*parameters, *floor, *parameters, limit, offset])
    return [CallRow(*row) for row in rows]


def calls_between(index: Index, first: int, last: int) -> list[CallRow]:
    """At most two calls whose uid lies in a span: what the beginning of an id stands for."""
    text = f"{_CALL.format(rows='calls d')} WHERE d.uid BETWEEN ? AND ? LIMIT 2"
    return [CallRow(*row) for row in index.sql.execute(text, (first, last))]


def sums_of_call(row: CallRow, rate: Rate) -> GroupRow:
    """One call as a sum over itself."""
    sure, credit, cost = rate.confidence, rate.credit_confidence, row.cost or 0
    parts = [sure != "unpriced", sure == "estimated", cost if sure == "estimated" else 0]
    parts += [credit not in (None, "missing"), credit == "missing", credit == "inferred", credit == "override"]
    tokens = (row.input, row.cached, row.cache_write, row.output, row.reasoning)
    money = (cost, row.credits or 0, row.compaction, *map(int, parts))
    return GroupRow._make(((), (), 1, 0, 1, *tokens, *money, row.time_ms, row.time_ms))


def each_call(index: Index, scope: Scope, filters: Filters = Filters()) -> Iterator[CallRow]:
    """Every call of a scope, oldest first, however many there are."""
    conditions, parameters = conditions_of(index, filters)
    where = where_of([*between("d.time_ms", scope.start_ms, scope.end_ms), *conditions])
    for row in index.sql.execute(f"{_CALL.format(rows='calls d')}{where} ORDER BY d.time_ms, d.uid", parameters):
        yield CallRow(*row)


_Days = tuple[int | None, int | None]


def _touched_days(index: Index, start_ms: int | None, end_ms: int | None) -> tuple[_Days, _Days]:
    """The days [first, end) of the index's zone that a span touches, and those that it covers whole."""
    of = Days(zone_of(index.get("zone"))[1]).of
    first, whole_first = (None, None) if start_ms is None else (of(start_ms), of(start_ms - 1) + 1)
    end, whole_end = (None, None) if end_ms is None else (of(end_ms - 1) + 1, of(end_ms))
    return (first, end), (whole_first, whole_end)


def midnight_scope(index: Index, start_ms: int | None, end_ms: int | None) -> Scope:
    """A scope in milliseconds, with day numbers when its ends are midnights of the index's zone."""
    outer, inner = _touched_days(index, start_ms, end_ms)
    return Scope(start_ms, end_ms, outer if outer == inner else None)


#: Sums of a thread's calls of one project, model, effort and rate, as an explanation takes them apart.
CellRow = namedtuple(
    "CellRow",
    "thread role project model effort rate calls turns input cached written output cost credits long_cost tier_cost",
)


def cells(index: Index, scope: Scope, filters: Filters = Filters()) -> list[CellRow]:
    """The calls of a scope by thread, project, model, effort and rate."""
    source = _Source(index, scope, filters, threads=True)
    keys = ["d.thread_id", "d.project_id", "d.model_id", "d.effort_id", "d.rate_id"]
    names = ("calls", "turns", "input", "cached", "cache_write", "output", "cost", "credits", "long_cost", "tier_cost")
    columns = [keys[0], GROUPS["role"][0], *keys[1:], *(f"sum({name})" for name in names)]
    text = source.select(columns, f" GROUP BY {', '.join(keys)}")
    return list(map(CellRow._make, index.sql.execute(text, source.parameters)))


def named(index: Index, kind: str, keys: Iterable[int]) -> dict[int, tuple[str, str]]:
    """(id, label) of some threads, projects or models by their row ids."""
    table, columns = {
        "thread": ("threads", "uuid, coalesce(name, '')"),
        "project": ("projects", "label, label"),
        "model": ("names", "text, text"),
    }[kind]
    rows = index.sql.execute(f"SELECT id, {columns} FROM {table} WHERE id IN ({_list(keys)})")
    return {row[0]: (row[1], row[2]) for row in rows}


def amounts(index: Index, scope: Scope, step: str, filters: Filters = Filters()) -> dict[int, tuple[int, int, int]]:
    """(nano-dollars, nano-credits, tokens) by local day, or by hour since 1970 (of a scope without days)."""
    source = _Source(index, scope, filters)
    key = "d.day" if step == "day" else "d.first_ms / 3600000"
    text = source.select([key, "sum(cost)", "sum(credits)", "sum(input) + sum(output)"], " GROUP BY 1")
    return {row[0]: (row[1], row[2], row[3]) for row in index.sql.execute(text, source.parameters)}


class StoredRate(NamedTuple):
    """A rate that calls were priced by: for which provider, model (as logged) and tier, and how sure it is."""

    id: int
    provider: str
    model: str
    tier: str
    rate: Rate


#: A rate as it is stored.
RATE = msgspec.msgpack.Decoder(Rate)


def rates(index: Index) -> dict[int, StoredRate]:
    """Every rate that calls were priced by, by its id."""
    rows = index.sql.execute("SELECT id, provider, model, tier, rate FROM rates")
    return {row[0]: StoredRate._make((*row[:4], RATE.decode(row[4]))) for row in rows}


def turn_stats(index: Index, thread: str) -> tuple[dict[str, int], list[int], list[int]]:
    """A thread's turns by outcome, their durations and the times to their first token (milliseconds, sorted)."""
    rows = index.sql.execute(
        "SELECT coalesce(outcome, 'open'), duration_ms, first_token_ms FROM turns"
        " WHERE thread_id = (SELECT id FROM threads WHERE uuid = ?)",
        (thread,),
    ).fetchall()
    durations, first_tokens = (sorted(row[at] for row in rows if row[at] is not None) for at in (1, 2))
    return dict(Counter(row[0] for row in rows)), durations, first_tokens


#: Part of a thread's id: long enough to mean one, and nothing that LIKE takes for a wildcard.
_ID_PART = re.compile(r"[0-9a-zA-Z-]{4,}")


def find_threads(index: Index, text: str) -> list[tuple[str, str | None]]:
    """(id, name) of threads whose id starts with the text or whose name is it; without one those whose id ends with
    it: the part in which ids of one day differ."""
    query = "SELECT uuid, name FROM threads WHERE uuid = ?1 OR uuid LIKE ?2 OR name = ?1 COLLATE NOCASE LIMIT 10"
    part = text if _ID_PART.fullmatch(text) else ""
    found = index.sql.execute(query, (text, part and f"{part}%")).fetchall()
    return found or index.sql.execute(query, (text, part and f"%{part}")).fetchall()


def allowance(index: Index) -> list[tuple[str, int, float, int | None, int, str | None, str | None]]:
    """The newest snapshot of each allowance window, shortest first: (limit id, minutes, used percent, resets at (s),
    seen (ms), plan, credits balance). Logs before 0.106 name no limit: theirs is what is now called codex.

    Hops from one window to the next along their index, as the snapshots are many and the windows few."""
    limit = "coalesce(limit_id, 'codex')"
    found = []
    first = f"SELECT * FROM (SELECT minutes, {limit} FROM windows WHERE %s ORDER BY minutes, {limit} LIMIT 1)"
    following = f"{first % f'minutes = ?1 AND {limit} > ?2'} UNION ALL {first % 'minutes > ?1'} LIMIT 1"
    at: tuple[int, str] = (1, "")
    while row := index.sql.execute(following, at).fetchone():
        at = row
        found += index.sql.execute(
            f"SELECT {limit}, minutes, used_percent, resets_at, time_ms, plan_type, credits_balance FROM windows"
            f" WHERE minutes = ? AND {limit} = ? ORDER BY time_ms DESC, position DESC LIMIT 1",
            at,
        ).fetchall()
    return found


def snapshots(
    index: Index, limit: str, minutes: int, since_ms: int, step_ms: int
) -> list[tuple[int, float, int | None]]:
    """(time, used percent, resets at (s)) of one window since a time, the newest first: the last snapshot of each
    step. Hops back along their index, as reading all of them took ten times as long."""
    window = "w.minutes = :minutes AND coalesce(w.limit_id, 'codex') = :limit AND"
    hop = f"SELECT max(time_ms) FROM windows w WHERE {window} w.time_ms >= :since"
    return index.sql.execute(
        f"WITH RECURSIVE hops(at) AS (SELECT ({hop}) UNION ALL SELECT ({hop} AND w.time_ms < at / :step * :step)"
        " FROM hops WHERE at IS NOT NULL) SELECT at, max(used_percent), resets_at FROM hops"
        f" CROSS JOIN windows w ON {window} w.time_ms = at GROUP BY at ORDER BY at DESC",
        {"minutes": minutes, "limit": limit, "since": since_ms, "step": step_ms},
    ).fetchall()


def spent(index: Index, start_ms: int, end_ms: int, limit: str | None = None) -> list[tuple[int, int, int]]:
    """(time, nano-dollars, nano-credits) of Codex's calls, summed by five minutes; with `limit` only of the models
    after whose calls the logs spoke of that limit. Hops along the index by time, without sorting."""
    only, parameters = "", []
    if limit is not None:
        only = (
            " AND model IN (SELECT r.model FROM windows w JOIN calls c ON c.file_id = w.file_id"
            " AND c.position = (SELECT max(position) FROM calls WHERE file_id = w.file_id AND position <= w.position)"
            " JOIN rates r ON r.id = c.rate_id"
            " WHERE w.minutes > 0 AND coalesce(w.limit_id, 'codex') = ? AND w.time_ms >= ? AND w.time_ms < ?)"
        )
        parameters = [limit, start_ms, end_ms]
    rates = index.sql.execute(f"SELECT id FROM rates WHERE provider = 'codex'{only}", parameters).fetchall()
    step = "(at / 300000 + 1) * 300000"
    rows = index.sql.execute(
        "WITH RECURSIVE hops(at) AS (SELECT :start UNION ALL SELECT (SELECT min(time_ms) FROM calls"
        f" WHERE time_ms >= {step} AND time_ms < :end) FROM hops WHERE at IS NOT NULL)"
        " SELECT (SELECT max(time_ms) || ' ' || sum(cost) || ' ' || sum(coalesce(credits, 0)) FROM calls WHERE"
        f" time_ms >= at AND time_ms < min(:end, {step}) AND cost IS NOT NULL AND rate_id IN"
        f" ({_list(row[0] for row in rates)})) FROM hops",
        {"start": start_ms, "end": end_ms},
    )
    return [(int(time), int(cost), int(points)) for time, cost, points in (row[0].split() for row in rows if row[0])]


def limits_at(index: Index, uids: Iterable[int]) -> dict[int, list[tuple[str | None, int, float, int | None]]]:
    """The last allowance snapshot that the log of each call (by uid) holds before its next call: (limit id, minutes,
    used percent, resets at (s)). A snapshot stands on a call's own usage line or a little behind it, never before."""
    found = defaultdict(list)
    following = "(SELECT min(n.position) FROM calls n WHERE n.file_id = c.file_id AND n.position > c.position)"
    for uid, *limit in index.sql.execute(
        "SELECT c.uid, w.limit_id, w.minutes, w.used_percent, w.resets_at FROM calls c CROSS JOIN windows w"
        " ON w.file_id = c.file_id AND w.position = (SELECT max(v.position) FROM windows v WHERE v.file_id = c.file_id"
        f" AND v.position < coalesce({following}, 1 << 62)) WHERE c.uid IN ({_list(uids)}) AND w.minutes > 0"
        " ORDER BY w.minutes"
    ):
        found[uid].append(tuple(limit))
    return found


def quality(index: Index) -> Quality:
    """What was read and what had to be skipped."""
    one = index.sql.execute
    skipped = dict(one("SELECT key, sum(value) FROM files, json_each(skipped) GROUP BY 1").fetchall())
    problems = [row[0] for row in one("SELECT problem FROM files WHERE problem IS NOT NULL")]
    files = one("SELECT (SELECT count(*) FROM files) - (SELECT count(*) FROM files WHERE read = 0)").fetchone()[0]
    return Quality(files, call_count(index), skipped, problems)


def call_count(index: Index) -> int:
    """All calls; to count them one by one would take a third of a second a million."""
    return int(index.sql.execute("SELECT coalesce(sum(calls), 0) FROM days").fetchone()[0])


def newest_logs(index: Index, count: int) -> dict[str, list[int]]:
    """The paths of the logs that were written last, with the size, time and inode at which they were read."""
    rows = index.sql.execute("SELECT path, size, mtime_ns, inode FROM files ORDER BY mtime_ns DESC LIMIT ?", (count,))
    return {path: state for path, *state in rows}


def newest_call(index: Index) -> int | None:
    """The time of the newest call."""
    newest: int | None = index.sql.execute("SELECT max(last_ms) FROM days").fetchone()[0]
    return newest


#: A thread among those that another one led to; `relation` is self, subagent, guardian, review or fork, `link` is exact
#: or inferred, `depth` 1 is directly. `key` is its row's id.
Relation = namedtuple("Relation", "key uuid relation link depth")


def relations(index: Index, thread: str) -> list[Relation]:
    """A thread itself, then what it led to, nearest first and each once. Of forks only their forks are followed: what
    they caused is their own work.

    Reviews of versions that log no parent are linked by folder and the nearest time of a review mode."""
    edges: defaultdict[str, list[tuple[int, str, str, str]]] = defaultdict(list)
    for key, uuid, role, parent, forked_from in index.sql.execute(
        "SELECT id, uuid, role, parent, forked_from FROM threads WHERE parent IS NOT NULL OR forked_from IS NOT NULL"
        " ORDER BY created_ms, uuid"
    ):
        fork = role == "user" and forked_from is not None
        relation = "fork" if fork else "subagent" if role == "user" else role
        link = "exact" if fork or parent else "inferred"
        edges[forked_from if fork else parent or forked_from].append((key, uuid, relation, link))
    for parent, key, uuid, _ in index.sql.execute(
        "SELECT p.uuid, c.id, c.uuid, min(abs(c.created_ms - r.started_ms)) FROM reviews r JOIN files f"
        " ON f.id = r.file_id JOIN threads p ON p.uuid = f.thread JOIN threads c ON c.role = 'review'"
        " AND c.parent IS NULL AND c.cwd = p.cwd AND c.id <> p.id AND c.created_ms BETWEEN r.started_ms - 1000"
        " AND coalesce(r.ended_ms, r.started_ms + 3600000) GROUP BY c.id ORDER BY c.created_ms, c.uuid"
    ):
        edges[parent].append((key, uuid, "review", "inferred"))
    own = index.sql.execute("SELECT id FROM threads WHERE uuid = ?", (thread,)).fetchone()[0]
    found = [Relation(own, thread, "self", "exact", 0)]
    seen = {thread}
    for one in found:  # grows as it goes
        for key, uuid, relation, link in edges[one.uuid]:
            if uuid not in seen and (one.relation != "fork" or relation == "fork"):
                seen.add(uuid)
                found.append(Relation(key, uuid, relation, link, one.depth + 1))
    return found


def thread_sums(index: Index, keys: Iterable[int]) -> dict[int, GroupRow]:
    """Sums over all time of those of some threads (by row id) that have calls."""
    source = _Source(index, Scope(), Filters(), ("thread",))
    text = source.select(["d.thread_id", *_sums(index, "1")], f" WHERE d.thread_id IN ({_list(keys)}) GROUP BY 1")
    return {row[0]: GroupRow._make((row[:1], (), *row[1:])) for row in index.sql.execute(text)}


#: A turn with the sums of its calls; `cost` in nano-dollars, None where no call has a price. `parent` and `root` are
#: the turns that caused it, where its log names them.
TurnRow = namedtuple("TurnRow", "thread key started_ms outcome parent root calls cost")


def turn_rows(index: Index, keys: Iterable[int]) -> list[TurnRow]:
    """The turns of some threads (by row id), oldest first, also those without calls of their own."""
    among = f"thread_id IN ({_list(keys)})"
    files = f"SELECT f.id FROM files f JOIN threads h ON h.uuid = f.thread WHERE h.id IN ({_list(keys)})"
    rows = index.sql.execute(
        "SELECT x.thread_id, x.key, coalesce(t.started_ms, min(x.first_ms), t.ended_ms) AS began,"
        " coalesce(t.outcome, 'open'), t.parent_key, t.root_key, sum(x.calls), sum(x.cost) FROM"
        " (SELECT thread_id, file_id, turn_key AS key, min(time_ms) AS first_ms, count(*) AS calls, sum(cost) AS cost"
        f" FROM calls WHERE {among} AND turn_key IS NOT NULL GROUP BY 1, 2, 3 UNION ALL"
        f" SELECT thread_id, file_id, key, NULL, 0, NULL FROM turns WHERE file_id IN ({files}) AND {among}) x"
        " LEFT JOIN turns t ON t.file_id = x.file_id AND t.key = x.key"
        " GROUP BY x.thread_id, x.file_id, x.key ORDER BY began, x.key"
    )
    return [TurnRow(*row) for row in rows]


#: A call of a thread, as its story is told by.
Step = namedtuple("Step", "uid time_ms turn input cached compaction")


def steps(index: Index, key: int) -> list[Step]:
    """The calls of a thread (by row id), oldest first."""
    rows = index.sql.execute(
        "SELECT uid, time_ms, turn_key, input, cached, compaction FROM calls WHERE thread_id = ?"
        " ORDER BY time_ms, position, uid",
        (key,),
    )
    return [Step(*row) for row in rows]
