"""What a refresh reads, in which order, and what it says of the rest."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from codex_usage.homes import Places
from codex_usage.index import open_index, refresh
from codex_usage.index.refresh import _marks, coverage
from tests.support.index import LIMITS, calls_in, clean_build, places_of, refreshed, snapshot_of
from tests.support.rollouts import NOON, Rollout

DAY = 86_400_000


def write_days(home: Path, count: int) -> list[Path]:
    """One log a day, each last written on its day, the oldest first."""
    paths = []
    for day in range(count):
        path = Rollout(now=NOON + day * DAY).turn().call(input=100 + day, output=7).write(home)
        os.utime(path, ns=((NOON + day * DAY) * 1_000_000,) * 2)
        paths.append(path)
    return paths


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A home and its index."""
    (tmp_path / "home").mkdir()
    return places_of(tmp_path / "home")


def test_nothing_new_means_nothing_read_or_written(places: Places) -> None:
    write_days(places.codex[0], 3)
    assert refreshed(places).read_files == 3
    before = places.index.read_bytes()
    done = refreshed(places)
    assert (done.files, done.read_files, done.pending_files, done.covered_since_ms) == (3, 0, 0, None)
    assert places.index.read_bytes() == before


def test_only_what_was_appended_is_read(places: Places) -> None:
    log = Rollout().turn().call(input=1, output=1)
    log.write(places.codex[0])
    refreshed(places)
    size = len(log.bytes)
    log.call(input=2, output=2).write(places.codex[0])
    done = refreshed(places)
    assert (done.read_files, done.read_bytes) == (1, len(log.bytes) - size)


def test_a_refresh_without_time_reads_nothing_and_says_what_is_left(places: Places) -> None:
    paths = write_days(places.codex[0], 3)
    with open_index(places.index) as index:
        done = refresh(index, places, seconds=0)
        assert (done.read_files, done.pending_files) == (0, 3)
        assert done.pending_bytes == sum(path.stat().st_size for path in paths)
        assert done.covered_since_ms == NOON + 2 * DAY
        assert coverage(index).pending_files == 3


def test_a_bounded_refresh_reads_the_newest_first_and_completes_later(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LIMITS, "BATCH_BYTES", 1)
    write_days(places.codex[0], 6)
    with open_index(places.index) as index:
        done = refresh(index, places, seconds=0, since_ms=NOON + 4 * DAY)
        assert calls_in(index) == [(104, 0, 7), (105, 0, 7)]
        assert (done.pending_files, done.covered_since_ms) == (4, NOON + 3 * DAY)
        days = index.sql.execute("SELECT sum(calls) FROM days").fetchone()
        assert days == (2,), "sums fit what was read"
        assert refresh(index, places).pending_files == 0
        assert coverage(index).covered_since_ms is None
    assert snapshot_of(places) == clean_build(places)


def test_a_bulk_load_that_was_cut_off_is_completed(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums that a killed bulk load left stale are made again, whatever little is left to read."""
    monkeypatch.setattr(LIMITS, "BATCH_BYTES", 1)
    monkeypatch.setattr(LIMITS, "BULK_BYTES", 1)
    write_days(places.codex[0], 3)

    with open_index(places.index) as index:
        run = LIMITS._Run(index, places, _marks(places), None)
        assert run.pending()
        with index.write():
            run.batch(None)
        assert index.get("rollups") == "stale"
    monkeypatch.setattr(LIMITS, "BULK_BYTES", 48 << 20)
    refreshed(places)
    assert snapshot_of(places) == clean_build(places)


def test_a_refresh_that_waited_for_another_sees_what_that_one_saw(places: Places) -> None:
    """Its own listing is older than the index: a fork would be counted without its parent."""
    parent = Rollout("0.98.0").turn().call(input=100, output=7).wait(60_000)
    child = parent.fork().wait(1000).turn().call(input=300, output=11)
    child.write(places.codex[0])
    with open_index(places.index) as index:
        run = LIMITS._Run(index, places, _marks(places), None)
        assert run.pending()
        parent.write(places.codex[0])
        child.call(input=400, output=12).write(places.codex[0])
        refreshed(places)
        with index.write():
            run.batch(None)
        assert sorted(calls_in(index)) == [(100, 0, 7), (300, 0, 11), (400, 0, 12)]
    assert snapshot_of(places) == clean_build(places)


def test_several_processes_count_as_one(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LIMITS, "PARALLEL_BYTES", 0)
    parent = Rollout("0.98.0").turn().call(input=100, output=7).wait(60_000)
    parent.write(places.codex[0])
    parent.fork().wait(1000).turn().call(input=300, output=11).write(places.codex[0])
    write_days(places.codex[0], 4)
    with open_index(places.index) as index:
        refresh(index, places, workers=2)
    assert snapshot_of(places) == clean_build(places)


def test_progress_is_told_file_by_file(places: Places) -> None:
    write_days(places.codex[0], 3)
    seen = []
    with open_index(places.index) as index:
        refresh(index, places, progress=seen.append)
    assert [(step.files, step.total_files) for step in seen] == [(1, 3), (2, 3), (3, 3)]
    assert seen[-1].bytes == seen[-1].total_bytes


# -- several homes ------------------------------------------------------------------------------------------


def test_the_same_log_in_two_homes_counts_once(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    log = Rollout().turn().call(input=100, output=7)
    log.write(one)
    log.call(input=200, output=9).write(two)
    Rollout(now=NOON + DAY).turn().call(input=300, output=11).write(two)
    places = places_of(one, two)
    refreshed(places)
    with open_index(places.index) as index:
        assert calls_in(index) == [(100, 0, 7), (200, 0, 9), (300, 0, 11)]


def test_a_home_that_cannot_be_listed_keeps_its_calls(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    Rollout().turn().call(input=100, output=7).write(one)
    Rollout(now=NOON + DAY).turn().call(input=200, output=9).write(two)
    places = places_of(one, two)
    refreshed(places)
    two.rename(tmp_path / "unmounted")
    refreshed(places)
    with open_index(places.index) as index:
        assert calls_in(index) == [(100, 0, 7), (200, 0, 9)]
    (tmp_path / "unmounted").rename(two)
    shutil.rmtree(one / "sessions")
    refreshed(places)
    with open_index(places.index) as index:
        assert calls_in(index) == [(200, 0, 9)]


def test_a_home_that_is_no_longer_asked_for_is_forgotten(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    Rollout().turn().call(input=100, output=7).write(one)
    Rollout(now=NOON + DAY).turn().call(input=200, output=9).write(two)
    refreshed(places_of(one, two))
    refreshed(places_of(one))
    with open_index(places_of(one).index) as index:
        assert calls_in(index) == [(100, 0, 7)]


# -- zones --------------------------------------------------------------------------------------------------


def days_of(places: Places) -> list[tuple[int, int]]:
    """(day, calls) of the sums."""
    with open_index(places.index) as index:
        return index.sql.execute("SELECT day, sum(calls) FROM days GROUP BY day").fetchall()


def test_days_are_those_of_the_zone_and_follow_a_change_of_it(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    late = 1_795_304_400_000  # 2026-11-21T23:40Z: the 22nd in Berlin, the 21st in New York
    Rollout(now=late).turn().call(input=1, output=1).write(places.codex[0])
    for zone, day in (("Europe/Berlin", 20779), ("America/New_York", 20778), ("Europe/Berlin", 20779), ("UTC", 20778)):
        monkeypatch.setenv("CODEX_USAGE_TZ", zone)
        refreshed(places)
        assert days_of(places) == [(day, 1)], zone
        assert snapshot_of(places) == clean_build(places)


def test_a_bulk_load_cut_off_in_one_zone_is_completed_in_another(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LIMITS, "BATCH_BYTES", 1)
    late = 1_795_304_400_000
    for number in range(2):
        Rollout(now=late + number).turn().call(input=1, output=1).write(places.codex[0])
    monkeypatch.setenv("CODEX_USAGE_TZ", "UTC")
    with open_index(places.index) as index:
        run = LIMITS._Run(index, places, _marks(places), None)
        assert run.pending()
        with index.write():
            run.batch(None)
    monkeypatch.setenv("CODEX_USAGE_TZ", "Europe/Berlin")
    refreshed(places)
    assert days_of(places) == [(20779, 2)]
