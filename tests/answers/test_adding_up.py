"""Whatever is grouped, filtered, paged or asked in another way adds up to the same calls."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_usage import answers
from codex_usage.answers import GROUP_WORDS, Context
from codex_usage.index import Filters
from tests.support.spending import NOW, Spent, asking, dollars, home, sums_of

FEW = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Los_Angeles", "Pacific/Kiritimati", "America/Santiago")
# around the clock changes of Berlin and Los Angeles, a month's end and the running week
DAYS = ("2026-10-24", "2026-10-25", "2026-10-31", "2026-11-01", "2026-11-15", "2026-11-16", "2026-11-20", "2026-11-21")


@st.composite
def spent(draw: st.DrawFn) -> Spent:
    minute = draw(st.integers(0, 1439))
    size = draw(st.integers(1, 300_000))
    output = draw(st.integers(0, 9000))
    thread = draw(st.integers(1, 5))
    return Spent(
        at=f"{draw(st.sampled_from(DAYS))}T{minute // 60:02d}:{minute % 60:02d}:00Z",
        thread=thread,
        model=draw(st.sampled_from(("gpt-5.5", "gpt-5-codex", "no-such-model"))),
        effort=draw(st.sampled_from((None, "low", "high"))),
        folder=("atlas", "borealis", "atlas", "cumulus", "borealis")[thread - 1],
        input=size,
        cached=draw(st.integers(0, size)),
        output=output,
        reasoning=draw(st.integers(0, output)),
    )


@contextmanager
def spending(calls: list[Spent], **options: Any) -> Iterator[Context]:
    """Questions about a home with these calls (a folder of its own for every example of hypothesis)."""
    with tempfile.TemporaryDirectory() as folder, asking(home(Path(folder), calls), **options) as context:
        yield context


def total(context: Context, since: str, until: str, **filters: str) -> tuple[int, ...]:
    """Sums of a span of time."""
    asked = answers.summary(context, context.period(None, since, until), filters=Filters(**filters))
    return sums_of(asked.total)


def added(parts: list[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*parts, strict=True)))


@FEW
@given(calls=st.lists(spent(), min_size=1, max_size=25), limit=st.integers(0, 6), zone=st.sampled_from(ZONES))
def test_rows_and_rest_add_up_to_the_total_for_every_grouping(calls: list[Spent], limit: int, zone: str) -> None:
    with spending(calls, zone=zone) as context:
        for by in [(word,) for word in GROUP_WORDS] + [("model", "effort"), ("day", "model"), ("thread", "model")]:
            asked = answers.summary(context, context.period("all"), by=by, limit=limit)
            parts = [row.sums for row in asked.rows] + ([asked.rest] if asked.rest else [])
            assert added([sums_of(part) for part in parts]) == sums_of(asked.total), by
            assert asked.total.cost_usd is None or asked.total.cost_usd == dollars(parts), by
            assert len(asked.rows) == len({tuple(row.labels) for row in asked.rows})
            assert all(part.threads <= asked.total.threads for part in parts), by
        assert asked.total.calls == len(calls)
        assert asked.total.input_tokens == sum(call.input for call in calls)


@FEW
@given(calls=st.lists(spent(), min_size=1, max_size=25), zone=st.sampled_from(ZONES), tz=st.sampled_from(ZONES))
def test_days_thread_days_and_calls_tell_the_same(calls: list[Spent], zone: str, tz: str) -> None:
    """The daily sums, the sums of threads, single calls, and calls in a span that fits no day."""
    with spending(calls, zone=zone) as context:
        by_days = answers.summary(context, context.period("2026-10-25..2026-11-20"))
        midnights = [datetime.fromisoformat(day).replace(tzinfo=context.zone) for day in ("2026-10-25", "2026-11-21")]
        exact = total(context, midnights[0].isoformat(), (midnights[1] - timedelta(milliseconds=1)).isoformat())
        by_threads = answers.threads(context, context.period("2026-10-25..2026-11-20"), limit=100)
        single = answers.calls(context, context.period("2026-10-25..2026-11-20"), limit=100)
        assert exact == sums_of(by_days.total) == sums_of(by_threads.total) == sums_of(single.total)
        assert len(single.rows) == by_days.total.calls
        assert sum(row.input_tokens for row in single.rows) == by_days.total.input_tokens
        assert by_days.total.threads == len(by_threads.rows) == len({row.thread_id for row in single.rows})
        if by_threads.rows:
            assert added([sums_of(row.sums) for row in by_threads.rows]) == sums_of(by_days.total)
            assert (by_days.total.cost_usd or 0) == dollars(row.sums for row in by_threads.rows) == dollars(single.rows)
    with spending(calls, zone=zone, tz=tz) as elsewhere, spending(calls, zone=tz) as there:
        for by in ("day", "week", "month", "model"):
            asked = [
                answers.summary(each, each.period("2026-10-25..2026-11-20"), by=(by,)) for each in (elsewhere, there)
            ]
            told = [[(row.labels, sums_of(row.sums), row.sums.threads) for row in one.rows] for one in asked]
            assert told[0] == told[1], (by, zone, tz)


@FEW
@given(
    calls=st.lists(spent(), min_size=1, max_size=30),
    order=st.sampled_from(("cost", "tokens", "input", "uncached", "output", "recent", "oldest", "duration")),
    period=st.sampled_from(("all", "2026-10-25..2026-11-16", "2026-10-25T07:30Z..2026-11-20T18:30Z")),
    page=st.integers(1, 7),
)
def test_pages_give_every_call_once_and_in_order(calls: list[Spent], order: str, period: str, page: int) -> None:
    values = {
        "cost": lambda c: -1 if c.cost_usd is None else c.cost_usd,
        "tokens": lambda c: c.total_tokens,
        "input": lambda c: c.input_tokens,
        "uncached": lambda c: c.uncached_input_tokens,
        "output": lambda c: c.output_tokens,
        "recent": lambda c: c.timestamp,
        "duration": lambda c: c.duration_ms or 0,
    }
    with spending(calls, zone="Europe/Berlin") as context:
        asked = answers.calls(context, context.period(period), order=order, limit=page)
        rows = list(asked.rows)
        while asked.cursor:
            asked = answers.calls(context, context.period(period), order=order, limit=page, offset=int(asked.cursor))
            rows += asked.rows
        assert not answers.calls(context, context.period(period), order=order, offset=len(rows)).rows
        exported = list(answers.export_rows(context, context.period(period)))
        assert len(rows) == len({row.call_id for row in rows}) == asked.total.calls == len(exported)
        assert {row.call_id for row in rows} == {row["call_id"] for row in exported}
        key = values.get(order)
        if key:
            assert [key(row) for row in rows] == sorted(map(key, rows), reverse=True)
        else:
            assert [row.timestamp for row in rows] == sorted(row.timestamp for row in rows)


@FEW
@given(calls=st.lists(spent(), min_size=1, max_size=25), order=st.sampled_from(answers.ORDER_WORDS))
def test_pages_give_every_thread_once(calls: list[Spent], order: str) -> None:
    with spending(calls) as context:
        rows, offset = [], 0
        for _ in range(9):
            asked = answers.threads(context, context.period("all"), order=order, limit=2, offset=offset)
            rows += asked.rows
            if asked.cursor is None:
                break
            offset = int(asked.cursor)
        assert len(rows) == len({row.thread_id for row in rows}) == len({call.thread for call in calls})
        assert added([sums_of(row.sums) for row in rows]) == sums_of(asked.total)


@FEW
@given(calls=st.lists(spent(), min_size=1, max_size=25))
def test_filters_split_the_total_and_agree_with_the_groups(calls: list[Spent]) -> None:
    with spending(calls) as context:
        for word in ("model", "project", "effort", "thread", "provider"):
            asked = answers.summary(context, context.period("all"), by=(word,), limit=99)
            for row in asked.rows:
                for period in ("all", "2026-10-01T00:01Z..2026-11-30T12:00Z"):  # from the daily sums, from calls
                    alone = answers.summary(context, context.period(period), filters=Filters(**{word: row.labels[0]}))
                    assert sums_of(alone.total) == sums_of(row.sums), (word, row.labels, period)
                listed = answers.calls(
                    context, context.period("all"), filters=Filters(**{word: row.labels[0]}), limit=99
                )
                assert len(listed.rows) == row.sums.calls
        two = (
            answers.summary(context, context.period("all"), filters=Filters(model="GPT-5.5", project="Atlas"))
            if ({"gpt-5.5"} <= {call.model for call in calls} and {"atlas"} <= {call.folder for call in calls})
            else None
        )
        if two:
            wanted = [call for call in calls if call.model == "gpt-5.5" and call.folder == "atlas"]
            assert two.total.calls == len(wanted)


def test_the_rest_counts_a_thread_once_that_is_in_several_of_its_groups(tmp_path: Path) -> None:
    calls = [Spent(model="gpt-5.5", input=90_000), Spent(model="gpt-5.4"), Spent(model="gpt-5-codex")]
    with asking(home(tmp_path, calls)) as context:
        asked = answers.summary(context, context.period("all"), limit=1)
    assert asked.rest_groups == 2
    assert asked.rest
    assert asked.rest.threads == 1


def test_a_span_that_fits_no_day_of_the_index_counts_to_the_millisecond(tmp_path: Path) -> None:
    calls = [Spent(at="2026-11-20T10:00:00Z", input=1), Spent(at="2026-11-20T10:00:01Z", input=20)]
    with asking(home(tmp_path, calls)) as context:
        early = answers.summary(context, context.period("2026-11-20T09:00Z..2026-11-20T10:00:00Z"))
        late = answers.summary(context, context.period("2026-11-20T10:00:00.001Z..2026-11-20T10:00:01Z"))
        hours = answers.summary(context, context.period("last_27_hours"))
    assert (early.total.input_tokens, late.total.input_tokens, hours.total.input_tokens) == (1, 20, 21)


def test_an_empty_index_answers_with_zero_and_costs_nothing(tmp_path: Path) -> None:
    with asking(home(tmp_path, [])) as context:
        asked = answers.summary(context, context.period("last_7_days"))
        assert answers.threads(context, context.period("all")).rows == []
        assert answers.calls(context, context.period("all")).rows == []
        assert list(answers.export_rows(context, context.period("all"))) == []
        assert answers.status(context).today.calls == 0
    assert (asked.total.calls, asked.total.cost_usd, asked.rows, asked.rest) == (0, 0.0, [], None)
    assert asked.data_quality == "no logs found"


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_days_are_listed_in_time_and_the_newest_are_kept(tmp_path: Path, limit: int) -> None:
    calls = [Spent(at=f"2026-11-{day}T09:00Z", input=100 * day) for day in range(17, 21)]
    with asking(home(tmp_path, calls)) as context:
        asked = answers.summary(context, context.period("all"), by=("day",), limit=limit)
    newest = [f"2026-11-{day}" for day in range(17, 21)]
    assert [row.labels[0] for row in asked.rows] == newest[4 - limit :]
    assert asked.rest_groups == 4 - limit


def test_now_is_utc_noon_in_these_tests() -> None:
    assert NOW.astimezone(UTC).isoformat() == "2026-11-21T12:00:00+00:00"
