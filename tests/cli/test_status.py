"""The status line for prompts: exit codes, and the kept line that is given again while nothing changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.rollouts import Rollout, uuid7
from tests.support.spending import Spent, home

COMMAND = str(Path(sys.executable).with_name("codex-usage"))


class Prompt:
    """A shell whose prompt asks for the status."""

    def __init__(self, folder: Path) -> None:
        self.own = folder / "own"
        self.env = os.environ | {
            "CODEX_HOME": str(folder / "home"), "CLAUDE_CONFIG_DIR": str(folder / "none"), "TZ": "UTC",
            "CODEX_USAGE_HOME": str(self.own), "HOME": str(folder),
        }  # fmt: skip

    def ask(self, *words: str, imports: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command; with `imports` it tells on the side what it imported."""
        start = [sys.executable, "-X", "importtime", COMMAND] if imports else [COMMAND]
        return subprocess.run([*start, *words], env=self.env, capture_output=True, text=True, timeout=60, check=False)

    def line(self) -> str:
        """The status line."""
        done = self.ask("status")
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def is_kept(self) -> bool:
        """Was the line given again, without importing what answers questions?"""
        done = self.ask("status", imports=True)
        assert done.returncode in (0, 3)
        return "codex_usage.answers" not in done.stderr and "sqlite3" not in done.stderr


def now() -> str:
    """This moment, so that the call is of today."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@pytest.fixture
def prompt(tmp_path: Path) -> Prompt:
    """A home with one call of today, worth 1.00."""
    home(tmp_path, [Spent(at=now(), input=200_000, output=0)])
    return Prompt(tmp_path)


def test_an_unchanged_line_is_given_again_without_looking_anything_up(prompt: Prompt) -> None:
    first = prompt.line()
    assert first.startswith("today $1.00 · ")
    assert prompt.is_kept()
    assert prompt.line() == first
    assert (prompt.own / "status.json").stat().st_mode & 0o077 == 0


def test_a_call_that_is_appended_shows_at_once(prompt: Prompt, tmp_path: Path) -> None:
    prompt.line()
    (log,) = (tmp_path / "home").rglob("rollout-*.jsonl")
    more = Rollout(thread=uuid7(1, 5), now=int(datetime.now(UTC).timestamp() * 1000)).turn().call(input=200_000)
    log.write_bytes(log.read_bytes() + b"".join(line + b"\n" for line in more.lines[1:]))
    assert not prompt.is_kept()


def test_a_new_thread_shows_at_once(prompt: Prompt, tmp_path: Path) -> None:
    prompt.line()
    home(tmp_path, [Spent(at=now(), thread=2, input=200_000, output=0)])
    assert prompt.line().startswith("today $2.00 · ")


def test_a_budget_shows_at_once_and_its_excess_is_an_exit_code(prompt: Prompt) -> None:
    prompt.line()
    assert prompt.ask("budget", "0.75", "--per", "day").returncode == 0
    for _ in range(2):  # looked up, and kept
        done = prompt.ask("status")
        assert (done.returncode, done.stderr) == (3, "")
        assert done.stdout.endswith("day budget 133% OVER\n")
    assert prompt.is_kept()
    told = prompt.ask("status", "--json")
    assert (told.returncode, json.loads(told.stdout)["over_budget"]) == (3, True)
    prompt.ask("budget", "2", "--per", "day")
    assert prompt.line().endswith("day budget 50%\n")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"who": 1}', '{"who": null, "until": "x", "files": 3}', "\x00"])
def test_a_broken_kept_line_is_made_anew(prompt: Prompt, content: str) -> None:
    first = prompt.line()
    (prompt.own / "status.json").write_text(content, encoding="utf-8")
    assert prompt.line() == first


def test_another_home_has_another_line(prompt: Prompt, tmp_path: Path) -> None:
    prompt.line()
    home(tmp_path / "other", [Spent(at=now(), input=100_000, output=0)])
    prompt.env["CODEX_HOME"] = str(tmp_path / "other" / "home")
    assert prompt.line().startswith("today $0.5000 · ")
