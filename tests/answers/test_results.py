"""Answers are made unchecked, so they are read back strictly here: every field there, of its type, and of no other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_usage.answers import Context
from codex_usage.answers.questions import Asked, ask
from codex_usage.answers.story import largest
from codex_usage.cli.demo import write_demo_home
from codex_usage.homes import Places
from codex_usage.index.queries import Step
from codex_usage.model.questions import GROUP_WORDS, QUESTIONS
from tests.support.index import places_of
from tests.support.spending import Spent, asking, home

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIMITS = {
    "primary": {"used_percent": 20.0, "window_minutes": 300, "resets_at": 1_795_270_000},
    "secondary": {"used_percent": 40.0, "window_minutes": 10_080, "resets_at": 1_795_500_000},
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Context, Places]]:
    """Forty-five days with a spike, subagents, compactions, tools and an allowance."""
    folder = tmp_path_factory.mktemp("demo")
    write_demo_home(folder / "codex", now=NOW)
    places = places_of(folder / "codex", data=folder)
    with asking(places, now=NOW) as context:
        yield context, places


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Context, Places]]:
    """Calls without a price, an effort or a cache, and an allowance seen once."""
    spent = [Spent(model="nobody-knows", input=0, output=0), Spent(thread=2, effort="high", limits=LIMITS)]
    places = home(tmp_path_factory.mktemp("odd"), spent)
    with asking(places) as context:
        yield context, places


def arguments(name: str, context: Context) -> dict[str, Any]:
    """What a question needs to be asked about the costliest thread or call."""
    if name in ("session", "call"):
        rows = ask(context, Asked("calls", {"period": "all"})).rows  # type: ignore[attr-defined]
        return {"thread": rows[0].thread_id} if name == "session" else {"call": rows[0].call_id}
    values = {"summary": {"ytd": True, "by": ",".join(GROUP_WORDS)}, "diagnostics": {"scan": True}}
    return values.get(name, {}) | ({"period": "all"} if "period" in QUESTIONS[name].takes and name != "explain" else {})


@pytest.mark.parametrize("name", [name for name in QUESTIONS if name != "export"])
@pytest.mark.parametrize("calls", ["demo", "odd"])
def test_every_answer_is_what_its_type_says(name: str, calls: str, request: pytest.FixtureRequest) -> None:
    context, places = request.getfixturevalue(calls)
    answer = ask(context, Asked(name, arguments(name, context), places))
    again = type(answer).model_validate_json(answer.model_dump_json(), strict=True)
    assert again.model_dump() == answer.model_dump()
    assert set(vars(answer)) == set(type(answer).model_fields)


@given(st.lists(st.integers(0, 10**7), max_size=400))
def test_the_course_of_a_context_keeps_its_order_and_its_largest_call(sizes: list[int]) -> None:
    course = largest([Step(n, n, None, size, 0, 0) for n, size in enumerate(sizes)])
    assert len(course) <= 60
    assert max(course, default=0) == max(sizes, default=0)
    if len(sizes) <= 60:
        assert course == sizes
    if sizes == sorted(sizes):
        assert all(before <= after for before, after in pairwise(course))
