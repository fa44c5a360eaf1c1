"""Which logs a home holds, and under which names its threads go."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from codex_usage.homes import find_places, list_logs, thread_names, usage_home
from codex_usage.homes.discovery import names_mark
from tests.support.rollouts import NOON, Rollout, uuid7
from tests.support.transcripts import Transcript


def test_rollouts_of_sessions_and_the_archive_are_listed(tmp_path: Path) -> None:
    log = Rollout(now=NOON)
    log.write(tmp_path)
    Rollout(now=NOON + 1).write(tmp_path, archived=True)
    Rollout(now=NOON + 2).write(tmp_path, zst=True)
    (tmp_path / "sessions" / "notes.jsonl").touch()
    (tmp_path / "sessions" / "rollout-1.json").touch()
    listing = list_logs((tmp_path,), ())
    assert [file.archived for file in listing.files.values()].count(True) == 1
    assert len(listing.files) == 3
    assert listing.files[log.name].thread_id == log.thread
    assert all(name.endswith(".jsonl") for name in listing.files)


def test_the_plain_form_wins_over_the_compressed_and_the_longer_over_the_shorter(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    log = Rollout().turn().call(input=1, output=1)
    log.write(one, zst=True)
    plain = log.write(one)
    assert [file.path for file in list_logs((one,), ()).files.values()] == [str(plain)]
    longer = log.call(input=2, output=2).write(two)
    for homes in ((one, two), (two, one)):
        assert [file.path for file in list_logs(homes, ()).files.values()] == [str(longer)]


def test_a_segments_thread_is_the_first_id_of_its_name(tmp_path: Path) -> None:
    log = Rollout(segment=uuid7(NOON + 5))
    log.write(tmp_path)
    (file,) = list_logs((tmp_path,), ()).files.values()
    assert file.thread_id == log.thread


def test_the_newest_log_comes_first(tmp_path: Path) -> None:
    paths = [Rollout(now=NOON + number).write(tmp_path) for number in range(3)]
    for when, path in zip((5, 9, 7), paths, strict=True):
        os.utime(path, (when, when))
    assert [file.mtime_ns for file in list_logs((tmp_path,), ()).newest_first()] == [9 * 10**9, 7 * 10**9, 5 * 10**9]


def test_transcripts_and_their_subagents_are_listed(tmp_path: Path) -> None:
    Transcript().prompt().write(tmp_path)
    Transcript(agent="abc").prompt().write(tmp_path)
    assert sorted(list_logs((), (tmp_path,)).files) == ["11111111-1111-4111-8111-111111111111.jsonl", "agent-abc.jsonl"]


def test_a_home_that_does_not_exist_was_not_read(tmp_path: Path) -> None:
    listing = list_logs((tmp_path, tmp_path / "nowhere"), ())
    assert listing.read == {str(tmp_path)}
    assert listing.problems == []


def test_a_home_with_a_similar_name_is_not_blamed(tmp_path: Path) -> None:
    """Only the home whose folder can't be listed counts as unread."""
    one, two = tmp_path / "home", tmp_path / "home2"
    one.mkdir()
    two.mkdir()
    (two / "sessions").write_text("a file where a folder should be", encoding="utf-8")
    listing = list_logs((one, two), ())
    assert listing.read == {str(one)}
    assert len(listing.problems) == 1


def write_names(home: Path, *rows: dict[str, object]) -> None:
    home.mkdir(exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (home / "session_index.jsonl").write_text(text, encoding="utf-8")


def test_the_last_name_of_a_thread_stands(tmp_path: Path) -> None:
    write_names(tmp_path, {"id": "a", "thread_name": "one"}, {"id": "a", "thread_name": "two"}, {"id": "b"})
    assert thread_names(tmp_path) == {"a": "two"}


def test_a_bad_line_of_names_costs_that_name(tmp_path: Path) -> None:
    write_names(
        tmp_path, {"id": "a", "thread_name": "one"}, {"id": 5, "thread_name": "two"}, {"id": "c", "thread_name": "x"}
    )
    path = tmp_path / "session_index.jsonl"
    path.write_bytes(
        b"\xff\xfe\n{\n" + b"[" * 100_000 + b"\n" + path.read_bytes() + b'{"id":"d","thread_name":"\\ud800"}\n'
    )
    assert thread_names(tmp_path) == {"a": "one", "c": "x"}


def test_a_name_in_the_state_database_is_read_and_a_title_never(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state_5.sqlite")) as state, state:
        state.execute("CREATE TABLE threads (id, name, title, preview, first_user_message)")
        state.execute("INSERT INTO threads VALUES ('a', 'given', 'secret', 'secret', 'secret')")
        state.execute("INSERT INTO threads VALUES ('b', NULL, 'secret', 'secret', 'secret')")
    assert thread_names(tmp_path) == {"a": "given"}


def test_a_state_database_in_use_is_read_too(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state_5.sqlite", isolation_level=None)) as state:
        state.execute("PRAGMA journal_mode = WAL")
        state.execute("CREATE TABLE threads (id, name)")
        state.execute("INSERT INTO threads VALUES ('a', 'given')")
        assert thread_names(tmp_path) == {"a": "given"}


def test_a_state_database_that_is_none_names_nothing(tmp_path: Path) -> None:
    (tmp_path / "state_5.sqlite").write_bytes(b"no database" * 100)
    assert thread_names(tmp_path) == {}


def test_the_mark_of_names_changes_with_them(tmp_path: Path) -> None:
    before = names_mark((tmp_path,))
    write_names(tmp_path, {"id": "a", "thread_name": "one"})
    assert names_mark((tmp_path,)) != before


# -- where homes are ----------------------------------------------------------------------------------------


def test_flags_win_over_the_environment_and_that_over_the_defaults(tmp_path: Path) -> None:
    env = {"CODEX_HOME": os.pathsep.join(["/a", "/b"]), "CLAUDE_CONFIG_DIR": "/c", "CODEX_USAGE_HOME": str(tmp_path)}
    assert find_places(env=env).homes == (Path("/a"), Path("/b"), Path("/c"))
    assert find_places(["/flag"], env=env).codex == (Path("/flag"),)
    assert find_places(env={}).codex == (Path("~/.codex").expanduser(),)
    assert find_places(env=env).data == usage_home(env) == tmp_path


def test_each_set_of_homes_has_an_index_of_its_own() -> None:
    one, two = find_places(["/a"], env={}), find_places(["/a", "/b"], env={})
    assert one.index != two.index
    assert one.index == find_places(["/a"], env={}).index
    assert find_places(["/a"], index="/x.sqlite", env={}).index == Path("/x.sqlite")


def test_only_homes_that_exist_are_found(tmp_path: Path) -> None:
    assert find_places([str(tmp_path), "/nowhere"], ["/nowhere"], env={}).found == (tmp_path,)


def test_a_link_to_a_home_keeps_the_users_name_for_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert find_places([str(tmp_path / "link")], env={}).codex == (tmp_path / "link",)
