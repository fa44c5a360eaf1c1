"""A home whose calls stand in the test's view, and questions about it.

    with asking(home([Spent(at="2026-11-14T09:00Z", input=1000)])) as context: ...

Each `Spent` is one billed call; calls of the same `thread` share a log. Days are those of `zone`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from codex_usage.answers import Context, make_context
from codex_usage.homes import Places
from codex_usage.index import open_index, refresh
from tests.support.index import places_of
from tests.support.rollouts import Rollout, uuid7

#: Saturday noon; weeks begin on Mondays, so this week is 2026-11-16..21.
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Spent:
    """One billed call. `thread` is a number that stands for its thread, `folder` its working folder's name."""

    at: str = "2026-11-21T09:00Z"
    thread: int = 1
    model: str = "gpt-5.5"
    effort: str | None = None
    folder: str = "demo"
    input: int = 1000
    cached: int = 0
    output: int = 10
    reasoning: int = 0
    tier: str | None = None
    limits: dict[str, Any] | None = None

    @property
    def ms(self) -> int:
        """The time in milliseconds."""
        return int(datetime.fromisoformat(self.at).timestamp() * 1000)


def thread_id(number: int) -> str:
    """The id of a thread by its number."""
    return uuid7(1_795_000_000_000 + number * 86_400_000, number)


def home(folder: Path, spent: Iterable[Spent]) -> Places:
    """Write a home's logs: a turn for every call, a log for every thread."""
    logs: dict[int, Rollout] = {}
    for call in sorted(spent, key=lambda call: call.ms):
        log = logs.get(call.thread)
        if log is None:
            log = logs[call.thread] = Rollout(
                thread=thread_id(call.thread), now=call.ms, cwd=f"/home/dev/{call.folder}", limits={}
            )
        log.now = max(call.ms, log.now)
        log.limits = call.limits or {}
        log.turn(model=call.model, effort=call.effort)
        log.call(took=0, input=call.input, cached=call.cached, output=call.output, reasoning=call.reasoning).end()
    (folder / "home" / "sessions").mkdir(parents=True, exist_ok=True)
    for log in logs.values():
        log.write(folder / "home")
    return places_of(folder / "home", data=folder)


@contextmanager
def asking(places: Places, *, zone: str = "UTC", tz: str | None = None, now: datetime = NOW) -> Iterator[Context]:
    """An up-to-date index whose days are those of `zone`, and a context that asks in the zone `tz` (or the same)."""
    with pytest.MonkeyPatch.context() as patch, open_index(places.index) as index:
        patch.setenv("CODEX_USAGE_TZ", zone)
        refreshed = refresh(index, places)
        yield make_context(index, tz, now, refreshed)


def sums_of(sums: Any) -> tuple[int, ...]:
    """What must add up, from an answer's sums: tokens to the last one, money to the cent (rows are rounded)."""
    return (
        sums.calls,
        sums.turns,
        sums.input_tokens,
        sums.cached_input_tokens,
        sums.uncached_input_tokens,
        sums.output_tokens,
        sums.reasoning_output_tokens,
        sums.total_tokens,
        sums.unpriced_calls,
        sums.compactions,
    )


def dollars(parts: Iterable[Any]) -> float:
    """The cost of some sums together."""
    return pytest.approx(sum(part.cost_usd or 0 for part in parts), abs=1e-4)  # type: ignore[no-any-return]
