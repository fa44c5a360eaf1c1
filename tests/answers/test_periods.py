"""Spans of time as people say them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_usage.answers.periods import Period, parse_period
from codex_usage.index.zones import Days, date_day
from codex_usage.model import BadInput
from codex_usage.model.questions import PERIOD_WORDS as WORDS

SATURDAY = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR = 3_600_000


def period(text: str | None, now: datetime = SATURDAY, zone: str = "UTC", **bounds: Any) -> Period:
    return parse_period(text, now, ZoneInfo(zone), **bounds)


def ms(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("word", "days"),
    {
        "today": "2026-11-21..2026-11-21",
        "yesterday": "2026-11-20..2026-11-20",
        "last_7_days": "2026-11-15..2026-11-21",
        "last_30_days": "2026-10-23..2026-11-21",
        "this_week": "2026-11-16..2026-11-21",
        "last_week": "2026-11-09..2026-11-15",
        "this_month": "2026-11-01..2026-11-21",
        "last_month": "2026-10-01..2026-10-31",
        "this_year": "2026-01-01..2026-11-21",
        "7d": "2026-11-15..2026-11-21",
        "last_1_day": "2026-11-21..2026-11-21",
        "last 3 days": "2026-11-19..2026-11-21",
        "2026-02": "2026-02-01..2026-02-28",
        "LAST-7-DAYS": "2026-11-15..2026-11-21",
        "2024-02": "2024-02-01..2024-02-29",
        "2026-11-14": "2026-11-14..2026-11-14",
        "2026-11-01..2026-11-14": "2026-11-01..2026-11-14",
    }.items(),
)
def test_a_word_means_whole_days_and_both_ends_count(word: str, days: str) -> None:
    found = period(word)
    first, last = map(date.fromisoformat, days.split(".."))
    assert (found.first, found.last) == (first, last)
    assert found.start_ms == ms(str(first))
    assert found.end_ms == ms(str(last + timedelta(days=1)))


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.sampled_from((0, 6)))
def test_a_week_begins_on_the_day_that_is_set_and_follows_the_one_before(today: date, start: int) -> None:
    now = datetime.combine(today, time(23, 59), UTC)
    this, last, whole = (period(word, now, week_start=start) for word in ("this_week", "last_week", "whole_week"))
    assert this.first is not None and last.last is not None and whole.last is not None
    assert this.first.weekday() == start
    assert this.first <= now.date() == this.last <= whole.last
    assert (last.last, whole.last) == (this.first - timedelta(days=1), this.first + timedelta(days=6))


@pytest.mark.parametrize("day", range(16, 23))
def test_a_week_begins_on_monday_whatever_day_it_is(day: int) -> None:
    found = period("this_week", datetime(2026, 11, day, 23, 59, tzinfo=UTC))
    assert (str(found.first), found.last) == ("2026-11-16", date(2026, 11, day))


def test_the_last_day_of_a_month_is_followed_by_the_first_of_the_next() -> None:
    assert str(period("this_month", datetime(2026, 10, 31, 23, 59, tzinfo=UTC)).first) == "2026-10-01"
    assert str(period("last_month", datetime(2027, 1, 1, 0, 0, tzinfo=UTC)).first) == "2026-12-01"
    assert period("last_month", datetime(2024, 3, 31, tzinfo=UTC)).text == "2024-02-01..2024-02-29"


def test_today_is_the_users_day_east_and_west() -> None:
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    assert str(period("today", late, "Asia/Tokyo").first) == "2026-11-22"
    assert str(period("today", late, "America/Los_Angeles").first) == "2026-11-21"
    assert str(period("today", datetime(2026, 11, 21, 3, 0, tzinfo=UTC), "America/Los_Angeles").first) == "2026-11-20"
    assert period("today", late, "Asia/Kathmandu").start_ms == ms("2026-11-22", "Asia/Kathmandu")


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-10-25", 25),
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-06-01", 24),
        ("America/Los_Angeles", "2026-11-01", 25),
        ("America/Santiago", "2026-09-06", 23),
        ("UTC", "2026-10-25", 24),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
    ],
)
def test_days_of_a_clock_change_are_as_long_as_they_are(zone: str, day: str, hours: float) -> None:
    found = period(day, zone=zone)
    assert found.start_ms is not None
    assert found.end_ms is not None
    assert found.end_ms - found.start_ms == hours * HOUR


@given(
    zone=st.sampled_from(
        ("UTC", "Europe/Berlin", "America/Santiago", "Africa/Cairo", "Asia/Kolkata", "Pacific/Chatham")
    ),
    day=st.dates(date(2020, 1, 1), date(2030, 12, 31)),
)
def test_a_day_of_a_period_is_the_day_of_the_index(zone: str, day: date) -> None:
    found, days = period(str(day), zone=zone), Days(ZoneInfo(zone))
    assert found.start_ms is not None
    assert found.end_ms is not None
    assert (days.of(found.start_ms), days.of(found.end_ms - 1)) == (date_day(day), date_day(day))
    assert days.of(found.start_ms - 1) == date_day(day) - 1


def test_since_and_until_take_days_inclusively_and_times_exactly() -> None:
    assert period(None, since="2026-11-01", until="2026-11-14") == Period(
        "2026-11-01..2026-11-14", ms("2026-11-01"), ms("2026-11-15"), date(2026, 11, 1), date(2026, 11, 14)
    )
    exact = period(None, since="2026-11-14T09:30+01:00", until="2026-11-14T09:00Z")
    assert (exact.start_ms, exact.end_ms) == (ms("2026-11-14T08:30"), ms("2026-11-14T09:00") + 1)
    local = period(None, zone="Europe/Berlin", since="2026-11-14T09:30")
    assert (local.start_ms, local.end_ms) == (ms("2026-11-14T08:30"), None)


def test_an_open_end_can_be_written_as_a_period_too() -> None:
    assert period("2026-11-01..").start_ms == period(None, since="2026-11-01").start_ms
    assert period("..2026-11-14").end_ms == ms("2026-11-15")
    assert period("2026-11-14T09:00Z..2026-11-14T10:00Z").start_ms == ms("2026-11-14T09:00")


@pytest.mark.parametrize("word", ["last_7_days", "today", "this_month", "2026-10-25", "2026-11-01..2026-11-14"])
def test_the_period_before_has_as_many_days_and_ends_where_this_one_begins(word: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    now = period(word, zone="Europe/Berlin")
    before = now.before(zone)
    assert before is not None
    assert before.end_ms == now.start_ms
    assert now.first and now.last and before.first and before.last
    assert before.last - before.first == now.last - now.first


def test_nothing_lies_before_an_open_period_or_the_first_day_there_is() -> None:
    assert period("all").before(ZoneInfo("UTC")) is None
    assert period("0001-01-03").before(ZoneInfo("UTC")) is not None
    assert period("0001-01-02").before(ZoneInfo("Europe/Berlin")) is None
    assert period(None, since="2026-11-01").before(ZoneInfo("UTC")) is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30",
        "tomorrow",
        "last_0_days",
        "0d",
        "2026-13",
        "2026-11-14..2026-11-01",
        "..",
        "a..b",
        "2026-11-01...",
        "9999-12-31",
        "0001-01-01..x",
        "2026-11-01..2026-11-02..2026-11-03",
        "🙂",
        "-7d",
        "2026-11-14T25:00..",
        "99999_days",
        "last_9999_days..",
    ],
)
def test_what_is_no_period_is_told_in_one_sentence_with_the_mend(text: str) -> None:
    with pytest.raises(BadInput) as error:
        period(text)
    message = str(error.value)
    assert message.count("\n") == 0
    assert len(message) < 200
    assert any(word in message for word in ("use ", "write ", "give "))


def test_every_word_is_understood() -> None:
    for word in WORDS:
        assert period(word).label == word


def test_a_period_and_bounds_together_are_refused() -> None:
    with pytest.raises(BadInput, match="not both"):
        period("today", since="2026-11-01")
