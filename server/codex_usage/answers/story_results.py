"""The result of `session`: one thread with its story, its turns and what it led to."""

from typing import ClassVar

from codex_usage.answers.results import Answer, CallLine, Coverage, SummaryRow, ThreadLine, _Result
from codex_usage.model.privacy import Identity, Label, Text


class Relative(_Result):
    """A thread that another one led to. `relation` is subagent, guardian, review or fork, `link` is exact (logged) or
    inferred, `depth` 1 is directly."""

    thread_id: Identity
    relation: Label
    link: Label
    depth: int
    calls: int
    cost_usd: float | None
    credits: float | None


class TurnCost(_Result):
    """A turn with its own calls, and what it caused in other threads (None where no log of theirs names turns)."""

    turn_id: Identity
    started: Label | None
    calls: int
    cost_usd: float | None
    delegated_usd: float | None
    with_delegated_usd: float | None
    outcome: Label


class Signal(_Result):
    """Something that stands out in the life of a thread. `value` and `previous` are dollars, tokens or, of cache_trend,
    shares from 0 to 1."""

    signal: Label
    at: Label | None
    call_id: Identity | None
    turn_id: Identity | None
    value: float | None
    previous: float | None
    text: Text


class Session(Answer):
    """One thread as a whole, with what it caused. `with_children_usd` holds everything below it but forks; `context` is
    the input of its calls in their order, of a long thread the largest of each of 60 parts."""

    by: ClassVar = ["model"]  # what the labels of `models` are
    thread: ThreadLine
    children: list[Relative]
    with_children_usd: float | None
    story: list[Signal]
    context: list[int]
    turns: list[TurnCost]
    models: list[SummaryRow]
    zone: Label
    turn_outcomes: dict[Label, int]
    turn_ms_median: int | None
    turn_ms_p95: int | None
    first_token_ms_median: int | None
    costly_calls: list[CallLine]
    coverage: Coverage
    data_quality: Text
