"""A hostile file costs that file: no crash, no hang, and the others are counted exactly."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from codex_usage.index import open_index
from codex_usage.index.queries import quality
from tests.support.index import calls_in, clean_build, places_of, refreshed, snapshot_of
from tests.support.rollouts import NOON, Rollout, uuid7
from tests.support.transcripts import Transcript

pytestmark = [pytest.mark.timeout(20), pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")]

NAME = f"rollout-2026-11-21T21-00-00-{uuid7(NOON + 3_600_000)}.jsonl"


STRANGE: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a FIFO called .zst": lambda path: os.mkfifo(f"{path}.zst"),
    "a folder": Path.mkdir,
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to its folder": lambda path: path.symlink_to(path.parent),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "an empty file": Path.touch,
    "an empty file called .zst": lambda path: Path(f"{path}.zst").touch(),
    "no zstd at all": lambda path: Path(f"{path}.zst").write_bytes(b"hello" * 100),
    "a name that is no UTF-8": lambda path: open(os.fsencode(path.parent) + b"/rollout-\xff.jsonl", "w").close(),
    "a folder that links to its parent": lambda path: (path.parent / "loop").symlink_to(path.parent),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_file_costs_itself_only(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    log = Rollout().turn().call(input=100, output=7)
    folder = log.write(home).parent
    STRANGE[name](folder / NAME)
    (folder.parent / "22").mkdir()
    Rollout(now=NOON + 86_400_000).turn().call(input=200, output=9).write(home)
    places = places_of(home)
    refreshed(places)
    with open_index(places.index) as index:
        assert calls_in(index) == [(100, 0, 7), (200, 0, 9)]
    log.call(input=300, output=11).write(home)
    assert refreshed(places).read_files >= 1
    assert snapshot_of(places) == clean_build(places)


@pytest.mark.parametrize("name", ["a FIFO", "a folder", "a link to itself"])
@pytest.mark.parametrize("beside", ["session_index.jsonl", "state_5.sqlite"])
def test_a_strange_file_beside_the_logs_names_no_threads(tmp_path: Path, name: str, beside: str) -> None:
    home = tmp_path / "home"
    Rollout().turn().call(input=100, output=7).write(home)
    STRANGE[name](home / beside)
    places = places_of(home)
    refreshed(places)
    with open_index(places.index) as index:
        assert calls_in(index) == [(100, 0, 7)]


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_archive_shows_what_came_before_the_damage(tmp_path: Path, damage: str) -> None:
    home = tmp_path / "home"
    log = Rollout().turn()
    for number in range(2000):
        log.call(input=100 + number, output=7)
    path = log.path(home)
    path.parent.mkdir(parents=True)
    packed = bytearray(zstandard.ZstdCompressor(level=1, write_checksum=True).compress(log.bytes))
    if damage == "cut":
        del packed[len(packed) // 3 :]
    else:
        packed[len(packed) // 2 : len(packed) // 2 + 8] = b"\xff" * 8
    path.with_name(path.name + ".zst").write_bytes(packed)
    Rollout(now=NOON + 60_000).turn().call(input=7, output=7).write(home)
    places = places_of(home)
    refreshed(places)
    with open_index(places.index) as index:
        found = [row[0] for row in calls_in(index) if row[0] >= 100]
        assert found == list(range(100, 100 + len(found)))
        assert (7, 0, 7) in calls_in(index)
        assert quality(index).skipped == {"broken_container": 1}


def test_a_log_linked_from_elsewhere_is_read(tmp_path: Path) -> None:
    elsewhere = Rollout().turn().call(input=100, output=7).write(tmp_path / "elsewhere")
    folder = tmp_path / "home" / "sessions"
    folder.mkdir(parents=True)
    (folder / elsewhere.name).symlink_to(elsewhere)
    places = places_of(tmp_path / "home")
    refreshed(places)
    with open_index(places.index) as index:
        assert calls_in(index) == [(100, 0, 7)]


def test_a_log_that_turns_into_a_folder_is_gone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = Rollout().turn().call(input=100, output=7).write(home)
    places = places_of(home)
    refreshed(places)
    path.unlink()
    path.mkdir()
    refreshed(places)
    assert snapshot_of(places) == clean_build(places)


def test_strange_claude_rows_cost_themselves(tmp_path: Path) -> None:
    log = Transcript().prompt().answer("msg_1", input=10, output=4)
    for row in (
        b'{"type":"assistant","message":{"usage":{"input_tokens":-1}}}',
        b'{"type":"assistant","message":{"id":7,"usage":{"input_tokens":1}}}',
        b'{"type":"user","promptId":[1]}',
        b'{"type":"assistant","message":{"usage":{' + b"[" * 100_000,
        b"\x00" * 500,
        b"\xff" * 500,
    ):
        log.lines.append(row)
    log.answer("msg_2", input=20, output=5).write(tmp_path / "claude")
    places = places_of(claude=(tmp_path / "claude",), data=tmp_path)
    assert refreshed(places).problems == []
    with open_index(places.index) as index:
        assert calls_in(index) == [(10, 0, 4), (20, 0, 5)]
        assert sum(quality(index).skipped.values()) >= 5
