"""A refresh killed at any moment, or run by many at once, ends in the state of a clean build."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.rollouts import NOON, Rollout

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def many(home: Path, what: str, count: int) -> dict[str, int]:
    """What tests.support.many says of a home."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.many", str(home), what, str(count)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=100,
        encoding="utf-8",
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, int] = json.loads(run.stdout)
    return found


def write_home(home: Path) -> None:
    """Thirty logs of several versions, some with forks."""
    for number in range(24):
        version = ("0.58.0", "0.98.0", "0.130.0", "0.169.0")[number % 4]
        log = Rollout(version, now=NOON + number * 3_600_000)
        for turn in range(6):
            log.turn()
            for call in range(4):
                log.call(input=100 + number * 7 + call, cached=50, output=7 + turn, tool=call < 3)
            log.end().wait(5000)
        log.write(home)
        if number % 4 in (1, 2):
            log.wait(60_000).fork().wait(1000).turn().call(input=900 + number, output=11).write(home)


def test_two_hundred_kills_end_in_the_clean_state(tmp_path: Path) -> None:
    write_home(tmp_path / "home")
    seen = many(tmp_path / "home", "kill", 200)
    assert seen["killed"] == 200
    assert seen["wrong"] == 0
    assert seen["ended"] > 0


def test_sixteen_refreshers_at_once_end_in_the_clean_state(tmp_path: Path) -> None:
    write_home(tmp_path / "home")
    assert many(tmp_path / "home", "crowd", 16) == {"failed": 0, "wrong": 0}
