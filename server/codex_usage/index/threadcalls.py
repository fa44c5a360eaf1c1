"""The dearest threads of a period and their calls in order, bounded, for diagnosis and advice."""

from __future__ import annotations

from typing import NamedTuple

from codex_usage.index.database import Index
from codex_usage.index.queries import Filters, Scope, _Source, between, conditions_of
from codex_usage.model import Tokens

_ALL, _EVER = Filters(), Scope()


class ThreadHead(NamedTuple):
    """A thread and its sums in a scope; `cost` in nano-dollars."""

    key: int
    uuid: str
    name: str | None
    role: str
    parent: str | None
    project: str
    calls: int
    cost: int


class ThreadCall(NamedTuple):
    """One call of a thread. Money is in nanos, None where no price is known; `outcome` is that of its turn unless it
    completed; `counted`: does it belong to the scope and filters that were asked for?"""

    uid: int
    time_ms: int
    model: str
    effort: str
    tier: str
    origin: int
    input: int
    cached: int
    cache_write: int
    output: int
    reasoning: int
    cache_write_1h: int
    context_window: int | None
    gap_ms: int | None
    compaction: int
    rate: int
    cost: int | None
    credits: int | None
    long_cost: int
    tier_cost: int
    turn: str | None
    turn_first: int
    outcome: str | None
    counted: int

    @property
    def tokens(self) -> Tokens:
        """Its token classes."""
        return Tokens.of(self[6:11])

    def sending(self, size: int, cached: int) -> Tokens:
        """Its tokens with a context of another size, of which no more than all is cached."""
        return Tokens.of((size, min(cached, size), self.cache_write, self.output, self.reasoning))


def dear_threads(index: Index, scope: Scope, filters: Filters = _ALL, limit: int = 60) -> list[ThreadHead]:
    """The threads of the dearest families (a thread and what it caused) of a scope, each family's dearest first;
    families are those among the 600 dearest threads."""
    source = _Source(index, scope, filters, threads=True)
    sums = source.select(
        ["d.thread_id AS thread", "min(d.project_id) AS project", "sum(calls) AS calls", "sum(cost) AS cost"],
        " GROUP BY 1 ORDER BY 4 DESC, 1 LIMIT 600",
    )
    family = "coalesce(t.parent, t.uuid)"
    rows = index.sql.execute(
        "SELECT t.id, t.uuid, t.name, t.role, t.parent, p.label, s.calls, s.cost"
        f" FROM ({sums}) s JOIN threads t ON t.id = s.thread JOIN projects p ON p.id = s.project"
        f" ORDER BY sum(s.cost) OVER (PARTITION BY {family}) DESC, {family}, s.cost DESC, t.id LIMIT ?",
        [*source.parameters, limit],
    )
    return [ThreadHead(*row) for row in rows]


_CALL = """SELECT d.uid, d.time_ms, coalesce(m.text, ''), coalesce(e.text, ''), coalesce(s.text, ''), d.origin, d.input,
  d.cached, d.cache_write, d.output, d.reasoning, d.cache_write_1h, d.context_window, d.gap_ms, d.compaction,
  d.rate_id, d.cost, d.credits, d.long_cost, d.tier_cost, d.turn_key, d.turn_first, nullif(t.outcome, 'completed'), {}
  FROM calls d LEFT JOIN names m ON m.id = d.model_id LEFT JOIN names e ON e.id = d.effort_id
  LEFT JOIN names s ON s.id = d.tier_id LEFT JOIN turns t ON t.file_id = d.file_id AND t.key = d.turn_key"""


def neighbours(index: Index, uid: int) -> list[ThreadCall | None]:
    """A call between the one before it and the one after it in its thread, also where times are the same."""
    near = """SELECT uid FROM calls WHERE thread_id = x.thread_id AND day {0}= x.day
      AND (time_ms, id) {0} (x.time_ms, x.id) ORDER BY day {1}, time_ms {1}, id {1} LIMIT 1"""
    uids = f"SELECT ({near.format('<', 'DESC')}), uid, ({near.format('>', 'ASC')}) FROM calls x WHERE uid = ?"
    found = index.sql.execute(uids, (uid,)).fetchone()
    calls = {row[0]: ThreadCall(*row) for row in index.sql.execute(f"{_CALL.format(1)} WHERE uid IN (?, ?, ?)", found)}
    return [calls.get(one) for one in found]


def thread_calls(
    index: Index, thread: int, scope: Scope = _EVER, filters: Filters = _ALL, most: int = 2000
) -> tuple[int, list[ThreadCall]]:
    """The last calls of a thread up to the scope's end, oldest first, also those before its beginning; and how many
    came before these. When some did, the first one is there as the next one's predecessor only: it isn't counted."""
    conditions, parameters = conditions_of(index, filters)
    counted = " AND ".join([*between("d.time_ms", scope.start_ms, scope.end_ms), *conditions]) or "1"
    before = "".join(f" AND {part}" for part in between("d.time_ms", None, scope.end_ms))
    text = f"{_CALL.format(counted)} WHERE d.thread_id = ?{before} ORDER BY d.day DESC, d.id DESC LIMIT ?"
    found = index.sql.execute(text, [*parameters, thread, most])
    calls = [tuple.__new__(ThreadCall, row) for row in found][::-1]  # a third of the time of _make
    least = calls[0].uid if calls else None
    calls.sort(key=lambda call: call.time_ms)  # the index has them by day, and of a day as they were read
    if len(calls) < most:
        return 0, calls
    calls[0] = calls[0]._replace(counted=0)
    earlier = (
        "SELECT (SELECT count(*) FROM calls d WHERE d.thread_id = c.thread_id AND d.day = c.day AND d.id < c.id)"
        " + (SELECT coalesce(sum(d.calls), 0) FROM thread_days d WHERE d.thread_id = c.thread_id AND d.day < c.day)"
        " FROM calls c WHERE uid = ?"
    )
    return index.sql.execute(earlier, (least,)).fetchone()[0], calls


def spread(index: Index, word: str, scope: Scope, filters: Filters, zone: str) -> list[tuple[int, int]]:
    """(cost in nano-dollars, tokens) of each group by a grouping word."""
    source = _Source(index, scope, filters, (word,), zone)
    group = f" GROUP BY {source.keys((word,))[0]}"
    return index.sql.execute(source.select(["sum(cost)", "sum(input + output)"], group), source.parameters).fetchall()


def pauses(index: Index, newest: int) -> list[tuple[int, bool]]:
    """Of the newest calls those after a pause of a minute or more: its length (ms), and whether at least half of the
    input came from the cache all the same."""
    rows = index.sql.execute(
        "SELECT gap_ms, 2 * cached >= input FROM"
        " (SELECT gap_ms, cached, input FROM calls ORDER BY time_ms DESC LIMIT ?)"
        " WHERE gap_ms >= 60000 AND input >= 2048",
        (newest,),
    )
    return [(gap, bool(reused)) for gap, reused in rows]
