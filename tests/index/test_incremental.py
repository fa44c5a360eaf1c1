"""An index that grew with its logs, in whatever steps and order, equals one built at once."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_usage.index import open_index
from tests.support.cases import case_folders, differences
from tests.support.index import clean_build, places_of, refreshed, snapshot_of
from tests.support.rollouts import Rollout
from tests.support.transcripts import Transcript

QUICK = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


def ids(case: Path) -> str:
    return case.name


def logs(home: Path) -> list[Path]:
    """A home's logs, oldest first by name: the order in which they were begun."""
    return sorted(home.rglob("rollout-*"), key=lambda path: path.name)


def copy_home(case: Path, home: Path) -> None:
    """A case's home, writable."""
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(case / "codex_home", home)


@pytest.mark.parametrize("case", case_folders(), ids=ids)
def test_an_index_of_a_recorded_home_is_exact(tmp_path: Path, case: Path) -> None:
    copy_home(case, tmp_path / "home")
    places = places_of(tmp_path / "home")
    assert refreshed(places).problems == []
    with open_index(places.index) as index:
        rows = index.sql.execute(
            "SELECT n.text, c.input, c.cached, c.output, c.reasoning FROM calls c"
            " LEFT JOIN names n ON n.id = c.model_id"
        ).fetchall()
    assert differences(case, Counter(rows)) == (Counter(), Counter())


@pytest.mark.parametrize("case", case_folders(), ids=ids)
def test_logs_that_grow_in_steps_give_the_index_of_a_clean_build(tmp_path: Path, case: Path) -> None:
    """Logs appear and grow in any order, each cut at any byte: inside a line, and right at a newline."""
    home = tmp_path / "home"

    @given(st.data())
    @QUICK
    def grow(data: st.DataObject) -> None:
        copy_home(case, home)
        places = places_of(home)
        for file in tmp_path.glob("*.sqlite*"):
            file.unlink()
        files = [(path, path.read_bytes()) for path in logs(home)]
        for path, _ in files:
            path.unlink()
        steps = []
        for path, content in files:
            ends = [at + 1 for at, byte in enumerate(content) if byte == 10]
            edge = st.sampled_from([0, *ends]).flatmap(lambda end: st.integers(max(0, end - 2), end + 1))
            cuts = data.draw(st.lists(edge | st.integers(0, len(content)), max_size=2 if len(files) > 2 else 3))
            places_in_time = data.draw(st.lists(st.integers(0, 9), min_size=len(cuts), max_size=len(cuts)))
            steps += [
                (when, size, path, content) for when, size in zip(sorted(places_in_time), sorted(cuts), strict=True)
            ]
        for _, size, path, content in sorted(steps):
            path.write_bytes(content[:size])
            refreshed(places)
        for path, content in files:
            path.write_bytes(content)
        refreshed(places)
        assert snapshot_of(places) == clean_build(places)

    grow()


@pytest.mark.parametrize("case", [case for case in case_folders() if len(logs(case)) > 1], ids=ids)
def test_logs_that_arrive_in_any_order_give_the_index_of_a_clean_build(tmp_path: Path, case: Path) -> None:
    """A fork before its parent, a parent that goes and comes back."""
    home = tmp_path / "home"
    copy_home(case, home)
    files = {path: path.read_bytes() for path in logs(home)}
    places = places_of(home)

    @given(st.data())
    @QUICK
    def arrive(data: st.DataObject) -> None:
        for file in tmp_path.glob("*.sqlite*"):
            file.unlink()
        for path in files:
            path.unlink(missing_ok=True)
        for path in data.draw(st.permutations(list(files))):
            path.write_bytes(files[path])
            refreshed(places)
        gone = data.draw(st.sampled_from(list(files)))
        gone.unlink()
        refreshed(places)
        assert snapshot_of(places) == clean_build(places)
        gone.write_bytes(files[gone])
        refreshed(places)
        assert snapshot_of(places) == clean_build(places)

    arrive()


def test_claude_sessions_and_their_forks_may_arrive_in_any_order(tmp_path: Path) -> None:
    parent = Transcript().prompt().answer("msg_1", blocks=2, input=10, output=40)
    child = Transcript(session="22222222-2222-4222-8222-222222222222")
    child.answer("msg_1", input=10, output=40, billed_in=parent.session).prompt().answer("msg_2", input=20, output=5)
    agent = Transcript(agent="abc").prompt().answer("msg_3", input=30, output=6)
    home = tmp_path / "claude"
    places = places_of(claude=(home,), data=tmp_path)
    for transcript in (child, agent, parent):
        path = transcript.write(home)
        refreshed(places)
        assert snapshot_of(places) == clean_build(places)
    path.unlink()
    refreshed(places)
    assert snapshot_of(places) == clean_build(places)


@pytest.mark.parametrize("version", ["0.98.0", "0.130.0", "0.169.0"])
def test_a_chain_of_forks_may_lose_and_regain_any_member(tmp_path: Path, version: str) -> None:
    home = tmp_path / "home"
    first = Rollout(version).turn().call(input=100, output=7).call(input=200, output=9).wait(60_000)
    second = first.fork().wait(1000).turn().call(input=300, output=11).wait(60_000)
    third = second.fork().wait(1000).turn().call(input=400, output=12)
    places = places_of(home)
    members = {log.path(home): log for log in (first, second, third)}
    for log in members.values():
        log.write(home)
    refreshed(places)
    assert len(snapshot_of(places)["calls"]) == 4
    for gone in members:
        for other in [path for path in members if path != gone] + [None]:
            gone.unlink(missing_ok=True)
            refreshed(places)
            if other:
                other.unlink()
                refreshed(places)
            assert snapshot_of(places) == clean_build(places)
            for log in members.values():
                log.write(home)
            refreshed(places)
            assert snapshot_of(places) == clean_build(places)


def test_what_was_renamed_elsewhere_is_renamed_here(tmp_path: Path) -> None:
    home = tmp_path / "home"
    log = Rollout().turn().call(input=1, output=1)
    log.write(home)
    places = places_of(home)
    refreshed(places)
    (home / "session_index.jsonl").write_text(f'{{"id":"{log.thread}","thread_name":"first"}}\n', encoding="utf-8")
    refreshed(places)
    with (home / "session_index.jsonl").open("a", encoding="utf-8") as file:
        file.write(f'{{"id":"{log.thread}","thread_name":"second"}}\n')
    refreshed(places)
    with open_index(places.index) as index:
        assert index.sql.execute("SELECT name FROM threads").fetchall() == [("second",)]
