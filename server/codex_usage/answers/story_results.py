"""The result of `session`: one thread with its story, its turns and what it led to."""

from __future__ import annotations

from codex_usage.answers.results import CallLine, Coverage, SummaryRow, ThreadLine, _Result


class Relative(_Result):
    """A thread that another one led to. `relation` is subagent, guardian, review or fork, `link` is exact (logged) or
    inferred, `depth` 1 is directly."""

    thread_id: str
    relation: str
    link: str
    depth: int
    calls: int
    cost_usd: float | None
    credits: float | None


class TurnCost(_Result):
    """A turn with its own calls, and what it caused in other threads (None where no log of theirs names turns)."""

    turn_id: str
    started: str | None
    calls: int
    cost_usd: float | None
    delegated_usd: float | None
    with_delegated_usd: float | None
    outcome: str


class Signal(_Result):
    """Something that stands out in the life of a thread. `value` and `previous` are dollars, tokens or, of cache_trend,
    shares from 0 to 1."""

    signal: str
    at: str | None
    call_id: str | None
    turn_id: str | None
    value: float | None
    previous: float | None
    text: str


class Session(_Result):
    """One thread as a whole, with what it caused. `with_children_usd` holds everything below it but forks."""

    thread: ThreadLine
    children: list[Relative]
    with_children_usd: float | None
    story: list[Signal]
    turns: list[TurnCost]
    models: list[SummaryRow]
    zone: str
    turn_outcomes: dict[str, int]
    turn_ms_median: int | None
    turn_ms_p95: int | None
    first_token_ms_median: int | None
    costly_calls: list[CallLine]
    coverage: Coverage
    data_quality: str
