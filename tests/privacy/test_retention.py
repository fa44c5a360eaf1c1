"""What is forgotten: it is gone from every answer and from every byte of the files, and it stays gone."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from codex_usage.homes import Places
from codex_usage.index import Index, open_index, refresh
from codex_usage.index.database import empty, remove
from codex_usage.index.facts import refresh_facts
from codex_usage.index.retention import forget
from codex_usage.model import IndexBusy
from tests.support.index import places_of, snapshot
from tests.support.rollouts import Rollout, uuid7

DAY = 86_400_000
NEW = 1_795_291_200_000  # 2026-11-21
OLD = NEW - 40 * DAY
LIMIT = NEW - 30 * DAY


def log(at: int, word: str, number: int) -> Rollout:
    """A thread of one call, marked in everything of it that is stored."""
    made = Rollout(thread=uuid7(at, number), now=at, model=f"model-{word}", cwd=f"/home/dev/folder-{word}")
    made.lines.clear()
    made.meta(git={"branch": f"branch-{word}", "repository_url": f"git@host.test:acme/remote-{word}.git"})
    return made.turn(effort=f"effort-{word}").call(input=number, output=1, tool=True).end()


def write(home: Path, made: Rollout, name: str | None = None) -> Path:
    """Write a log as old as its last line, with a name that its user gave the thread."""
    path = made.write(home)
    os.utime(path, (made.now / 1000, made.now / 1000))
    if name:
        with (home / "session_index.jsonl").open("a", encoding="utf-8") as names:
            names.write(
                json.dumps({"id": made.thread, "thread_name": name, "updated_at": "2026-11-21T00:00:00Z"}) + "\n"
            )
    return path


def read(places: Places) -> Index:
    """The index after both passes."""
    index = open_index(places.index)
    refresh(index, places)
    refresh_facts(index, places)
    return index


def stored(places: Places) -> bytes:
    """Every byte of the index's files."""
    return b"".join(path.read_bytes() for path in sorted(places.index.parent.glob("index.sqlite*")))


def inputs(index: Index) -> list[int]:
    return [row[0] for row in index.sql.execute("SELECT input FROM calls ORDER BY time_ms")]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A home with an old and a new thread."""
    write(tmp_path / "home", log(OLD, "oldmark", 11), "name-oldmark")
    write(tmp_path / "home", log(NEW, "newmark", 22), "name-newmark")
    return places_of(tmp_path / "home")


def marks(word: str, at: int, number: int) -> list[bytes]:
    """What a thread leaves in the index: names, paths and its id."""
    kinds = ("model", "folder", "branch", "remote", "effort", "name")
    return [f"{kind}-{word}".encode() for kind in kinds] + [uuid7(at, number).encode()]


def test_what_is_forgotten_leaves_no_byte_in_the_database_or_the_files_beside_it(places: Places) -> None:
    old, new = marks("oldmark", OLD, 11), marks("newmark", NEW, 22)
    with read(places) as index:
        before = stored(places)
        assert [mark for mark in old + new if mark not in before] == [], "the marks are stored at first"
        forget(index, LIMIT)
        after = stored(places)
        assert [mark for mark in old if mark in after] == []
        assert [mark for mark in new if mark not in after] == []
    assert inputs(open_index(places.index)) == [22]


def test_forgetting_leaves_what_a_home_without_the_old_logs_would_give(places: Places, tmp_path: Path) -> None:
    with read(places) as index:
        forget(index, LIMIT)
        after = snapshot(index)
    write(tmp_path / "other", log(NEW, "newmark", 22), "name-newmark")
    other = Places((tmp_path / "other",), (), tmp_path, tmp_path / "other.sqlite")
    with read(other) as index:
        expected = snapshot(index)
    for rows in (after["files"], expected["files"]):
        rows[:] = [
            tuple(str(value).replace(str(tmp_path / "other"), str(tmp_path / "home")) for value in row) for row in rows
        ]
    assert after == expected


def test_a_later_refresh_does_not_bring_it_back(places: Places) -> None:
    with read(places) as index:
        forget(index, LIMIT)
        before = snapshot(index)
        done = refresh(index, places)
        assert (done.read_files, done.pending_files) == (0, 0)
        assert snapshot(index) == before
    assert b"oldmark" not in stored(places)


def test_a_rebuilt_index_keeps_its_limit_and_a_removed_one_reads_all_again(places: Places) -> None:
    with read(places) as index:
        forget(index, LIMIT)
        empty(index)
        refresh(index, places)
        assert inputs(index) == [22]
    remove(places.index)
    with read(places) as index:
        assert inputs(index) == [11, 22]


def test_of_a_log_that_went_on_only_the_old_calls_go(tmp_path: Path) -> None:
    made = log(OLD, "mark", 11)
    old_turn = made.turn_id
    made.wait(35 * DAY).turn().call(input=33, output=1).end()
    path = write(tmp_path / "home", made)
    places = places_of(tmp_path / "home")
    with read(places) as index:
        forget(index, LIMIT)
        assert inputs(index) == [33]
        assert index.sql.execute("SELECT cwd, branch FROM threads").fetchall() == [
            ("/home/dev/folder-mark", "branch-mark")
        ]
        assert str(old_turn).encode() not in stored(places)
        assert index.sql.execute("SELECT sum(calls) FROM days").fetchone() == (1,)
        made.turn().call(input=44, output=1).write(tmp_path / "home")
        refresh(index, places)
        assert inputs(index) == [33, 44], "it is read on"
        path.write_bytes(made.bytes.replace(b"done", b"told"))  # and anew when it was rewritten
        refresh(index, places)
        assert inputs(index) == [33, 44]


def test_a_thread_that_goes_on_after_it_was_forgotten_comes_back_with_its_new_calls_only(
    places: Places, tmp_path: Path
) -> None:
    with read(places) as index:
        forget(index, LIMIT)
        made = log(OLD, "oldmark", 11).wait(40 * DAY).turn().call(input=55, output=1)
        write(tmp_path / "home", made)
        refresh(index, places)
        assert inputs(index) == [22, 55]
        heads = index.sql.execute("SELECT cwd FROM threads ORDER BY uuid").fetchall()
        assert heads == [("/home/dev/folder-oldmark",), ("/home/dev/folder-newmark",)]


def test_the_limit_never_moves_back(places: Places) -> None:
    with read(places) as index:
        forget(index, LIMIT)
        forget(index, 0)
        empty(index)
        refresh(index, places)
        assert inputs(index) == [22]


def test_all_can_be_forgotten(places: Places) -> None:
    with read(places) as index:
        forget(index, NEW + DAY)
        tables = [row[0] for row in index.sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        left = {name: index.sql.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    assert {name for name, count in left.items() if count} == {"meta", "homes"}


def test_while_another_reads_the_old_state_forgetting_says_busy_and_a_second_time_it_is_done(places: Places) -> None:
    with read(places) as index, open_index(places.index) as reader:
        with reader.snapshot():
            inputs(reader)
            index.sql.execute("PRAGMA busy_timeout = 1")
            with pytest.raises(IndexBusy, match="another process"):
                index.shrink()
        forget(index, LIMIT)
    assert b"oldmark" not in stored(places)


def test_an_emptied_index_holds_nothing_of_before(places: Places) -> None:
    with read(places) as index:
        empty(index)
        assert b"oldmark" not in stored(places)
        assert b"newmark" not in stored(places)


def test_a_log_that_is_deleted_leaves_no_byte_once_the_index_is_closed(places: Places, tmp_path: Path) -> None:
    with read(places) as index:
        log(OLD, "oldmark", 11).path(tmp_path / "home").unlink()
        refresh(index, places)
        refresh_facts(index, places)
    assert uuid7(OLD, 11).encode() not in stored(places)
    with closing(sqlite3.connect(places.index)) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
