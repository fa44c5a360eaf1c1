"""Windows told apart from their snapshots, and what one percent is worth."""

from __future__ import annotations

import random
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_usage.money.windows import Snapshot, Window, split, window_name, worth

MINUTE = 60_000
HOUR = 3_600_000
T = 1_795_000_000_000
WEEK = 10_080


def shot(hours: float, used: float, resets: float | None) -> Snapshot:
    """A snapshot and its reset in hours from a moment."""
    return Snapshot(T + round(hours * HOUR), used, None if resets is None else T // 1000 + round(resets * 3600))


def used(windows: list[Window]) -> list[list[float]]:
    """The percents of each window."""
    return [[row.used for row in window.snapshots] for window in windows]


@pytest.mark.parametrize(
    ("minutes", "name"),
    [(300, "5-hour"), (1440, "daily"), (WEEK, "weekly"), (43200, "monthly"), (90, "90-minute"), (720, "12-hour")],
)
def test_a_window_is_named_by_its_length(minutes: int, name: str) -> None:
    assert window_name(minutes) == name


def test_a_reset_that_passes_begins_a_new_window() -> None:
    windows = split([shot(1, 10, 5), shot(4, 60, 5), shot(6, 3, 11), shot(7, 70, 11)], 300)
    assert used(windows) == [[10, 60], [3, 70]]
    assert [(window.started_ms, window.resets_ms) for window in windows] == [
        (T, T + 5 * HOUR),
        (T + 6 * HOUR, T + 11 * HOUR),
    ]


def test_the_order_of_the_snapshots_does_not_matter() -> None:
    rows = [shot(1, 10, 5), shot(4, 60, 5), shot(6, 3, 11), shot(7, 70, 11)]
    assert split(reversed(rows), 300) == split(rows, 300)


def test_reset_times_that_jitter_are_one_reset() -> None:
    assert len(split([shot(i / 10, i, 5 + (i % 3 - 1) / 60) for i in range(40)], 300)) == 1
    assert len(split([shot(i, i, 168 + (i % 3 - 1) / 3) for i in range(40)], WEEK)) == 1


def test_sessions_side_by_side_report_late_values() -> None:
    rows = [shot(1, 30, 168), shot(1.05, 38, 168), shot(1.06, 31, 168), shot(1.5, 40, 168), shot(9, 38.5, 168)]
    assert used(split(rows, WEEK)) == [[30, 38, 31, 40, 38.5]]


def test_a_clear_fall_is_an_early_reset_though_the_announced_one_stays() -> None:
    windows = split([shot(1, 30, 168), shot(50, 60, 168), shot(60, 1, 168), shot(70, 20, 168)], WEEK)
    assert used(windows) == [[30, 60], [1, 20]]
    assert windows[0].resets_ms == T + 60 * HOUR  # when it was seen, not when it was announced
    assert windows[1].started_ms == T + 50 * HOUR


def test_a_reset_day_that_moves_begins_a_new_window_even_without_a_fall() -> None:
    windows = split([shot(1, 1, 168), shot(50, 2, 168), shot(60, 2, 228), shot(70, 20, 228)], WEEK)
    assert used(windows) == [[1, 2], [2, 20]]


def test_a_late_word_of_the_window_before_goes_there() -> None:
    rows = [shot(1, 30, 168), shot(50, 95, 168), shot(51, 1, 219), shot(51.1, 95, 168), shot(51.2, 2, 219)]
    assert used(split(rows, WEEK)) == [[30, 95, 95], [1, 2]]
    after = [shot(1, 30, 5), shot(4.9, 95, 5), shot(5.01, 0, 10), shot(5.02, 95, 5), shot(6, 2, 10)]
    assert used(split(after, 300)) == [[30, 95, 95], [0, 2]]


def test_the_reset_of_an_unused_window_slides_and_is_one_window() -> None:
    rows = [shot(i / 4, 0, i / 4 + 5) for i in range(100)] + [shot(25.5, 4, 30), shot(26, 9, 30)]
    windows = split(rows, 300)
    assert len(windows) == 1
    assert (windows[0].started_ms, windows[0].resets_ms) == (T + 25 * HOUR, T + 30 * HOUR)


def test_without_reset_times_falls_and_the_length_tell_windows_apart() -> None:
    windows = split([shot(0, 10, None), shot(2, 50, None), shot(3, 5, None), shot(7, 9, None), shot(9, 12, None)], 300)
    assert used(windows) == [[10, 50], [5, 9], [12]]
    assert {(window.started_ms, window.resets_ms) for window in windows} == {(None, None)}


def test_snapshots_without_a_reset_time_join_the_window_they_are_in() -> None:
    rows = [shot(0.1, 5, None), shot(1, 10, 5), shot(2, 20, None), shot(4, 60, 5), shot(6, 3, None), shot(7, 9, 11)]
    assert used(split(rows, 300)) == [[5, 10, 20, 60], [3, 9]]


def test_nothing_and_an_impossible_reset_time() -> None:
    assert split([], 300) == []
    assert split([Snapshot(T, 5, 10**30), Snapshot(T + 1, 6, -1), Snapshot(T + 2, 7, 0)], 300)[0].resets_ms is None


snapshots = st.lists(
    st.builds(
        Snapshot,
        st.integers(T, T + 900 * HOUR),
        st.integers(0, 100).map(float) | st.floats(0, 100),
        st.none() | st.integers(T // 1000, T // 1000 + 1_000 * 3600) | st.integers(),
    ),
    max_size=40,
)


@given(snapshots, st.sampled_from([300, 1440, WEEK]))
def test_every_snapshot_is_in_exactly_one_window_in_its_order(rows: list[Snapshot], minutes: int) -> None:
    windows = split(rows, minutes)
    key = repr
    assert sorted((row for window in windows for row in window.snapshots), key=key) == sorted(rows, key=key)
    for window in windows:
        assert window.snapshots
        assert [row.time_ms for row in window.snapshots] == sorted(row.time_ms for row in window.snapshots)
    begins = [window.snapshots[0].time_ms for window in windows]
    assert begins == sorted(begins)


def spending(seed: int, per_percent: float, weeks: int = 3) -> tuple[list[Window], list[tuple[int, float]]]:
    """Weeks of calls at so much a percent, shown in whole percents."""
    rng = random.Random(seed)
    spent, rows = [], []
    for week in range(weeks):
        calls = [rng.expovariate(1.0) * per_percent / 3 for _ in range(200)]
        for i, total in enumerate(accumulate(calls)):
            hours = week * 168 + i * 0.7 + 1
            spent.append((T + round(hours * HOUR), calls[i]))
            rows.append(shot(hours, float(int(total / per_percent)), (week + 1) * 168))
    return split(rows, WEEK), spent


@pytest.mark.parametrize("per_percent", [0.02, 1.5, 40.0])
def test_one_percent_is_worth_what_was_spent_on_it(per_percent: float) -> None:
    windows, spent = spending(1, per_percent)
    found = worth(windows, spent)
    assert found is not None
    assert found.per_percent == pytest.approx(per_percent, rel=0.05)
    assert found.low <= found.per_percent <= found.high
    assert found.windows == 3
    assert found.points == pytest.approx(200, abs=40)


def test_percents_of_other_machines_are_outvoted_while_they_are_few() -> None:
    windows, spent = spending(2, 1.0)
    gone = {i for i in range(len(spent)) if i % 200 in range(60, 90)}  # spent elsewhere: no amount here
    found = worth(windows, [(time, 0.0 if i in gone else amount) for i, (time, amount) in enumerate(spent)])
    assert found is not None
    assert 0.75 <= found.per_percent <= 1.02


def test_no_pair_of_snapshots_spans_a_reset() -> None:
    windows, spent = spending(3, 1.0)
    between = [(T + round((168 * week + 0.2) * HOUR) - 2 * HOUR, 1_000.0) for week in (1, 2)]  # after the last snapshot
    found = worth(windows, sorted(spent + between))
    assert found is not None
    assert found.high < 2


def test_worth_needs_three_points_and_an_amount() -> None:
    windows = split([shot(1, 0, 168), shot(2, 2, 168)], WEEK)
    assert worth(windows, [(T + HOUR, 1.0)]) is None
    windows, spent = spending(4, 1.0)
    assert worth(windows, []) is None
    assert worth([], spent) is None
