"""projects.json and the disk decide about projects: changes are taken up without reading a log again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codex_usage.homes import Places
from codex_usage.homes.projects import hashed_remote
from codex_usage.index import Filters, Scope, attribution, open_index, queries
from codex_usage.index.attribution import repository_of
from tests.support.index import clean_build, places_of, refreshed, snapshot_of
from tests.support.rollouts import NOON, Rollout

REMOTE = {"git": {"repository_url": "git@github.com:acme/shop.git", "branch": "main"}}
EVER = Scope(None, None, None)
CONFIGS: list[dict[str, Any] | str] = [
    {"aliases": {"git@github.com:acme/shop.git": "Store", "notes": "Store"}, "tags": {"St*": ["client-a"]}},
    {"aliases": {"/home/dev/shop-two": "second"}, "ignored_paths": ["/home/dev/scratch"]},
    {"ignored_paths": ["/home/dev/shop/private", "/home/dev/shop-two"], "tags": {"shop": ["client-a", "b"]}},
    {"ignored_paths": ["/**"]},
    "not JSON",
    {},
]


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The projects.json, not there yet."""
    monkeypatch.setenv("CODEX_USAGE_HOME", str(tmp_path))
    return tmp_path / "projects.json"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Two clones of a repository, one call in a folder below, one elsewhere, and two folders without a remote."""
    home = tmp_path / "home"
    Rollout(cwd="/home/dev/shop", meta_fields=REMOTE).turn().call(input=1).write(home)
    inner = Rollout(cwd="/home/dev/shop", meta_fields=REMOTE, now=NOON + 1).turn().call(input=2)
    inner.context(cwd="/home/dev/shop/private").call(input=4).context(cwd="/home/dev/scratch/x").call(input=8)
    inner.write(home)
    Rollout(cwd="/home/dev/shop-two", meta_fields=REMOTE, now=NOON + 2).turn().call(input=16).write(home)
    Rollout(cwd="/home/dev/notes", now=NOON + 3).turn().call(input=32).write(home)
    Rollout(cwd="/home/dev/scratch", now=NOON + 4).turn().call(input=64).write(home)
    return places_of(home)


def write(own: Path, value: dict[str, Any] | str) -> None:
    own.write_text(value if isinstance(value, str) else json.dumps(value))


def inputs(places: Places) -> dict[str, int]:
    """Input tokens by project: each call's are another power of two."""
    with open_index(places.index) as index:
        return {row.labels[0]: row.input for row in queries.groups(index, ("project",), EVER)}


def projects(places: Places) -> list[tuple[str, str, str | None]]:
    with open_index(places.index) as index:
        return sorted(index.sql.execute("SELECT key, label, tags FROM projects").fetchall())


def test_aliases_and_ignored_folders_move_calls_and_lose_none(places: Places, own: Path) -> None:
    refreshed(places)
    assert inputs(places) == {"shop": 1 + 2 + 4 + 16, "x": 8, "notes": 32, "scratch": 64}
    found = []
    for config in CONFIGS:
        write(own, config)
        assert refreshed(places).read_files == 0
        found.append(inputs(places))
    assert found == [
        {"Store": 1 + 2 + 4 + 16 + 32, "x": 8, "scratch": 64},
        {"shop": 1 + 2 + 4, "second": 16, "notes": 32, "(ignored)": 8 + 64},
        {"shop": 1 + 2, "(ignored)": 4 + 16, "x": 8, "notes": 32, "scratch": 64},
        {"(ignored)": 127},
        {"shop": 1 + 2 + 4 + 16, "x": 8, "notes": 32, "scratch": 64},
        {"shop": 1 + 2 + 4 + 16, "x": 8, "notes": 32, "scratch": 64},
    ]


def test_a_changed_file_gives_the_index_of_a_clean_build(places: Places, own: Path) -> None:
    refreshed(places)
    for config in CONFIGS:
        write(own, config)
        refreshed(places)
        known, told = snapshot_of(places), projects(places)
        assert clean_build(places) == known
        assert projects(Places(places.codex, (), places.data, places.index.with_name("clean.sqlite"))) == told
    own.unlink()
    refreshed(places)
    assert snapshot_of(places) == clean_build(places)


def test_a_file_that_changes_between_logs_gives_the_index_of_a_clean_build(places: Places, own: Path) -> None:
    logs = sorted(places.codex[0].rglob("*.jsonl"))
    kept = {path: path.read_bytes() for path in logs}
    for path in logs:
        path.unlink()
    for (path, data), config in zip(kept.items(), CONFIGS, strict=False):
        write(own, config)
        path.write_bytes(data)
        refreshed(places)
        assert snapshot_of(places) == clean_build(places)


def test_tags_are_kept_with_their_project(places: Places, own: Path) -> None:
    write(own, CONFIGS[0])
    refreshed(places)
    assert projects(places)[0] == ("as:Store", "Store", '["client-a"]')
    write(own, {"tags": {"shop": ["ä"]}})
    refreshed(places)
    assert {label: tags for _, label, tags in projects(places)}["shop"] == '["ä"]'


def test_an_ignored_folder_is_not_shown(places: Places, own: Path) -> None:
    write(own, {"ignored_paths": ["/home/dev/scratch"]})
    refreshed(places)
    with open_index(places.index) as index:
        threads = queries.threads(index, EVER)
        calls = list(queries.each_call(index, EVER, Filters()))
    assert [row.head["cwd"] for row in threads if row.head["project"] == "(ignored)"] == [None]
    assert {row.head["cwd"] for row in threads} == {None, "/home/dev/shop", "/home/dev/shop-two", "/home/dev/notes"}
    assert [row.cwd for row in calls if row.project == "(ignored)"] == [None, None]
    assert not [row for row in calls if "scratch" in (row.cwd or "")]


# -- the disk ----------------------------------------------------------------------------------------------


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The folders that were looked at."""
    seen: list[str] = []

    def look(folder: str) -> Any:
        seen.append(folder)
        return repository_of(folder)

    monkeypatch.setattr(attribution, "repository_of", look)
    return seen


def clone(folder: Path) -> Path:
    (folder / ".git").mkdir(parents=True)
    (folder / ".git/config").write_text('[remote "origin"]\nurl = https://github.com/acme/shop.git\n')
    return folder


def test_a_log_without_a_remote_finds_it_on_the_disk_once_and_for_all(tmp_path: Path, looks: list[str]) -> None:
    home, shop = tmp_path / "codex", clone(tmp_path / "src/old-name")
    (shop / "api").mkdir()
    places = places_of(home)
    Rollout(cwd="/gone/shop", meta_fields=REMOTE).turn().call(input=1).write(home)
    for number in range(1, 4):
        Rollout(cwd=str(shop / "api"), now=NOON + number).turn().call(input=2).call(input=2).write(home)
    refreshed(places)
    key = (hashed_remote("x://github.com/acme/shop") or "").rsplit("/", 1)[0]
    assert projects(places) == [(key, "shop", None)]
    assert looks == [str(shop / "api")]
    assert snapshot_of(places) == clean_build(places)
    shutil.rmtree(shop)
    looks.clear()
    Rollout(cwd=str(shop / "api"), now=NOON + 9).turn().call(input=2).write(home)
    refreshed(places)
    assert projects(places) == [(key, "shop", None)]
    assert looks == []


def test_an_ignored_folder_is_not_looked_at(tmp_path: Path, own: Path, looks: list[str]) -> None:
    write(own, {"ignored_paths": [str(tmp_path / "src")]})
    Rollout(cwd=str(clone(tmp_path / "src/shop"))).turn().call(input=1).write(tmp_path / "codex")
    refreshed(places_of(tmp_path / "codex"))
    assert looks == []


def test_a_repository_without_a_remote_is_one_project(tmp_path: Path) -> None:
    shop = tmp_path / "src/shop"
    (shop / ".git").mkdir(parents=True)
    (shop / ".git/config").write_text("")
    (shop / "api").mkdir()
    for number, folder in enumerate((shop, shop / "api")):
        Rollout(cwd=str(folder), now=NOON + number).turn().call(input=1).write(tmp_path / "codex")
    places = places_of(tmp_path / "codex")
    refreshed(places)
    assert projects(places) == [(f"dir:{shop}", "shop", None)]


def test_segments_that_began_in_other_folders_come_in_any_order(tmp_path: Path) -> None:
    """The first segment's header decides for the thread, read first or last."""
    home = tmp_path / "codex"
    first = Rollout(cwd="/home/dev/one").turn().call(input=1)
    second = Rollout(cwd="/home/dev/two", thread=first.thread, segment="1", now=NOON + 60_000, meta_fields=REMOTE)
    second.turn().call(input=2)
    places = places_of(home)
    for order in ((first, second), (second, first)):
        shutil.rmtree(home, ignore_errors=True)
        for rollout in order:
            rollout.write(home)
            refreshed(places)
        assert snapshot_of(places) == clean_build(places)
        places.index.unlink()
