"""What a terminal or an app-server showed counts where nothing better shows the thread, and never twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest

from codex_usage.homes import Places, list_logs
from codex_usage.index import open_index, queries, refresh
from codex_usage.index.bundles import take_bundle, write_bundle
from codex_usage.ledger import keep
from codex_usage.logs.records import Seen
from codex_usage.model import Call, RateWindow, Thread, Tokens, Turn
from tests.index.test_bundles import clean_build
from tests.support.index import LIMITS, calls_in, places_of, refreshed, snapshot_of
from tests.support.rollouts import NOON, Rollout, uuid7

ONE = uuid7(NOON)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A home without logs."""
    monkeypatch.setenv("CODEX_USAGE_HOME", str(tmp_path / "own"))
    (tmp_path / "home").mkdir()
    return places_of(tmp_path / "home")


def call(numbers: tuple[int, int, int], turn: str | None = None, position: int = 0, time_ms: int = NOON) -> Call:
    """A call of input, cached and output tokens as a decoder gives it: without an id."""
    total, cached, output = numbers
    used = Tokens(total, cached, 0, output)
    return Call(0, position, time_ms, "", turn, False, "gpt-5.5", None, None, "/home/dev/demo", 0, used)


def seen(*calls: Call, thread: str = ONE, turns: tuple[Turn, ...] = (), **header: str) -> Seen:
    """A thread as a stream showed it."""
    return Seen(Thread(thread, "codex", **header), list(calls), list(turns))  # type: ignore[arg-type]


def ingest(places: Places, kind: str, one: Seen, label: str = "mine", at_ms: int = NOON) -> Path:
    """What the commands do with a thread of a stream."""
    path = keep(places.imported, kind, label, one, at_ms)
    refreshed(places)
    return path


def counted(places: Places) -> list[tuple[int, int, int]]:
    """(input, cached, output) of every call."""
    with open_index(places.index) as index:
        return calls_in(index)


# -- which source of a thread counts -----------------------------------------------------------------------

LOG = Rollout().turn().call(input=100, cached=50, output=7).call(input=200, output=9)
SHOWN: dict[str, tuple[Callable[[Places], object], list[tuple[int, int, int]]]] = {
    "log": (lambda places: LOG.write(places.codex[0]), [(100, 50, 7), (200, 0, 9)]),
    "app-server": (
        lambda places: keep(
            places.imported, "app-server", "x", seen(call((300, 50, 15), "turn-1"), call((1, 0, 1))), 1
        ),
        [(300, 50, 15), (1, 0, 1)],
    ),
    "terminal": (lambda places: keep(places.imported, "terminal", "x", seen(call((301, 50, 16))), 1), [(301, 50, 16)]),
}


@pytest.mark.parametrize("order", list(permutations(SHOWN)), ids=", ".join)
def test_a_thread_counts_from_the_best_that_shows_it_in_whatever_order_that_comes_and_goes(
    places: Places, order: tuple[str, ...]
) -> None:
    there: list[str] = []
    for name in order:
        SHOWN[name][0](places)
        there.append(name)
        refreshed(places)
        best = min(there, key=list(SHOWN).index)
        assert sorted(counted(places)) == sorted(SHOWN[best][1])
        assert snapshot_of(places) == clean_build(places)
    files = {"log": LOG.path(places.codex[0])}
    files |= {name: places.imported / f"~{name}-{ONE}.jsonl" for name in ("app-server", "terminal")}
    for name in order[:-1]:
        files[name].unlink()
        there.remove(name)
        refreshed(places)
        best = min(there, key=list(SHOWN).index)
        assert sorted(counted(places)) == sorted(SHOWN[best][1])
        assert snapshot_of(places) == clean_build(places)


def test_what_a_better_log_shows_is_told_as_left_out_and_not_as_unreadable(places: Places) -> None:
    LOG.write(places.codex[0])
    ingest(places, "terminal", seen(call((300, 50, 16))))
    with open_index(places.index) as index:
        assert queries.quality(index).skipped == {"better_log": 1}


def test_a_log_that_grows_stays_the_only_one_to_count(places: Places) -> None:
    log = LOG.copy()
    log.write(places.codex[0])
    ingest(places, "app-server", seen(call((300, 50, 16), "turn-1")))
    log.call(input=400, output=3).write(places.codex[0])
    refreshed(places)
    assert counted(places) == [(100, 50, 7), (200, 0, 9), (400, 0, 3)]


@pytest.mark.parametrize("version", ["0.98.0", "0.130.0"])
def test_a_fork_counts_the_same_beside_a_stream_of_its_parent_as_beside_nothing_more(
    places: Places, version: str
) -> None:
    """The fork's copied lines are its parent's calls: they count from what shows the parent, or are recovered."""
    parent = Rollout(version).turn().call(input=100, output=7).wait(60_000)
    parent.fork().wait(1000).turn().call(input=300, output=11).write(places.codex[0])
    refreshed(places)
    assert counted(places) == [(100, 0, 7), (300, 0, 11)]
    path = ingest(places, "app-server", seen(call((100, 0, 7), "turn-1")))
    assert sorted(counted(places)) == [(100, 0, 7), (300, 0, 11)]
    assert snapshot_of(places) == clean_build(places)
    parent.write(places.codex[0])
    refreshed(places)
    assert sorted(counted(places)) == [(100, 0, 7), (300, 0, 11)]
    assert snapshot_of(places) == clean_build(places)
    path.unlink()
    refreshed(places)
    assert snapshot_of(places) == clean_build(places)


def test_a_bundle_with_a_threads_log_is_better_than_a_stream_of_it_here(tmp_path: Path, places: Places) -> None:
    (tmp_path / "there").mkdir()
    there = places_of(tmp_path / "there", data=tmp_path / "a")
    LOG.write(there.codex[0])
    ingest(places, "app-server", seen(call((300, 50, 16), "turn-1")))
    with open_index(there.index) as index:
        refresh(index, there)
        write_bundle(index, there, tmp_path / "x", "there", lambda _, text: text)
    bundle = take_bundle(tmp_path / "x", places.imported)[0]
    refreshed(places)
    assert counted(places) == [(100, 50, 7), (200, 0, 9)]
    assert snapshot_of(places) == clean_build(places)
    bundle.unlink()
    refreshed(places)
    assert counted(places) == [(300, 50, 16)]
    assert snapshot_of(places) == clean_build(places)


def test_a_stream_in_a_bundle_counts_nothing_where_the_thread_has_a_log(tmp_path: Path, places: Places) -> None:
    (tmp_path / "there").mkdir()
    there = places_of(tmp_path / "there", data=tmp_path / "a")
    ingest(there, "app-server", seen(call((300, 50, 16), "turn-1")))
    ingest(there, "terminal", seen(call((5, 0, 5)), thread=uuid7(NOON, 2)))
    with open_index(there.index) as index:
        write_bundle(index, there, tmp_path / "x", "there", lambda _, text: text)
    take_bundle(tmp_path / "x", places.imported)
    refreshed(places)
    assert sorted(counted(places)) == [(5, 0, 5), (300, 50, 16)]
    LOG.write(places.codex[0])
    refreshed(places)
    assert sorted(counted(places)) == [(5, 0, 5), (100, 50, 7), (200, 0, 9)]
    assert snapshot_of(places) == clean_build(places)


# -- the same stream again, and longer ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["app-server", "terminal"])
def test_the_same_stream_again_changes_nothing(places: Places, kind: str) -> None:
    stream = seen(call((300, 50, 16), "turn-1"), turns=(Turn("turn-1", ONE, ended_ms=NOON),), cwd="/home/dev/demo")
    path = ingest(places, kind, stream)
    before = (path.read_bytes(), path.stat().st_ino)
    assert ingest(places, kind, stream, at_ms=NOON + 999) == path
    assert (path.read_bytes(), path.stat().st_ino) == before


def test_of_two_streams_of_a_thread_each_turn_counts_from_the_one_that_showed_more(places: Places) -> None:
    """The first was cut off in the second turn, the second begins in the midst of it."""
    first = seen(call((1, 0, 1), "turn-1"), call((2, 0, 1), "turn-2"), branch="main")
    second = seen(call((2, 0, 1), "turn-2"), call((4, 0, 1), "turn-2"), call((8, 0, 1), "turn-3"), version="1.2.3")
    for stream in (first, second, first):
        ingest(places, "app-server", stream)
    assert sorted(counted(places)) == [(1, 0, 1), (2, 0, 1), (4, 0, 1), (8, 0, 1)]
    with open_index(places.index) as index:
        assert index.sql.execute("SELECT branch, version FROM threads").fetchall() == [("main", "1.2.3")]


def test_a_terminals_greatest_totals_are_the_threads(places: Places) -> None:
    for total in (10, 30, 20):
        ingest(places, "terminal", seen(call((total, 0, 1))))
    ingest(places, "terminal", seen(call((11, 0, 0), "u1"), call((12, 0, 0), "u2")))
    assert counted(places) == [(30, 0, 1)]


def test_an_open_turn_is_ended_by_a_longer_stream_and_an_ended_one_stays(places: Places) -> None:
    for turn in (Turn("turn-1", ONE, 5), Turn("turn-1", ONE, 5, 9, outcome="completed"), Turn("turn-1", ONE, 5)):
        ingest(places, "app-server", seen(call((1, 0, 1), "turn-1"), turns=(turn,)))
    with open_index(places.index) as index:
        assert index.sql.execute("SELECT started_ms, ended_ms, outcome FROM turns").fetchall() == [(5, 9, "completed")]


def test_a_call_without_a_time_has_that_of_its_turn_or_thread_or_of_the_file(places: Places) -> None:
    timeless = [call((1, 0, 1), uuid7(NOON + 5), time_ms=0), call((2, 0, 1), time_ms=0)]
    ingest(places, "app-server", seen(*timeless))
    ingest(places, "app-server", seen(call((3, 0, 1), time_ms=0), thread="thr_old"), at_ms=NOON + 77)
    with open_index(places.index) as index:
        rows = index.sql.execute("SELECT input, time_ms FROM calls ORDER BY input").fetchall()
    assert rows == [(1, NOON + 5), (2, NOON), (3, NOON + 77)]


def test_a_remote_is_kept_as_its_hash_and_makes_the_project(places: Places) -> None:
    path = ingest(places, "app-server", seen(call((1, 0, 1)), remote="https://zoe:secret@example.com/acme/shop.git"))
    assert [word for word in ("zoe", "secret", "example", "acme") if word in path.read_text()] == []
    other = Rollout(now=NOON + 9, meta_fields={"git": {"repository_url": "git@example.com:acme/shop"}})
    other.turn().call(input=2, output=1).write(places.codex[0])
    refreshed(places)
    with open_index(places.index) as index:
        assert index.sql.execute("SELECT label, count(*) FROM projects JOIN calls c ON c.project_id = projects.id"
                                 " GROUP BY projects.id").fetchall() == [("shop", 2)]  # fmt: skip


def test_windows_of_a_stream_count_with_it(places: Places) -> None:
    stream = seen(call((1, 0, 1), "turn-1"))
    stream.windows.append(RateWindow(3, NOON, "codex", 300, 12.5, 1_795_298_562))
    ingest(places, "app-server", stream)
    ingest(places, "app-server", stream)
    with open_index(places.index) as index:
        assert index.sql.execute("SELECT minutes, used_percent FROM windows").fetchall() == [(300, 12.5)]


@pytest.mark.parametrize("name", ["../../../etc/passwd", "", "a/b", "x" * 300, "\x00", "ü"])
def test_a_thread_whose_id_cannot_be_a_files_name_gets_another(places: Places, name: str) -> None:
    path = ingest(places, "app-server", seen(call((1, 0, 1)), thread=name))
    assert path.parent == places.imported
    assert path.name.startswith("~app-server-unnamed-")
    assert counted(places) == [(1, 0, 1)]


# -- totals of a thread that is not named ------------------------------------------------------------------

TOTALS = {
    "the whole thread": (700, 50, 26),
    "the thread up to a call": (300, 50, 16),
    "what a resumed process used": (600, 0, 19),
    "a call in its midst": (200, 0, 9),
}
THREE = LOG.copy().call(input=400, output=10)


@pytest.mark.parametrize("totals", TOTALS.values(), ids=TOTALS)
def test_totals_without_a_thread_count_only_while_no_calls_of_a_thread_add_up_to_them(
    places: Places, totals: tuple[int, int, int]
) -> None:
    ingest(places, "terminal", seen(call(totals), thread=""))
    ingest(places, "terminal", seen(call((9, 9, 9)), thread=""))
    assert sorted(counted(places)) == [(9, 9, 9), totals]
    THREE.write(places.codex[0])
    refreshed(places)
    assert sorted(counted(places)) == [(9, 9, 9), (100, 50, 7), (200, 0, 9), (400, 0, 10)]
    assert snapshot_of(places) == clean_build(places)
    Rollout(now=NOON + 5).turn().call(input=1, output=1).write(places.codex[0])
    refreshed(places)
    assert snapshot_of(places) == clean_build(places)
    THREE.path(places.codex[0]).unlink()
    refreshed(places)
    assert sorted(counted(places)) == [(1, 0, 1), (9, 9, 9), totals]


def test_totals_of_calls_that_do_not_follow_each_other_are_another_threads(places: Places) -> None:
    THREE.write(places.codex[0])
    ingest(places, "terminal", seen(call((500, 50, 17)), thread=""))
    assert (500, 50, 17) in counted(places)


def test_a_refresh_in_many_small_parts_ends_with_totals_without_a_thread_too(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LIMITS, "BATCH_BYTES", 1)
    ingest(places, "terminal", seen(call((700, 50, 26)), thread=""))
    for at in range(3):
        Rollout(now=NOON + at).turn().call(input=at + 1, output=1).write(places.codex[0])
    THREE.write(places.codex[0])
    refreshed(places)
    assert (700, 50, 26) not in counted(places)
    assert snapshot_of(places) == clean_build(places)


def test_our_own_records_are_listed_beside_the_homes(places: Places) -> None:
    path = ingest(places, "terminal", seen(call((1, 0, 1))))
    (places.imported / "notes.jsonl").write_text("mine")
    listing = list_logs(places.codex, places.claude, places.imported)
    assert [(file.name, file.provider, file.thread_id) for file in listing.files.values()] == [
        (path.name, "terminal", ONE)
    ]
