"""Every recorded case is counted exactly: nothing that was not billed, everything that the logs can show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cases import case_folders, count_home, differences, rows_of


def test_there_are_recorded_cases_of_many_versions() -> None:
    assert len({case.name.rsplit("-", 1)[0] for case in case_folders()}) >= 6


@pytest.mark.parametrize("case", case_folders(), ids=lambda case: case.name)
def test_case_is_exact(case: Path) -> None:
    extra, missing = differences(case, rows_of(count_home(case / "codex_home")))
    assert not extra, "counted but not billed"
    assert not missing, "billed but not counted"
