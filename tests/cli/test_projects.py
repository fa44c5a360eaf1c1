"""init-projects, and what a wrong projects.json does to an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from codex_usage.cli.commands import cli
from codex_usage.homes.project_config import load_projects
from tests.support.rollouts import Rollout


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usage home, not there yet, and a Codex home with one call."""
    monkeypatch.setenv("CODEX_USAGE_HOME", str(tmp_path / "usage"))
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    Rollout(cwd="/home/dev/shop").turn().call(input=100, output=7).write(tmp_path / "codex")
    return tmp_path / "usage"


def run(*words: str) -> str:
    """What a command says."""
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_init_projects_writes_a_file_that_changes_nothing(folder: Path) -> None:
    assert run("init-projects") == f"{folder / 'projects.json'} is ready for your projects; its comment says how.\n"
    assert (load_projects().aliases, load_projects().problems) == ([], [])
    assert (folder / "projects.json").stat().st_mode & 0o777 == 0o600


def test_init_projects_leaves_a_file_that_is_there_unless_forced(folder: Path) -> None:
    folder.mkdir()
    (folder / "projects.json").write_text("mine")
    assert "exists and is as it was" in run("init-projects")
    told = json.loads(run("init-projects", "--force", "--json"))
    assert told["written"] is True
    assert Path(told["backup"]).read_text() == "mine"


def test_an_alias_is_in_the_next_answer(folder: Path) -> None:
    assert "shop" in run("threads", "--period", "all")
    (folder / "projects.json").write_text('{"aliases": {"shop": "Renamed"}}')
    assert "Renamed" in run("threads", "--period", "all", "--json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"aliases": 7}', '{"ignored_paths": {"a": 1}}', "\0"])
def test_a_wrong_file_is_told_and_stops_no_answer(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "projects.json").write_text(text)
    assert "projects.json" in json.loads(run("summary", "--period", "all", "--json"))["data_quality"]
    (folder / "projects.json").unlink()
    (folder / "projects.json").mkdir()
    assert "projects.json is not a file" in json.loads(run("summary", "--period", "all", "--json"))["data_quality"]
