"""The page's data are the answers' figures in another shape: by day and setting, and as columns of calls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codex_usage.answers import calls, summary
from codex_usage.answers.board import board_of, usage
from codex_usage.answers.questions import Asked, ask
from codex_usage.index.zones import date_day
from tests.support.spending import NOW, Spent, asking, home, thread_id

SPENT = [
    Spent(at="2026-11-19T09:00Z", thread=1, input=50_000, cached=20_000, output=900),
    Spent(at="2026-11-20T09:00Z", thread=1, model="gpt-5.4", effort="high", input=9_000, output=50),
    Spent(at="2026-11-20T10:00Z", thread=2, model="no-such-model", folder="other", input=7_000),
    Spent(at="2026-11-20T11:00Z", thread=2, folder="other", input=9_000, cached=8_000, effort="low"),
]


def test_the_cube_adds_up_to_the_summary(tmp_path: Path) -> None:
    """Tokens to the last one, money to the nano-dollar, day by day."""
    with asking(home(tmp_path, SPENT)) as context:
        board = board_of(context)
        for day in ("2026-11-19", "2026-11-20"):
            total = summary(context, context.period(day), compare=False).total
            number = date_day(context.period(day).first)
            rows = [row for row, one in enumerate(board.cube.day) if one == number]
            assert sum(board.cube.calls[row] for row in rows) == total.calls
            assert sum(board.cube.input[row] for row in rows) == total.input_tokens
            assert sum(board.cube.cached[row] for row in rows) == total.cached_input_tokens
            assert sum(board.cube.output[row] for row in rows) == total.output_tokens
            assert round(sum(board.cube.cost[row] for row in rows) / 1e9, 6) == total.cost_usd
            unpriced = board.confidences.index("unpriced")
            assert (
                sum(board.cube.calls[r] for r in rows if board.cube.confidence[r] == unpriced) == total.unpriced_calls
            )


def test_the_cube_tells_models_projects_and_efforts_apart(tmp_path: Path) -> None:
    """Each row names its settings by their place in the lists."""
    with asking(home(tmp_path, SPENT)) as context:
        board = board_of(context)
    cube = board.cube
    told = {
        (
            board.models[cube.model[row]],
            board.projects[cube.project[row]],
            board.efforts[cube.effort[row]] if cube.effort[row] >= 0 else None,
        )
        for row in range(len(cube.day))
    }
    assert told == {
        ("gpt-5.5", "demo", None),
        ("gpt-5.4", "demo", "high"),
        ("no-such-model", "other", None),
        ("gpt-5.5", "other", "low"),
    }


def test_what_the_cache_saved_is_the_difference_of_the_prices(tmp_path: Path) -> None:
    """The same calls without a cache cost so much more; what has no price saved nothing that is known."""
    plain = [replace(one, cached=0) for one in SPENT]
    with asking(home(tmp_path / "cached", SPENT)) as context:
        found, cost = board_of(context).cube, summary(context, context.period("all")).total.cost_usd
    with asking(home(tmp_path / "plain", plain)) as context:
        without = summary(context, context.period("all")).total.cost_usd
    assert cost is not None and without is not None
    assert sum(found.saved) / 1e9 == pytest.approx(without - cost, abs=1e-6)


def test_the_columns_tell_what_the_calls_tell(tmp_path: Path) -> None:
    """Newest first, page by page."""
    with asking(home(tmp_path, SPENT)) as context:
        lines = calls(context, context.period("all"), order="recent").rows
        first, second = usage(context, 3, 0), usage(context, 3, 3)
        told = []
        for page in (first, second):
            assert page.total == 4
            columns = page.calls
            for row, key in enumerate(columns.id):
                cost = columns.cost[row]
                told.append(
                    (
                        key,
                        page.threads.id[columns.thread[row]],
                        page.models[columns.model[row]],
                        page.projects[columns.project[row]],
                        columns.input[row],
                        columns.cached[row],
                        None if cost is None else round(cost / 1e9, 6),
                        page.confidences[columns.confidence[row]],
                    )
                )
    assert told == [
        (
            line.call_id,
            line.thread_id,
            line.model,
            line.project,
            line.input_tokens,
            line.cached_input_tokens,
            line.cost_usd,
            line.cost_confidence,
        )
        for line in lines
    ]


def test_a_year_has_its_total_days_sessions_and_highest_day(tmp_path: Path) -> None:
    """The highest day by cost."""
    with asking(home(tmp_path, SPENT)) as context:
        year = board_of(context).ytd
        total = summary(context, context.period("this_year"), compare=False).total
    assert year.total == total
    assert (year.days, year.sessions, year.highest_day) == (2, 2, "2026-11-19")


def test_turns_by_day_have_their_durations_and_outcomes(tmp_path: Path) -> None:
    """Every turn of the last 90 days is in its day."""
    with asking(home(tmp_path, SPENT)) as context:
        turns = board_of(context).turns
    assert turns.day == [date_day(NOW.date()) - 2, date_day(NOW.date()) - 1]
    assert (turns.turns, turns.completed, turns.failed) == ([1, 3], [1, 3], [0, 0])


def test_an_empty_index_has_an_empty_board(tmp_path: Path) -> None:
    """Nothing to draw is no error."""
    with asking(home(tmp_path, [])) as context:
        board, page = board_of(context), usage(context)
    assert (board.cube.day, board.models, board.ytd.days, board.ytd.highest_day) == ([], [], 0, None)
    assert (page.total, page.calls.id, page.threads.id) == (0, [], [])


def test_a_call_has_its_neighbours_and_what_became_of_its_cache(tmp_path: Path) -> None:
    """An hour's pause lost what was cached; the call before may be of an earlier day."""
    spent = [
        Spent(at="2026-11-19T09:00Z", input=50_000, cached=0),
        Spent(at="2026-11-20T09:01Z", input=52_000, cached=49_920),
        Spent(at="2026-11-20T11:00Z", input=54_000, cached=0),
    ]
    places = home(tmp_path, spent)
    with asking(places) as context:
        newest, middle, oldest = calls(context, context.period("all"), order="recent").rows
        found = ask(context, Asked("call", {"call": middle.call_id}, places)).model_dump()
        last = ask(context, Asked("call", {"call": newest.call_id[:8]}, places)).model_dump()
    assert (found["previous"], found["next_call"]) == (oldest.call_id, newest.call_id)
    assert found["before"]["call_id"] == oldest.call_id
    assert found["diagnosis"]["label"] == "warm_reuse"
    assert last["next_call"] is None
    assert (last["diagnosis"]["label"], last["diagnosis"]["lost_tokens"]) == ("cold_resume", 52_000)
    assert last["call"]["thread_id"] == thread_id(1)
