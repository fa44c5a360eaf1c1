"""Why something changed: planted causes are named first, and all causes add up to the change."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_usage import answers
from codex_usage.answers import Context, Explanation
from codex_usage.answers.drivers import DRIVERS, Cell, Prices, Side, split_change, totals_of
from codex_usage.answers.explain import explain
from codex_usage.homes import Places
from codex_usage.model import BadInput
from tests.support.causes import BASELINE, DEAR, PERIOD, plant
from tests.support.spending import Spent, asking, home

NOW = datetime(2026, 11, 22, 0, 30, tzinfo=UTC)


def explained(
    places: Places, period: str | None = PERIOD, baseline: str | None = BASELINE, **options: Any
) -> Explanation:
    """The explanation of the second week, held against the first."""
    with pytest.MonkeyPatch.context() as patch, asking_own(patch, places, options.pop("now", NOW)) as context:
        span = None if period is None else context.period(period)
        return explain(context, span, baseline and context.period(baseline), **options)


def asking_own(patch: pytest.MonkeyPatch, places: Places, now: datetime) -> AbstractContextManager[Context]:
    """Ask with the user's own folder beside the home: a planted price stands there."""
    patch.setenv("CODEX_USAGE_HOME", str(places.data / "own"))
    return asking(places, now=now)


def delta(answer: Explanation, driver: str) -> float:
    """A driver's part of the change."""
    return next(one.delta for one in answer.drivers if one.driver == driver)


CAUSES = {
    "turns": (1.7, 2.4, 4.0),
    "calls_per_turn": (1.5, 2.0, 4.0),
    "delegation": (4.0, 7.0, 12.0),
    "context_size": (1.4, 2.0, 3.0),
    "cache_misses": (2.0, 3.5, 6.0),
    "output": (2.0, 4.0, 8.0),
    "model_mix": (0.5, 0.75, 1.0),
    "service_tier": (0.25, 0.5, 1.0),
    "long_context": (0.03, 0.06, 0.12),
    "price": (1.5, 2.0, 3.0),
}


@pytest.mark.parametrize(("cause", "strength"), [(name, each) for name, all_ in CAUSES.items() for each in all_])
def test_a_planted_cause_is_named_first_and_the_causes_add_up(tmp_path: Path, cause: str, strength: float) -> None:
    answer = explained(plant(tmp_path, seed=hash_of(cause, strength), **{cause: strength}))
    assert answer.drivers[0].driver == cause, answer.model_dump_json(indent=1)
    assert sum(one.delta for one in answer.drivers) == pytest.approx(answer.change.delta, abs=0.005)
    assert answer.drivers[0].share > 0.6
    assert answer.unusual
    assert cause.replace("_", " ") in answer.headline
    assert [one.driver for one in answer.drivers] == sorted(
        DRIVERS, key=lambda name: [one.driver for one in answer.drivers].index(name)
    )


def hash_of(cause: str, strength: float) -> int:
    """A seed of its own for each case, the same in every run."""
    return sum(map(ord, cause)) + int(strength * 100)


def test_nothing_planted_is_nothing_unusual(tmp_path: Path) -> None:
    for seed in range(4):
        places = plant(tmp_path / str(seed), seed=seed)
        week = explained(places)
        assert week.headline.startswith("Nothing unusual in 2026-11-15..2026-11-21: $"), week.headline
        calm = explained(places, None, None).headline
        assert calm.startswith("Nothing unusual in the last 30 days; the last seven: $"), calm


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"context_size": 2.0}, {"output": 3.0}),
        ({"cache_misses": 5.0}, {"turns": 1.34}),
        ({"model_mix": 1.0}, {"calls_per_turn": 1.34}),
        ({"price": 3.0}, {"delegation": 2.0}),
    ],
)
def test_two_causes_come_in_their_order_with_what_each_makes_by_itself(
    tmp_path: Path, first: dict[str, float], second: dict[str, float]
) -> None:
    both = explained(plant(tmp_path / "both", noise=0.0, **first, **second))
    alone = [explained(plant(tmp_path / str(n), noise=0.0, **one)).change for n, one in enumerate((first, second))]
    whole = both.change.delta
    names = [next(iter(one)) for one in (first, second)]
    assert [one.driver for one in both.drivers[:2]] == names
    # what a cause makes is between its effect alone and its effect on top of the other: the mean of the two
    for name, own, other in zip(names, alone, reversed(alone), strict=True):
        wanted = (own.delta + whole - other.delta) / 2
        assert delta(both, name) == pytest.approx(wanted, rel=0.1), name


def test_who_is_behind_a_cause_is_told_by_ids(tmp_path: Path) -> None:
    calls = [Spent(at=f"2026-11-{day:02d}T09:{n:02d}Z", thread=day, input=50_000, cached=45_000)
             for day in range(1, 21) for n in range(6)]  # fmt: skip
    spike = [Spent(at=f"2026-11-20T14:{n:02d}Z", thread=99, folder="ledger", input=250_000) for n in range(9)]
    answer = explained(home(tmp_path, [*calls, *spike]), None, None, now=datetime(2026, 11, 21, 12, tzinfo=UTC))
    assert answer.headline.startswith("Fri 2026-11-20 14:00 to 15:00: $")
    assert (answer.period.start, answer.period.end) == ("2026-11-20", "2026-11-20")
    assert (answer.period.first, answer.period.last) == ("2026-11-20T14:00:00.000Z", "2026-11-20T15:00:00.000Z")
    assert answer.per_day
    (thread, *_) = answer.contributors["thread"]
    assert thread.id.endswith("000000000063")
    assert thread.delta == pytest.approx(9 * (0.25 * 5 + 0.0003), rel=0.01)
    assert answer.contributors["project"][0].id == "ledger"
    for one in answer.drivers:
        if one.driver in ("context_size", "cache_misses") and one.delta > 1:
            assert one.top[0].id == thread.id
            assert [part.kind for part in one.top][-2:] == ["call", "call"]
            assert all((part.delta or 0) > 0 for part in one.top), one
    assert f"Thread {thread.id[-8:]} makes $" in answer.headline


def test_a_changed_effort_is_named(tmp_path: Path) -> None:
    calls = [
        Spent(at=f"2026-11-{day:02d}T09:00Z", thread=day, effort="high" if day > 14 else "medium",
              output=4000 if day > 14 else 800)
        for day in range(8, 22)
    ]  # fmt: skip
    answer = explained(home(tmp_path, calls))
    assert answer.drivers[0].driver == "output"
    assert answer.drivers[0].because == (
        "gpt-5.5 calls wrote 4,000 output tokens instead of 800; effort went from medium to high."
    )


# -- edges -------------------------------------------------------------------------------------------------


def test_against_nothing_all_is_turns_and_after_everything_too(tmp_path: Path) -> None:
    for name, days in (("late", range(15, 22)), ("early", range(8, 15))):
        calls = [Spent(at=f"2026-11-{day:02d}T09:00Z", thread=day, input=200_000) for day in days]
        answer = explained(home(tmp_path / name, calls))
        assert answer.drivers[0].driver == "turns"
        assert answer.drivers[0].delta == pytest.approx(answer.change.delta)
        assert answer.change.percent == (None if name == "late" else -100.0)


def test_nothing_at_all_is_an_answer(tmp_path: Path) -> None:
    answer = explained(home(tmp_path, []), None, None)
    assert answer.headline == "Nothing unusual in the last 30 days; the last seven: $0.00, as much as the baseline."
    assert [one.delta for one in answer.drivers] == [0.0] * 10


def test_a_new_model_speaks_through_the_mix_only(tmp_path: Path) -> None:
    calls = [Spent(at=f"2026-11-{day:02d}T09:{n:02d}Z", thread=day, model="gpt-6-sol", input=90_000, output=0)
             for day in range(8, 22) for n in range(4)]  # fmt: skip
    new = [Spent(at=f"2026-11-{day:02d}T09:{n:02d}Z", thread=day, model=DEAR if n == 3 else "gpt-6-sol",
                 input=90_000, output=0) for day in range(15, 22) for n in range(4)]  # fmt: skip
    answer = explained(home(tmp_path, [*calls[:28], *new]))
    assert [one.driver for one in answer.drivers if one.delta] == ["model_mix"]
    assert answer.drivers[0].because == "25% of direct calls were on gpt-5.5 instead of 0%."


def test_calls_without_a_price_change_no_money_and_are_told(tmp_path: Path) -> None:
    calls = [Spent(at=f"2026-11-{day:02d}T09:00Z", thread=day, input=90_000) for day in range(8, 22)]
    unknown = [Spent(at=f"2026-11-{day:02d}T10:00Z", thread=50, model="nobody") for day in range(15, 22)]
    places = home(tmp_path, [*calls, *unknown])
    answer = explained(places)
    assert answer.change.delta == pytest.approx(0.0, abs=0.005)
    assert answer.data_quality.unpriced_calls == 7
    assert "nobody" in answer.data_quality.line
    tokens = explained(places, metric="total_tokens")
    assert tokens.change.delta == 7 * 1010


def test_one_giant_call_is_explained(tmp_path: Path) -> None:
    calls = [Spent(at=f"2026-11-{day:02d}T09:00Z", thread=day, input=20_000) for day in range(8, 22)]
    giant = Spent(at="2026-11-18T11:00Z", thread=77, input=1_000_000, output=100_000)
    answer = explained(home(tmp_path, [*calls, giant]))
    assert sum(one.delta for one in answer.drivers) == pytest.approx(answer.change.delta, abs=0.005)
    assert answer.contributors["thread"][0].id.endswith("00000000004d")


def test_windows_of_other_lengths_are_compared_per_day(tmp_path: Path) -> None:
    places = plant(tmp_path, noise=0.0)
    answer = explained(places, "2026-11-15..2026-11-15", BASELINE)
    assert answer.per_day
    assert answer.change.start == pytest.approx(answer.change.end, rel=0.35)


@pytest.mark.parametrize("metric", ["cost_usd", "credits", "total_tokens"])
def test_every_metric_adds_up_and_equals_the_summary(tmp_path: Path, metric: str) -> None:
    places = plant(tmp_path, service_tier=0.5, context_size=1.5)
    answer = explained(places, metric=metric)
    with asking(places, now=NOW) as context:
        total = answers.summary(context, context.period(PERIOD)).total
    assert answer.change.end == pytest.approx(getattr(total, metric), abs=0.005)
    assert sum(one.delta for one in answer.drivers) == pytest.approx(answer.change.delta, abs=0.005)
    if metric == "credits":
        assert delta(answer, "service_tier") > 0
    if metric == "total_tokens":
        assert next(one.driver for one in answer.drivers if abs(one.delta) > 1e-6) == "context_size"
        assert delta(answer, "price") == delta(answer, "cache_misses") == 0


def test_a_filter_explains_only_what_it_lets_through(tmp_path: Path) -> None:
    from codex_usage.index import Filters

    places = plant(tmp_path, price=2.0)
    cheap = explained(places, filters=Filters(model="gpt-6-sol"))
    assert not cheap.unusual
    assert delta(cheap, "price") == 0
    assert explained(places, filters=Filters(model=DEAR)).drivers[0].driver == "price"


def test_what_cannot_be_explained_is_refused_with_its_mend(tmp_path: Path) -> None:
    places = home(tmp_path, [Spent()])
    with pytest.raises(BadInput, match="Cannot explain 'joy'; use cost_usd, credits, total_tokens"):
        explained(places, metric="joy")
    with pytest.raises(BadInput, match="A baseline needs a beginning and an end"):
        explained(places, PERIOD, "all")
    with pytest.raises(BadInput, match="Give a period with that baseline"):
        explained(places, "all", BASELINE)


def test_the_json_has_the_documented_names(tmp_path: Path) -> None:
    shown = json.loads(explained(plant(tmp_path, output=3.0)).model_dump_json())
    assert set(shown) == {
        "headline", "unusual", "metric", "period", "baseline", "per_day", "change", "drivers", "contributors",
        "data_quality", "next", "privacy_mode",
    }  # fmt: skip
    assert {"from", "to"} <= set(shown["period"]) and {"from", "to", "delta", "percent"} == set(shown["change"])
    assert {one["driver"] for one in shown["drivers"]} == set(DRIVERS)
    assert set(shown["contributors"]) == {"thread", "project", "model"}


# -- the arithmetic ----------------------------------------------------------------------------------------

amounts = st.floats(0, 1e6, allow_nan=False, width=32)


@st.composite
def sides(draw: st.DrawFn) -> Side:
    """A window of some roles and models."""
    cells: dict[tuple[str, str], Cell] = {}
    for key in draw(st.sets(st.tuples(st.sampled_from(["direct", "delegated"]), st.sampled_from("abc")), max_size=4)):
        calls, size = draw(st.integers(1, 50)), draw(st.floats(0, 1e5, width=32))
        cached = size * draw(st.floats(0, 1, width=32))
        written = (size - cached) * draw(st.floats(0, 1, width=32))
        output = draw(st.floats(0, 1e4, width=32))
        prices = Prices(*(draw(st.floats(0.125, 50, width=32)) for _ in range(4)))
        base = (size - cached - written) * prices.plain + cached * prices.cached + written * prices.written
        base += output * prices.output
        long, tier = base * draw(st.floats(0, 2, width=32)), base * draw(st.floats(0, 2, width=32))
        cells[key] = Cell()
        cells[key].add((calls, size, cached, written, output), (base + long + tier, long, tier), prices, 1.0)
    return Side(draw(st.integers(0 if not cells else 1, 40)), cells)


def totals(old: Side, new: Side) -> dict[str, float]:
    """Each driver's part of the change."""
    return totals_of(split_change(old, new), new.amount - old.amount)


@given(sides(), sides())
def test_the_parts_add_up_whatever_the_windows(old: Side, new: Side) -> None:
    change, most = new.amount - old.amount, max(old.amount, new.amount, 1.0)
    parts = split_change(old, new)
    assert sum(sum(each.values()) for each in parts.values()) == pytest.approx(change, abs=1e-6 * most)
    assert sum(totals(old, new).values()) == pytest.approx(change, abs=1e-9 * most)


@given(sides(), sides())
def test_swapping_the_windows_flips_the_signs(old: Side, new: Side) -> None:
    there, back = totals(old, new), totals(new, old)
    most = max(old.amount, new.amount, 1.0)
    assert all(there[name] == pytest.approx(-back[name], abs=1e-6 * most) for name in DRIVERS)


@given(sides())
def test_a_window_against_itself_has_no_causes(side: Side) -> None:
    assert all(value == 0 for value in totals(side, side).values())


@given(sides(), st.integers(2, 5))
def test_a_factor_that_did_not_move_has_no_part(side: Side, times: int) -> None:
    more = Side(side.turns * times, {
        key: _times(cell, times) for key, cell in side.cells.items()
    })  # fmt: skip
    parts = totals(side, more)
    most = max(more.amount, 1.0)
    assert all(abs(value) <= 1e-6 * most for name, value in parts.items() if name != "turns")


def _times(cell: Cell, times: int) -> Cell:
    made = Cell()
    tokens = (cell.calls, cell.input, cell.cached, cell.written, cell.output)
    made.add(tokens, (cell.amount, cell.long, cell.tier), cell.prices, times)
    return made


def test_the_order_of_logs_changes_nothing(tmp_path: Path) -> None:
    first = explained(plant(tmp_path / "a", context_size=2.0, delegation=2.0))
    again = explained(plant(tmp_path / "b", context_size=2.0, delegation=2.0))
    assert first == again
