"""Money in answers: confidence, the user's own prices, pins, budgets, and what is left of the allowance."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from codex_usage import answers
from codex_usage.index import Filters
from codex_usage.model import BadInput
from tests.support.spending import NOW, Spent, asking, home, thread_id


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder, empty."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("CODEX_USAGE_HOME", str(folder))
    return folder


def write(folder: Path, name: str, content: Any) -> None:
    """One of the user's files."""
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


def limits(*windows: tuple[int, float, datetime | None], limit: str | None = "codex", **more: Any) -> dict[str, Any]:
    """A snapshot of windows as (minutes, used percent, reset)."""
    rows = [
        {"used_percent": used, "window_minutes": minutes, "resets_at": resets and int(resets.timestamp())}
        for minutes, used, resets in windows
    ]
    named = dict(zip(("primary", "secondary"), rows, strict=False))
    return {"primary": None, "secondary": None, **({"limit_id": limit} if limit else {}), **named, **more}


def day(number: int, hour: int = 9) -> str:
    """An hour of a day of November 2026 as logs write it."""
    return f"2026-11-{number:02d}T{hour:02d}:00Z"


# -- how sure ----------------------------------------------------------------------------------------------


def test_a_sum_tells_how_much_of_it_is_estimated(own: Path, tmp_path: Path) -> None:
    with asking(home(tmp_path, [Spent(input=1_000_000), Spent(model="codex-auto-review", input=1_000_000)])) as context:
        asked = answers.summary(context, context.period("all"))
    # 5.00 for the long context doubled, and 2.50 doubled
    assert (asked.total.cost_usd, asked.total.cost_confidence) == (pytest.approx(15.0, abs=0.01), "estimated")
    assert (asked.total.estimated_calls, asked.total.estimated_usd) == (1, pytest.approx(5.0, abs=0.01))
    assert asked.total.at_least is False
    assert "1 call estimated, $5.00 (codex-auto-review priced as gpt-5.4)" in asked.data_quality


def test_credits_of_a_sum_are_as_sure_as_their_least_sure_part(own: Path, tmp_path: Path) -> None:
    calls = [Spent(input=200_000, output=0), Spent(model="gpt-6-sol", input=200_000, output=0), Spent(model="nobody")]
    with asking(home(tmp_path, calls)) as context:
        total = answers.summary(context, context.period("all")).total
        exact = answers.summary(context, context.period("all"), filters=Filters(model="gpt-5.5")).total
        none = answers.summary(context, context.period("all"), filters=Filters(model="nobody")).total
    assert (exact.credits, exact.credit_confidence, exact.credits_at_least) == (25.0, "exact", False)
    assert (total.credits, total.credit_confidence, total.credits_at_least) == (35.0, "inferred", True)
    assert (none.credits, none.credit_confidence) == (None, "missing")


def test_calls_can_be_filtered_by_how_sure_their_price_is(own: Path, tmp_path: Path) -> None:
    models = ("gpt-5.5", "codex-auto-review", "nobody")
    with asking(home(tmp_path, [Spent(model=model) for model in models])) as context:
        found = {
            word: [row.model for row in answers.calls(context, context.period("all"), filters=only).rows]
            for word in ("exact", "estimated", "unpriced")
            if (only := Filters(confidence=word))
        }
        with pytest.raises(BadInput, match="Unknown confidence 'sure'; use exact, estimated, unpriced"):
            answers.summary(context, context.period("all"), filters=Filters(confidence="sure"))
    assert found == {"exact": ["gpt-5.5"], "estimated": ["codex-auto-review"], "unpriced": ["nobody"]}


def test_an_export_carries_cost_credits_and_their_grounds(own: Path, tmp_path: Path) -> None:
    with asking(home(tmp_path, [Spent(model="gpt-6-sol"), Spent(at=day(20), model="nobody")])) as context:
        unpriced, inferred = answers.export_rows(context, context.period("all"))
    assert (unpriced["cost_usd"], unpriced["cost_confidence"], unpriced["credit_confidence"]) == (
        None,
        "unpriced",
        "missing",
    )
    assert unpriced["cost_reason"] == "no price is known for nobody"
    assert (inferred["cost_confidence"], inferred["credit_confidence"]) == ("exact", "inferred")
    assert inferred["credits"] == pytest.approx(inferred["cost_usd"] * 25)


# -- prices that change ------------------------------------------------------------------------------------


def test_a_new_price_file_works_out_all_money_again_and_no_tokens(own: Path, tmp_path: Path) -> None:
    places = home(tmp_path, [Spent(at=day(14), input=100_000, output=0), Spent(at=day(20), input=100_000, output=0)])
    with asking(places) as context:
        before = answers.summary(context, context.period("all")).total
    write(own, "pricing.json", {"models": {"gpt-5.5": [{"from": "2026-11-15", "input": 4, "output": 24}]}})
    with asking(places) as context:
        assert context.refreshed.read_files == 0
        after = answers.summary(context, context.period("all"), by=["day"])
    assert (before.cost_usd, after.total.cost_usd) == (1.0, 0.9)
    assert [row.sums.cost_usd for row in after.rows] == [0.5, 0.4]
    money = ("cost_usd", "credits")
    assert before.model_dump(exclude=set(money)) == after.total.model_dump(exclude=set(money))
    (own / "pricing.json").unlink()
    with asking(places) as context:
        assert answers.summary(context, context.period("all")).total == before


def test_pinned_prices_outlive_a_change_of_the_price_data(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [Spent(input=300_000), Spent(model="gpt-6-sol"), Spent(model="codex-auto-review"), Spent(model="nobody")]
    places = home(tmp_path, calls)
    with asking(places) as context:
        before = answers.summary(context, context.period("all"))
        pinned = answers.pinned_prices(context)
    assert sorted(pinned) == ["codex-auto-review", "gpt-5.5", "gpt-6-sol"]
    write(own, "pricing.json", {"pinned": {"at": "2026-11-21T12:00:00Z", "source": "a test"}, "models": pinned})
    monkeypatch.setattr("codex_usage.money.prices._market", lambda *_: [])  # all public prices are gone
    with asking(places) as context:
        after = answers.summary(context, context.period("all"))
    assert after.total.cost_usd == before.total.cost_usd
    assert [(row.labels, row.sums.cost_usd) for row in after.rows] == [
        (row.labels, row.sums.cost_usd) for row in before.rows
    ]
    assert (after.total.unpriced_calls, after.total.estimated_calls) == (1, 1)


def test_pricing_coverage_names_the_source_and_the_least_sure_first(own: Path, tmp_path: Path) -> None:
    calls = [Spent(input=100_000), Spent(model="codex-auto-review"), Spent(model="nobody")]
    with asking(home(tmp_path, calls)) as context:
        asked = answers.pricing_coverage(context, context.period("all"))
    assert asked.source.startswith("genai-prices ")
    assert [(row.model, row.confidence) for row in asked.rows] == [
        ("codex-auto-review", "estimated"),
        ("nobody", "unpriced"),
        ("gpt-5.5", "exact"),
    ]
    exact = asked.rows[2]
    assert exact.usd and exact.credit
    assert (exact.usd.input, exact.usd.cached_input, exact.usd.output, exact.long_context) == (5.0, 0.5, 30.0, True)
    assert (exact.credit.input, exact.credit_confidence) == (125.0, "exact")


@pytest.mark.parametrize("name", ["pricing.json", "rate-card.json", "budgets.json", "allowance.json", "prices.json"])
def test_a_broken_file_is_told_and_never_stops_an_answer_about_tokens(own: Path, tmp_path: Path, name: str) -> None:
    (own / name).write_text('{\n  "models": [1,\n', encoding="utf-8")
    with asking(home(tmp_path, [Spent(input=1000)])) as context:
        asked = answers.summary(context, context.period("all"))
        coverage = answers.pricing_coverage(context, context.period("all"))
    assert (asked.total.input_tokens, asked.total.cost_usd) == (1000, 0.0053)
    assert any(problem.startswith(f"{name} ") for problem in coverage.problems)
    assert name == "prices.json" or f"{name} line " in asked.data_quality


# -- budgets -----------------------------------------------------------------------------------------------


def test_every_summary_carries_the_state_of_the_budgets(own: Path, tmp_path: Path) -> None:
    budgets = [
        {"amount": 1, "unit": "usd", "per": "day"},
        {"amount": 100, "unit": "credits", "per": "week", "project": "shop"},
        {"amount": 2, "unit": "usd", "per": "month"},
    ]
    write(own, "budgets.json", {"budgets": budgets})
    calls = [
        Spent(input=250_000, output=0),  # today, 1.25
        Spent(at=day(17), thread=2, folder="shop", input=200_000, output=0),  # this week, 1.00 and 25 credits
        Spent(at=day(2), thread=2, folder="shop", input=50_000, output=0),  # this month, 0.25
        Spent(at="2026-10-30T09:00Z", input=200_000),
    ]
    with asking(home(tmp_path, calls)) as context:
        asked = answers.summary(context, context.period("yesterday"), filters=Filters(model="gpt-5.5"))
        now = answers.status(context)
    assert [(one.per, one.project, one.spent, one.percent, one.over) for one in asked.budgets] == [
        ("day", None, 1.25, 125.0, True),
        ("week", "shop", 25.0, 25.0, False),
        ("month", None, 2.5, 125.0, True),
    ]
    assert (asked.budgets[0].since, asked.budgets[0].until) == ("2026-11-21T00:00:00.000Z", "2026-11-22T00:00:00.000Z")
    assert now.budgets == asked.budgets
    assert now.over_budget is True


def test_a_budget_over_unpriced_calls_says_at_least(own: Path, tmp_path: Path) -> None:
    write(own, "budgets.json", {"budgets": [{"amount": 1, "unit": "usd", "per": "day"}]})
    with asking(home(tmp_path, [Spent(), Spent(model="nobody")])) as context:
        (state,) = answers.status(context).budgets
    assert (state.at_least, state.over) == (True, False)


# -- allowance ---------------------------------------------------------------------------------------------

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def test_the_newest_snapshot_of_each_window_counts_whatever_its_slot(own: Path, tmp_path: Path) -> None:
    five = NOW + timedelta(hours=3)
    calls = [
        Spent(at=day(20), limits=limits((300, 80, NOW - timedelta(hours=20)), (10080, 40.5, MONDAY), plan_type="pro")),
        Spent(at=day(21, 10), limits=limits((10080, 42, MONDAY), (300, 12.5, five), plan_type="pro")),  # slots swapped
        Spent(at=day(21, 11), model="gpt-5.3-codex-spark", limits=limits((10080, 3, MONDAY), limit="codex_spark")),
        Spent(at=day(21, 12), limits={"limit_id": "codex", "primary": None, "secondary": None}),
    ]
    with asking(home(tmp_path, calls)) as context:
        windows = answers.status(context).allowance
    assert [(one.limit_id, one.window, one.used_percent, one.remaining_percent) for one in windows] == [
        ("codex", "5-hour", 12.5, 87.5),
        ("codex", "weekly", 42.0, 58.0),
        ("codex_spark", "weekly", 3.0, 97.0),
    ]
    assert windows[0].resets_at == "2026-11-21T15:00:00.000Z"
    assert (windows[1].plan_type, windows[1].source, windows[1].reset_passed) == ("pro", "logs", False)


def test_what_the_user_wrote_down_counts_until_a_log_says_something_newer(own: Path, tmp_path: Path) -> None:
    told = {"window": "weekly", "remaining_percent": 33, "resets_at": "2026-11-23T00:00:00Z"}
    write(own, "allowance.json", {"observed_at": "2026-11-21T11:00:00Z", "windows": [told]})
    places = home(tmp_path, [Spent(at=day(21, 10), limits=limits((10080, 42, MONDAY)))])
    with asking(places) as context:
        (window,) = answers.status(context).allowance
    assert (window.used_percent, window.source) == (67.0, "allowance.json")
    write(own, "allowance.json", {"observed_at": "2026-11-21T09:00:00Z", "windows": [told]})
    with asking(places) as context:
        (window,) = answers.status(context).allowance
    assert (window.used_percent, window.source) == (42.0, "logs")


def steady_week(*, percent_per_call: float = 2.0, dollars: float = 0.5) -> list[Spent]:
    """Calls of this week, one an hour in the daytime, that each take the same of the weekly window."""
    hours = [(number, hour) for number in range(16, 22) for hour in range(8, 18, 2) if (number, hour) < (21, 12)]
    return [
        Spent(
            at=day(*at),
            input=int(dollars * 200_000),
            output=0,
            limits=limits((10080, round((n + 1) * percent_per_call, 1), MONDAY)),
        )
        for n, at in enumerate(hours)
    ]


def test_one_percent_of_a_window_is_worth_what_the_calls_cost(own: Path, tmp_path: Path) -> None:
    with asking(home(tmp_path, steady_week())) as context:
        asked = answers.allowance(context, context.period("today"))
        thread = answers.allowance(context, filters=Filters(thread=thread_id(1)))
    (window,) = asked.windows
    assert window.one_percent
    assert window.one_percent.usd == pytest.approx(0.25, rel=0.02)
    assert window.one_percent.credits == pytest.approx(6.25, rel=0.02)
    (today,) = asked.impact
    assert today.percent == pytest.approx(4.0, rel=0.02)  # two calls of today
    assert today.low <= today.percent <= today.high
    assert thread.impact[0].percent == pytest.approx(54.0, rel=0.02)  # all 27


def test_what_a_single_call_took_is_told_by_its_id(own: Path, tmp_path: Path) -> None:
    with asking(home(tmp_path, steady_week())) as context:
        (call, *_) = answers.calls(context, context.period("all")).rows
        for known in (call.call_id, call.call_id[:8]):
            asked = answers.allowance(context, call=known)
            assert (asked.total.calls, asked.total.cost_usd, asked.about) == (1, call.cost_usd, f"call {known}")
            assert asked.impact[0].percent == pytest.approx(2.0, rel=0.02)
        with pytest.raises(BadInput, match="No call 000000000000 is in the index"):
            answers.allowance(context, call="000000000000")
        with pytest.raises(BadInput, match="No call ffffff is in the index"):
            answers.allowance(context, call="ffffff")
        with pytest.raises(BadInput, match="is no call's id"):
            answers.allowance(context, call="the first")


def test_several_limits_do_not_mix(own: Path, tmp_path: Path) -> None:
    spark = [
        Spent(
            at=call.at.replace(":00Z", ":30Z"),
            thread=2,
            model="gpt-5.4",
            input=200_000,
            output=0,
            limits=limits((10080, n + 1.0, MONDAY), limit="other"),
        )
        for n, call in enumerate(steady_week())
    ]
    with asking(home(tmp_path, [*steady_week(), *spark])) as context:
        codex, other = answers.allowance(context).windows
    assert (codex.limit_id, other.limit_id) == ("codex", "other")
    assert codex.one_percent and other.one_percent
    assert codex.one_percent.usd == pytest.approx(0.25, rel=0.02)
    assert other.one_percent.usd == pytest.approx(0.5, rel=0.02)


def test_a_window_that_fills_too_fast_is_forecast_to_run_out(own: Path, tmp_path: Path) -> None:
    with asking(home(tmp_path, steady_week(percent_per_call=3.5)), now=NOW) as context:
        (window,) = answers.status(context).allowance
    assert window.used_percent == 94.5
    assert window.outlook
    assert window.outlook.earliest and window.outlook.likely
    assert window.outlook.chance > 0.5
    assert "2026-11-21T12:00" <= window.outlook.earliest <= window.outlook.likely < "2026-11-23"


def test_weeks_end_where_the_logs_saw_the_reset_else_where_the_user_says(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thursday = datetime(2026, 11, 19, 9, 15, tzinfo=UTC)
    calls = [Spent(at=day(11), input=100_000, output=0), Spent(at=day(18), input=200_000, output=0)]
    seen = [*calls, Spent(at=day(19, 8), output=0, limits=limits((10080, 71, thursday)))]
    with asking(home(tmp_path / "seen", seen)) as context:
        week, before = answers.allowance(context, count=2).weeks
    assert (week.since, week.until, week.by) == ("2026-11-12T09:15:00.000Z", "2026-11-19T09:15:00.000Z", "logs")
    assert (week.total.calls, week.used_percent) == (2, 71.0)
    assert (before.until, before.total.cost_usd) == (week.since, 0.5)
    places = home(tmp_path / "unseen", calls)
    with asking(places) as context:
        assert [(week.since, week.by) for week in answers.allowance(context, count=1).weeks] == [
            ("2026-11-09T00:00:00.000Z", "calendar")
        ]
        monkeypatch.setenv("CODEX_USAGE_WEEKLY_RESET", "Thu 09:15")
        assert [(week.since, week.by) for week in answers.allowance(context, count=1).weeks] == [
            ("2026-11-12T09:15:00.000Z", "setting")
        ]


def test_without_snapshots_there_is_no_allowance_and_that_is_an_answer(own: Path, tmp_path: Path) -> None:
    with asking(home(tmp_path, [Spent()])) as context:
        asked = answers.allowance(context)
    assert (asked.windows, asked.impact, asked.credits_balance) == ([], [], None)
    assert asked.total.calls == 1
