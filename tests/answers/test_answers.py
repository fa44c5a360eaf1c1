"""What the answers say beside their sums: change, prices that are not known, threads, children, limits, coverage."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from codex_usage import answers
from codex_usage.answers import Summary
from codex_usage.homes import find_places
from codex_usage.index import Filters, Refreshed, open_index, refresh
from codex_usage.model import BadInput
from tests.support.index import places_of
from tests.support.rollouts import NOON, Rollout
from tests.support.spending import NOW, Spent, asking, home, thread_id

CASES = Path(__file__).resolve().parents[1] / "cases" / "codex"


def summary_of(tmp_path: Path, calls: list[Spent], period: str = "last_7_days", **options: object) -> Summary:
    with asking(home(tmp_path, calls)) as context:
        return answers.summary(context, context.period(period), **options)  # type: ignore[arg-type]


# -- change and prices ------------------------------------------------------------------------------------------


def test_the_change_against_the_period_before_is_told_in_money_and_percent(tmp_path: Path) -> None:
    week, before = Spent(at="2026-11-20T09:00Z", input=3000), Spent(at="2026-11-13T09:00Z", input=1000)
    asked = summary_of(tmp_path, [week, before])
    assert asked.previous
    assert (asked.previous.period.first, asked.previous.period.last) == ("2026-11-08", "2026-11-14")
    assert asked.previous.calls == 1
    assert asked.total.cost_usd and asked.previous.cost_usd
    assert asked.previous.cost_delta_usd == pytest.approx(asked.total.cost_usd - asked.previous.cost_usd)
    assert asked.previous.cost_percent == pytest.approx(
        100 * (asked.total.cost_usd / asked.previous.cost_usd - 1), abs=0.1
    )
    assert asked.previous.tokens_percent == pytest.approx(100 * (3010 / 1010 - 1), abs=0.1)


def test_a_period_after_one_without_usage_has_a_change_but_no_percent(tmp_path: Path) -> None:
    asked = summary_of(tmp_path, [Spent()])
    assert asked.previous
    assert (asked.previous.cost_usd, asked.previous.cost_percent, asked.previous.tokens_percent) == (0, None, None)
    assert asked.previous.cost_delta_usd == asked.total.cost_usd


def test_without_prices_there_is_no_change_in_money(tmp_path: Path) -> None:
    calls = [Spent(model="nobody-knows", input=3000), Spent(at="2026-11-13T09:00Z", model="nobody-knows", input=1000)]
    asked = summary_of(tmp_path, calls)
    assert asked.previous
    assert (asked.previous.cost_usd, asked.previous.cost_delta_usd, asked.previous.cost_percent) == (None, None, None)
    assert asked.previous.tokens_percent == pytest.approx(198.0, abs=0.1)


def test_calls_without_a_price_cost_nothing_known_and_are_named(tmp_path: Path) -> None:
    asked = summary_of(tmp_path, [Spent(model="nobody-knows")])
    assert (asked.total.cost_usd, asked.total.unpriced_calls, asked.total.at_least) == (None, 1, False)
    assert asked.rows[0].sums.cost_usd is None
    assert asked.rows[0].share == 1.0  # of tokens
    assert [(note.model, note.confidence) for note in asked.prices] == [("nobody-knows", "unpriced")]
    assert asked.data_quality.endswith("; 1 call unpriced (no price is known for nobody-knows)")


def test_a_sum_over_partly_unpriced_calls_is_at_least(tmp_path: Path) -> None:
    asked = summary_of(tmp_path, [Spent(), Spent(model="nobody-knows", input=5)])
    assert asked.total.at_least
    assert asked.total.cost_usd
    assert [(row.labels, row.sums.cost_usd is None, row.sums.at_least) for row in asked.rows] == [
        (["gpt-5.5"], False, False),
        (["nobody-knows"], True, False),
    ]
    listed = summary_of(tmp_path, [Spent(), Spent(model="nobody-knows")], limit=0)
    assert listed.rest
    assert listed.rest.at_least


def test_a_call_without_a_price_stands_after_all_priced_ones(tmp_path: Path) -> None:
    with asking(home(tmp_path, [Spent(input=1), Spent(model="nobody-knows", input=900_000)])) as context:
        asked = answers.calls(context, context.period("all"))
    assert [row.cost_usd is None for row in asked.rows] == [False, True]


def test_a_price_taken_from_another_name_is_told(tmp_path: Path) -> None:
    asked = summary_of(tmp_path, [Spent(model="gpt-5.1-codex-mini"), Spent(model="gpt-5-codex")])
    (note,) = asked.prices
    assert (note.model, note.priced_as, note.confidence) == ("gpt-5-codex", "gpt-5", "exact")


# -- groups and filters -----------------------------------------------------------------------------------------


def test_two_words_group_by_both_and_a_word_said_twice_counts_once(tmp_path: Path) -> None:
    calls = [Spent(effort="low"), Spent(effort="high", input=2000), Spent(model="gpt-5.4", effort="low", input=9000)]
    asked = summary_of(tmp_path, calls, by=("model", "effort"))
    assert sorted(row.labels for row in asked.rows) == [["gpt-5.4", "low"], ["gpt-5.5", "high"], ["gpt-5.5", "low"]]
    assert summary_of(tmp_path, calls, by=("model", "model")).by == ["model"]


def test_weeks_are_told_by_their_monday_and_months_by_their_number(tmp_path: Path) -> None:
    days = ["2026-10-31", "2026-11-01", "2026-11-15", "2026-11-16"]  # Saturday, Sunday, Sunday, Monday
    calls = [Spent(at=f"{day}T12:00Z") for day in days]
    asked = summary_of(tmp_path, calls, "all", by=("week",))
    assert [(row.labels, row.sums.calls) for row in asked.rows] == [
        (["2026-10-26"], 2),
        (["2026-11-09"], 1),
        (["2026-11-16"], 1),
    ]
    asked = summary_of(tmp_path, calls, "all", by=("month",))
    assert [(row.labels, row.sums.calls) for row in asked.rows] == [(["2026-10"], 1), (["2026-11"], 3)]


def test_a_call_at_midnight_belongs_to_the_day_that_begins(tmp_path: Path) -> None:
    calls = [Spent(at="2026-11-19T22:59:59.999Z"), Spent(at="2026-11-19T23:00:00.000Z", input=7)]
    with asking(home(tmp_path, calls), zone="Europe/Berlin") as context:
        asked = answers.summary(context, context.period(None, "2026-11-20", "2026-11-20"), by=("day",))
    assert [(row.labels, row.sums.input_tokens) for row in asked.rows] == [(["2026-11-20"], 7)]


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (Filters(model="gpt-5.55"), ("No model 'gpt-5.55'", "gpt-5.5")),
        (Filters(project="demos"), ("No project 'demos'", "demo")),
        (Filters(effort="extreme"), ("No effort 'extreme'", "low")),
        (Filters(provider="openai"), ("Unknown provider 'openai'", "codex or claude")),
        (Filters(thread="feedbeef"), ("No thread 'feedbeef'", "list threads")),
    ],
)
def test_a_filter_that_fits_nothing_says_what_there_is(
    tmp_path: Path, filters: Filters, words: tuple[str, str]
) -> None:
    with asking(home(tmp_path, [Spent(effort="low")])) as context:
        for ask in (answers.summary, answers.threads, answers.calls):
            with pytest.raises(BadInput) as error:
                ask(context, context.period("all"), filters=filters)
            assert all(word in str(error.value) for word in words)


def test_a_known_filter_in_a_quiet_period_is_simply_zero(tmp_path: Path) -> None:
    assert summary_of(tmp_path, [Spent()], "2026-01-01", filters=Filters(model="gpt-5.5")).total.calls == 0


@pytest.mark.parametrize("word", ["cost", "size", ""])
def test_unknown_words_for_grouping_and_order_name_the_known_ones(tmp_path: Path, word: str) -> None:
    with asking(home(tmp_path, [Spent()])) as context:
        period = context.period("all")
        with pytest.raises(BadInput, match="use model, project"):
            answers.summary(context, period, by=(word,))
        if word != "cost":
            with pytest.raises(BadInput, match="use cost, tokens"):
                answers.threads(context, period, order=word)
            with pytest.raises(BadInput, match="use cost, tokens"):
                answers.calls(context, period, order=word)


# -- threads ----------------------------------------------------------------------------------------------------


def test_a_thread_is_found_by_its_id_either_end_of_it_and_its_name(tmp_path: Path) -> None:
    places = home(tmp_path, [Spent(thread=1), Spent(thread=2)])
    wanted = thread_id(2)
    line = f'{{"id":"{wanted}","thread_name":"Mend the 100% _wall_"}}\n'
    (tmp_path / "home" / "session_index.jsonl").write_text(line, encoding="utf-8")
    with asking(places) as context:
        for text in (
            wanted,
            wanted[-8:],
            wanted[:13],
            wanted.upper(),
            "Mend the 100% _wall_",
            "mend the 100% _WALL_",
            f" {wanted} ",
        ):
            assert answers.session(context, text).thread.thread_id == wanted, text
        assert answers.session(context, wanted).thread.name == "Mend the 100% _wall_"


@pytest.mark.parametrize("text", ["%", "%%%%", "____", "nothing", "", "a'; DROP TABLE threads; --", "\x00", "0" * 500])
def test_a_thread_that_is_not_there_is_one_sentence(tmp_path: Path, text: str) -> None:
    with (
        asking(home(tmp_path, [Spent(thread=1), Spent(thread=2)])) as context,
        pytest.raises(BadInput, match="No thread"),
    ):
        answers.session(context, text)


def test_a_part_of_several_ids_names_some_and_asks_for_more(tmp_path: Path) -> None:
    with asking(home(tmp_path, [Spent(thread=number) for number in range(1, 6)])) as context:
        with pytest.raises(BadInput, match=r"fits several threads \(.*\); give more of the id"):
            answers.session(context, thread_id(1)[:4])
        with pytest.raises(BadInput, match="No thread"):
            answers.session(context, thread_id(1)[:3])


def test_a_thread_tells_its_turns_models_and_costliest_calls(tmp_path: Path) -> None:
    calls = [
        Spent(at=f"2026-11-20T09:{n:02d}Z", input=1000 * n, model="gpt-5.4" if n == 3 else "gpt-5.5")
        for n in range(1, 9)
    ]
    with asking(home(tmp_path, calls)) as context:
        asked = answers.session(context, thread_id(1))
    assert (asked.thread.sums.calls, asked.thread.sums.turns, asked.thread.segments) == (8, 8, 1)
    assert asked.thread.models == ["gpt-5.4", "gpt-5.5"]
    assert [row.input_tokens for row in asked.costly_calls] == [8000, 7000, 6000, 5000, 4000]
    assert asked.turn_outcomes == {"completed": 8}
    assert (asked.children, asked.zone) == ([], "UTC")


@pytest.mark.parametrize(
    ("case", "relation", "link"),
    [
        ("0.169.0-subagents", "subagent", "exact"),
        ("0.147.0-subagents", "subagent", "exact"),
        ("0.169.0-review", "review", "exact"),
        ("0.147.0-review", "review", "exact"),
        ("0.130.0-review", "review", "inferred"),
        ("0.169.0-guardian", "guardian", "exact"),
    ],
)
def test_a_thread_names_the_threads_that_it_caused(tmp_path: Path, case: str, relation: str, link: str) -> None:
    places = places_of(CASES / case / "codex_home", data=tmp_path)
    with open_index(places.index) as index:
        refresh(index, places)
        context = answers.make_context(index, "UTC", NOW)
        lines = answers.threads(context, context.period("all"), limit=50).rows
        sessions = [answers.session(context, line.thread_id) for line in lines]
    caused = {one.thread.thread_id: [c for c in one.children if c.relation != "fork"] for one in sessions}
    parents = [one for one in sessions if caused[one.thread.thread_id]]
    assert len(parents) == 1
    children = caused[parents[0].thread.thread_id]
    assert {(child.relation, child.link, child.depth) for child in children} == {(relation, link, 1)}
    whole = (parents[0].thread.sums.cost_usd or 0) + sum(child.cost_usd or 0 for child in children)
    assert parents[0].with_children_usd == pytest.approx(whole, abs=1e-5)  # parts are rounded
    costs = [child.cost_usd or 0 for child in parents[0].children]
    assert costs == sorted(costs, reverse=True)


# -- status, coverage -------------------------------------------------------------------------------------------


def test_status_tells_each_window_by_its_length_and_by_its_newest_snapshot(tmp_path: Path) -> None:
    def limits(used: float, week: float, limit: str | None = "codex") -> dict[str, object]:
        return {
            "limit_id": limit,
            "primary": {"used_percent": used, "window_minutes": 300, "resets_at": 1_795_298_562},
            "secondary": {"used_percent": week, "window_minutes": 10080, "resets_at": 1_795_881_362},
        }

    log = Rollout(limits=limits(11, 40)).turn().call(input=10).wait(60_000)
    log.limits = limits(25, 41)
    log.call(input=20).wait(60_000)
    log.limits = {"limit_id": "premium", "primary": {"used_percent": 5, "window_minutes": 1440, "resets_at": None}}
    log.call(input=30).end().write(tmp_path / "home")
    # an old version names no limit, and its weekly window stands in the first place
    old = Rollout(
        "0.98.0", now=NOON - 9_000_000, limits={"primary": {"used_percent": 3, "window_minutes": 10080, "resets_at": 5}}
    )
    old.turn().call(input=40).write(tmp_path / "home")
    with asking(places_of(tmp_path / "home", data=tmp_path)) as context:
        asked = answers.status(context)
    assert [(w.limit_id, w.window, w.used_percent, w.reset_passed) for w in asked.allowance] == [
        ("codex", "5-hour", 25.0, False),
        ("premium", "daily", 5.0, False),
        ("codex", "weekly", 41.0, False),
    ]


def test_status_counts_the_running_day_week_and_month(tmp_path: Path) -> None:
    calls = [Spent(at=f"2026-11-{day}T09:00Z", input=1) for day in ("01", "15", "16", "21")]
    with asking(home(tmp_path, calls)) as context:
        asked = answers.status(context)
    assert (asked.today.calls, asked.week.calls, asked.month.calls) == (1, 2, 4)


def test_an_index_that_has_not_read_all_says_how_far_it_reaches(tmp_path: Path) -> None:
    places = home(tmp_path, [Spent(thread=1), Spent(thread=2), Spent(thread=3)])
    with open_index(places.index) as index:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(importlib.import_module("codex_usage.index.batches"), "BATCH_BYTES", 1)
            done = refresh(index, places, seconds=0, since_ms=None)
        context = answers.make_context(index, "UTC", NOW, done)
        asked = answers.summary(context, context.period("all"))
        assert not asked.coverage.complete
        assert asked.coverage.pending_files == 3 - asked.total.threads > 0
        assert asked.coverage.since is not None
        refresh(index, places)
        assert answers.summary(context, context.period("all")).coverage.complete


def test_an_index_that_another_process_is_filling_is_not_complete(tmp_path: Path) -> None:
    with open_index(tmp_path / "index.sqlite") as index:
        context = answers.make_context(index, "UTC", NOW, Refreshed(busy=True))
        asked = answers.summary(context, context.period("all"))
    assert (asked.coverage.complete, asked.coverage.busy, asked.data_quality) == (False, True, "no logs read yet")


def test_quality_counts_in_words_and_says_what_could_not_be_read(tmp_path: Path) -> None:
    Rollout().raw(b'{"timestamp":"2026').raw(b"\xff\xfe").turn().call(input=10).end().write(tmp_path / "home")
    with asking(places_of(tmp_path / "home", data=tmp_path)) as context:
        asked = context.quality()
    assert asked.startswith("1 log read, 1 call counted; 2 lines could not be read")


def test_a_call_tells_the_allowance_that_its_response_brought(tmp_path: Path) -> None:
    """The snapshot stands on the token_count behind the call, not on the next call's."""
    places = find_places(
        [str(CASES / "0.169.0-resume" / "codex_home")], [str(tmp_path)], str(tmp_path / "index.sqlite")
    )
    with open_index(places.index) as index:
        refresh(index, places)
        context = answers.make_context(index)
        rows = answers.calls(context, context.period("all"), order="oldest").rows
    used = [[limit.used_percent for limit in row.rate_limits if limit.window_minutes == 300] for row in rows]
    assert [len(one) for one in used] == [1] * len(rows)
    assert sorted(used) == used
    assert used[0] != used[-1]
