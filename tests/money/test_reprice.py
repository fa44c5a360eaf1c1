"""New prices work out every cost again, and touch nothing else."""

from __future__ import annotations

from pathlib import Path

from codex_usage.index import open_index, refresh
from tests.support.index import places_of, refreshed, snapshot_of
from tests.support.rollouts import Rollout


def test_a_change_of_the_price_source_reprices_every_call(tmp_path: Path) -> None:
    Rollout().turn().call(input=100_000, output=1000).write(tmp_path / "home")
    Rollout(now=1_795_000_000_000, model="nonesuch").turn().call(input=5, output=5).write(tmp_path / "home")
    places = places_of(tmp_path / "home")
    refreshed(places)
    before = snapshot_of(places)
    with open_index(places.index) as index, index.write() as sql:
        sql.execute("UPDATE calls SET cost = 1")
        sql.execute("UPDATE rates SET confidence = 'unpriced'")
    refreshed(places)
    assert snapshot_of(places) != before, "nothing told that the prices changed"
    with open_index(places.index) as index, index.write():
        index.put("prices", "older")
    assert refreshed(places).read_files == 0
    assert snapshot_of(places) == before


def test_an_unpriced_call_is_counted_and_never_costs_zero(tmp_path: Path) -> None:
    Rollout(model="nonesuch").turn().call(input=5, output=5).write(tmp_path / "home")
    places = places_of(tmp_path / "home")
    with open_index(places.index) as index:
        refresh(index, places)
        assert index.sql.execute("SELECT cost FROM calls").fetchall() == [(None,)]
        assert index.sql.execute("SELECT calls, cost, credits FROM days").fetchall() == [(1, 0, 0)]
