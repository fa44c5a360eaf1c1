"""The demo home is read like a real one, and has something to show."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from codex_usage.cli.demo import write_demo_home
from codex_usage.homes import Places
from codex_usage.index import Index, open_index, refresh
from codex_usage.model import BadInput

NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _days_of_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days are counted where the demo's hours are."""
    monkeypatch.setenv("CODEX_USAGE_TZ", "UTC")


def rollouts(home: Path) -> dict[str, bytes]:
    """All files of a home, by their relative names."""
    return {file.relative_to(home).as_posix(): file.read_bytes() for file in home.rglob("*") if file.is_file()}


def indexed(folder: Path, now: datetime = NOW) -> Index:
    """A demo home written and read."""
    write_demo_home(folder / "home", now=now)
    places = Places((folder / "home",), (), folder, folder / "index.sqlite")
    index = open_index(places.index)
    done = refresh(index, places)
    assert done.problems == []
    assert done.pending_files == 0
    return index


def test_every_call_is_read_and_priced_and_nothing_is_skipped(tmp_path: Path) -> None:
    """Some 60 threads over more than 40 days, in 4 projects, with 3 models or more."""
    with indexed(tmp_path) as index:
        one = index.sql.execute
        assert one("SELECT count(*) FROM files WHERE skipped IS NOT NULL OR problem IS NOT NULL").fetchone() == (0,)
        calls, priced, days, threads, projects, models = one(
            "SELECT count(*), count(cost), count(DISTINCT day), count(DISTINCT thread_id),"
            " count(DISTINCT project_id), count(DISTINCT model_id) FROM calls"
        ).fetchone()
        assert calls == priced > 1000
        assert days > 40
        assert 55 <= threads <= 75
        assert projects == 4
        assert models >= 3


def test_each_usage_record_is_one_call(tmp_path: Path) -> None:
    """The repeated token counts of the same responses add nothing."""
    with indexed(tmp_path) as index:
        records = sum(data.count(b'"token_usage_record"') for data in rollouts(tmp_path / "home").values())
        assert index.sql.execute("SELECT count(*) FROM calls").fetchone() == (records,)


def test_the_kinds_of_work_are_all_there(tmp_path: Path) -> None:
    """Subagents and a review with their parents, compactions, a priority tier, and one named thread."""
    with indexed(tmp_path) as index:
        one = index.sql.execute
        roles = dict(one("SELECT role, count(*) FROM threads GROUP BY role").fetchall())
        assert roles["guardian"] == 1
        assert roles["subagent"] >= 8
        orphans = (
            "SELECT count(*) FROM threads c LEFT JOIN threads p ON p.uuid = c.parent"
            " WHERE c.role <> 'user' AND p.id IS NULL"
        )
        assert one(orphans).fetchone() == (0,)
        assert one("SELECT count(*) FROM calls WHERE compaction = 1").fetchone()[0] > 2
        tiers = one("SELECT count(*) FROM calls c JOIN names s ON s.id = c.tier_id WHERE s.text = 'priority'")
        assert tiers.fetchone()[0] > 10
        assert one("SELECT count(*) FROM threads WHERE name IS NOT NULL").fetchone() == (1,)
        assert one("SELECT count(DISTINCT minutes) FROM windows").fetchone() == (2,)


def test_two_days_ago_cost_more_than_any_week(tmp_path: Path) -> None:
    """The planted spike: one named thread, without cache, on the dearest model."""
    with indexed(tmp_path) as index:
        days = dict(index.sql.execute("SELECT day, sum(cost) FROM calls GROUP BY day").fetchall())
        spike = max(days, key=lambda day: int(days[day]))
        assert spike == (NOW - timedelta(days=2)).toordinal() - date(1970, 1, 1).toordinal()
        assert days.pop(spike) > 7 * max(days.values()) > 0
        name, cached, model = index.sql.execute(
            "SELECT t.name, sum(c.cached), min(m.text) FROM calls c JOIN threads t ON t.id = c.thread_id"
            " JOIN names m ON m.id = c.model_id GROUP BY t.id ORDER BY sum(c.cost) DESC LIMIT 1"
        ).fetchone()
        assert name
        assert (cached, model) == (0, "gpt-5.5")


def test_the_same_seed_and_moment_give_the_same_bytes(tmp_path: Path) -> None:
    """And another seed gives others."""
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        write_demo_home(tmp_path / name, now=NOW, seed=seed)
    assert rollouts(tmp_path / "a") == rollouts(tmp_path / "b") != rollouts(tmp_path / "c")


@pytest.mark.parametrize("hour", [0, 1, 9, 12, 23])
def test_nothing_lies_in_the_future(tmp_path: Path, hour: int) -> None:
    """At whatever hour, and in whatever zone, the demo is made."""
    now = datetime(2026, 3, 29, hour, 5, tzinfo=timezone(timedelta(hours=-7)))
    write_demo_home(tmp_path / "home", now=now)
    last = max(
        json.loads(data.splitlines()[-1])["timestamp"]
        for name, data in rollouts(tmp_path / "home").items()
        if name.startswith("sessions/")
    )
    assert now - timedelta(days=1) < datetime.fromisoformat(last) <= now


def test_it_is_quick_and_small(tmp_path: Path) -> None:
    """Less than 3 seconds of work and 8 MB."""
    began = time.process_time()
    write_demo_home(tmp_path / "home", now=NOW)
    assert time.process_time() - began < 3
    assert sum(map(len, rollouts(tmp_path / "home").values())) < 8e6


def test_a_folder_with_files_is_never_written_into(tmp_path: Path) -> None:
    """It might be someone's real home."""
    (tmp_path / "config.toml").touch()
    with pytest.raises(BadInput, match="not empty"):
        write_demo_home(tmp_path, now=NOW)
    with pytest.raises(BadInput, match="not empty"):
        write_demo_home(tmp_path / "config.toml", now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]
