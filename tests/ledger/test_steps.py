"""Reading a growing log in steps gives what one reading gives, wherever it was cut."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_usage.homes import list_logs
from codex_usage.ledger import Family, count_rollout
from codex_usage.model import LogFile
from tests.support.cases import case_folders
from tests.support.ledgers import in_steps
from tests.support.rollouts import Rollout


def logs_of(case: Path, scratch: Path) -> tuple[list[LogFile], Family]:
    """A writable copy of a case's plain logs, and who they are."""
    shutil.copytree(case / "codex_home", scratch / "home", ignore=shutil.ignore_patterns("*.sqlite*"))
    listing = list_logs((scratch / "home",), ())
    return [file for file in listing.files.values() if not file.compressed], Family(listing.thread_paths())


def assert_same_in_steps(file: LogFile, cuts: list[int], family: Family) -> None:
    """Counted in steps and at once, everything agrees."""
    whole = count_rollout(file, 0, b"", family)
    stepped = in_steps(file, cuts, family)[1]
    assert {call.uid: call for call in stepped.calls} == {call.uid: call for call in whole.calls}
    assert {turn.key: turn for turn in stepped.turns} == {turn.key: turn for turn in whole.turns}
    assert stepped.windows == whole.windows
    assert stepped.thread == whole.thread
    assert (stepped.offset, stepped.skipped) == (whole.offset, whole.skipped)


def edges(content: bytes) -> list[int]:
    """The bytes just before, at and behind every newline, and the middle of every line."""
    cuts, start = set(), 0
    for at, byte in enumerate(content):
        if byte == 10:
            cuts |= {at, at + 1, (start + at) // 2, max(0, at - 1)}
            start = at + 1
    return sorted(cuts)


@pytest.mark.parametrize("version", ["0.36.0", "0.58.0", "0.98.0", "0.130.0", "0.147.0", "0.169.0"])
def test_a_small_log_may_be_cut_anywhere(tmp_path: Path, version: str) -> None:
    log = Rollout(version).turn().call(input=100, output=7, tool=True).call(input=200, output=9).end()
    log.turn().summary(input=50, output=30).count(last={}).call(input=20, output=3)
    path = log.write(tmp_path)
    (file,) = list_logs((tmp_path,), ()).files.values()
    family = Family({log.thread: str(path)})
    for cut in sorted({*range(0, file.size, 5), *edges(path.read_bytes())}):
        assert_same_in_steps(file, [cut], family)


@pytest.mark.parametrize("case", case_folders(), ids=lambda case: case.name)
def test_a_recorded_log_may_be_cut_at_every_line(tmp_path: Path, case: Path) -> None:
    files, family = logs_of(case, tmp_path)
    for file in files:
        cuts = edges(Path(file.path).read_bytes())
        for cut in cuts[:: 1 + len(cuts) // 12]:
            assert_same_in_steps(file, [cut], family)
        assert_same_in_steps(file, cuts, family)


@pytest.mark.parametrize("case", case_folders()[:: max(1, len(case_folders()) // 12)], ids=lambda case: case.name)
def test_a_recorded_log_may_grow_in_any_steps(tmp_path: Path, case: Path) -> None:
    files, family = logs_of(case, tmp_path)

    @given(st.data())
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    def grow(data: st.DataObject) -> None:
        file = data.draw(st.sampled_from(sorted(files, key=lambda file: file.name)))
        cuts = data.draw(st.lists(st.integers(0, file.size), max_size=6))
        assert_same_in_steps(file, cuts, family)

    if files:
        grow()
