"""Opening an index: what is ours, what is not, and what many processes may do to it at once."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from codex_usage.index import Index, open_index, refresh, schema
from codex_usage.index.database import empty, remove
from codex_usage.model import BadInput, IndexBusy, IndexForeign, IndexTooNew
from tests.support.index import calls_in, clean_build, places_of, refreshed, snapshot, snapshot_of
from tests.support.rollouts import Rollout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an index may be."""
    return tmp_path / "data" / "index.sqlite"


def test_a_new_index_is_made_with_its_folder(path: Path) -> None:
    with open_index(path) as index:
        assert index.sql.execute("SELECT count(*) FROM calls").fetchone() == (0,)
        assert index.sql.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX rights")
def test_only_the_user_may_read_an_index(path: Path) -> None:
    open_index(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sqlite"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE precious (a)")
    before = path.read_bytes()
    with pytest.raises(IndexForeign, match="--db"):
        open_index(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"hello, I am a letter\n" * 100, b"SQLite format 3\x00" + b"\xff" * 4000])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(content)
    with pytest.raises(IndexForeign, match=r"letter\.txt"):
        open_index(path)
    assert path.read_bytes() == content


def test_an_empty_file_becomes_an_index(tmp_path: Path) -> None:
    path = tmp_path / "empty.sqlite"
    path.touch()
    with open_index(path) as index:
        assert index.sql.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)


def test_an_empty_database_with_a_version_of_its_own_becomes_an_index(tmp_path: Path) -> None:
    path = tmp_path / "empty.sqlite"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("PRAGMA user_version = 77")
    with open_index(path) as index:
        assert calls_in(index) == []


def test_an_index_of_a_newer_version_is_refused(path: Path) -> None:
    with open_index(path) as index:
        index.sql.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(IndexTooNew, match="upgrade"):
        open_index(path)


def test_an_index_of_an_older_version_is_built_anew(tmp_path: Path) -> None:
    Rollout().turn().call(input=1, output=1).write(tmp_path / "home")
    places = places_of(tmp_path / "home")
    refreshed(places)
    with open_index(places.index) as index:
        index.sql.execute("DROP TABLE calls")
        index.sql.execute("CREATE TABLE calls (what_an_older_version_had)")
        index.sql.execute("CREATE TABLE gone_since (a)")
        index.sql.execute("PRAGMA user_version = 0")
    refreshed(places)
    assert snapshot_of(places) == clean_build(places)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="CODEX_USAGE_HOME"):
        open_index(tmp_path / "file" / "index.sqlite")


def test_a_folder_in_place_of_the_index_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="CODEX_USAGE_HOME"):
        open_index(tmp_path)


def test_a_writer_waits_as_long_as_it_was_told_and_then_says_busy(path: Path) -> None:
    with open_index(path) as first, open_index(path) as second, first.write():
        with pytest.raises(IndexBusy, match="another process"), second.write(wait=0.05):
            pass
        assert second.get("zone") is None, "reading is never blocked"


def test_a_refresh_says_busy_and_goes_on_later(tmp_path: Path) -> None:
    Rollout().turn().call(input=1, output=1).write(tmp_path / "home")
    places = places_of(tmp_path / "home")
    with open_index(places.index) as first, open_index(places.index) as second:
        with first.write(), pytest.raises(IndexBusy):
            refresh(second, places, wait=0.05)
        refresh(second, places)
        assert calls_in(second) == [(1, 0, 1)]


def test_a_transaction_that_fails_leaves_nothing(path: Path) -> None:
    with open_index(path) as index:
        with pytest.raises(RuntimeError), index.write():
            index.put("zone", "Mars")
            raise RuntimeError
        assert index.get("zone") is None


def test_a_full_disk_is_told_and_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    places = places_of(tmp_path / "home")
    log = Rollout().turn().call(input=1, output=1)
    log.write(tmp_path / "home")
    refreshed(places)
    before = snapshot_of(places)
    for _ in range(2000):
        log.call(input=2, output=2)
    log.write(tmp_path / "home")
    with open_index(places.index) as index:
        pages = index.sql.execute("PRAGMA page_count").fetchone()[0]
        index.sql.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(BadInput, match="make room"):
            refresh(index, places)
    assert snapshot_of(places) == before
    refreshed(places)
    assert snapshot_of(places) == clean_build(places)


def test_a_damaged_index_is_told_with_its_mend(tmp_path: Path) -> None:
    log = Rollout().turn()
    for _ in range(500):
        log.call(input=2, output=2)
    log.write(tmp_path / "home")
    places = places_of(tmp_path / "home")
    refreshed(places)
    content = bytearray(places.index.read_bytes())
    for at in range(4096, len(content), 4096):
        content[at : at + 200] = b"\xff" * 200
    places.index.write_bytes(content)
    with pytest.raises(BadInput, match="clear-db"):
        refreshed(places)
    remove(places.index)
    refreshed(places)
    assert snapshot_of(places) == clean_build(places)


def test_reads_in_a_snapshot_agree_with_each_other(tmp_path: Path) -> None:
    log = Rollout().turn().call(input=1, output=1)
    log.write(tmp_path / "home")
    places = places_of(tmp_path / "home")
    with open_index(places.index) as reader, open_index(places.index) as writer:
        refresh(writer, places)
        with reader.snapshot():
            before = snapshot(reader)
            log.call(input=2, output=2).write(tmp_path / "home")
            refresh(writer, places)
            assert snapshot(reader) == before
        assert snapshot(reader) != before


def test_an_emptied_index_is_filled_again(tmp_path: Path) -> None:
    Rollout().turn().call(input=1, output=1).write(tmp_path / "home")
    places = places_of(tmp_path / "home")
    refreshed(places)
    with open_index(places.index) as index:
        empty(index)
        assert calls_in(index) == []
        refresh(index, places)
        assert calls_in(index) == [(1, 0, 1)]


def test_a_removed_index_leaves_no_file(path: Path) -> None:
    index: Index = open_index(path)
    index.close()
    assert remove(path)[0] == path
    assert list(path.parent.iterdir()) == []
