"""The commands that take in other sources, as a user meets them: on streams that real Codex wrote."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from codex_usage.cli.commands import cli
from codex_usage.model import UsageError
from tests.support.rollouts import NOON, Rollout

STREAMS = Path(__file__).resolve().parents[1] / "cases" / "streams"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any log, whose machine has nothing of ours."""
    for name, value in (("HOME", "user"), ("CODEX_HOME", "home"), ("CLAUDE_CONFIG_DIR", "claude"),
                        ("CODEX_USAGE_HOME", "data")):  # fmt: skip
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.delenv("CODEX_USAGE_PRIVACY_MODE", raising=False)
    return tmp_path


def run(*words: str, stdin: bytes | None = None) -> str:
    """What a command prints; it must end well."""
    done = CliRunner().invoke(cli, words, input=stdin)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def told(*words: str, stdin: bytes | None = None) -> Any:
    """What it prints with --json."""
    return json.loads(run(*words, "--json", stdin=stdin))


def refused(*words: str) -> str:
    """The sentence it fails with."""
    done = CliRunner().invoke(cli, words)
    assert isinstance(done.exception, UsageError | SystemExit)
    return str(done.exception) if isinstance(done.exception, UsageError) else done.output


def exported() -> Counter[tuple[int, int, int]]:
    """(input, cached, output) of every call."""
    rows = json.loads(run("export"))
    return Counter((row["input_tokens"], row["cached_input_tokens"], row["output_tokens"]) for row in rows)


@pytest.mark.parametrize(
    ("command", "stream"),
    [("ingest-app-server", "app-server.jsonl"), ("ingest-cli", "exec.jsonl"), ("ingest-cli", "screen.txt")],
)
def test_a_recorded_stream_is_counted_once_by_file_or_by_standard_input(command: str, stream: str) -> None:
    log = STREAMS / "0.169.0" / stream
    first = told(command, "--log", str(log))
    assert first["calls"] == first["counted_calls"] > 0
    every = exported()
    assert sum(every.values()) == first["calls"]
    assert told(command, "--log", str(log)) == first
    assert told(command, "--log", "-", stdin=log.read_bytes())["counted_calls"] == first["calls"]
    assert exported() == every


def test_a_longer_version_of_a_stream_adds_only_what_it_shows_more() -> None:
    lines = (STREAMS / "0.169.0" / "app-server.jsonl").read_bytes().splitlines(keepends=True)
    for part in (len(lines) // 3, len(lines) // 2, len(lines), len(lines) // 2):
        run("ingest-app-server", "--log", "-", stdin=b"".join(lines[:part]))
    parts = exported()
    run("clear-db", "--imported", "--yes")
    run("ingest-app-server", "--log", "-", stdin=b"".join(lines))
    assert parts == exported()


def test_a_stream_beside_the_log_of_its_thread_counts_nothing(folder: Path) -> None:
    log = Rollout().turn().call(input=100, cached=50, output=7).call(input=200, output=9).end()
    log.write(folder / "home")
    text = (f"Token usage: total=266 input=250 (+ 50 cached) output=16\n"
            f"To continue this session, run codex resume {log.thread}\n")  # fmt: skip
    (folder / "end.txt").write_text(text)
    first = told("ingest-cli", "--log", str(folder / "end.txt"))
    assert (first["threads"], first["calls"], first["counted_calls"]) == (1, 1, 0)
    assert exported() == Counter([(100, 50, 7), (200, 0, 9)])
    assert "1 line" not in run("summary", "--period", "all")
    log.path(folder / "home").unlink()
    assert exported() == Counter([(300, 50, 16)])


def test_what_was_left_out_of_a_terminal_is_told() -> None:
    answer = run("ingest-cli", "--log", str(STREAMS / "0.58.0" / "exec.txt"))
    assert "0 calls" in answer
    assert "left out: unsplit total" in answer


def test_two_machines_share_their_calls_by_a_bundle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Rollout().turn().call(input=100, output=7).end()
    for home in ("home", "laptop-home"):
        shared.write(folder / home)
    Rollout(now=NOON + 9).turn().call(input=200, output=9).end().write(folder / "laptop-home")
    with monkeypatch.context() as there:
        there.setenv("CODEX_HOME", str(folder / "laptop-home"))
        there.setenv("CODEX_USAGE_HOME", str(folder / "laptop-data"))
        bundle = str(folder / "bundle.jsonl")
        assert run("export", "--bundle", bundle, "--label", "laptop") == f"2 calls of laptop written to {bundle}\n"
    assert run("import", "--bundle", bundle) == "laptop: 2 threads, 2 calls, of which 1 count from here\n"
    assert exported() == Counter([(100, 0, 7), (200, 0, 9)])
    again = run("import", "--bundle", bundle)
    assert again.startswith("nothing new: this bundle, or a later one from there, was taken in before\n")
    run("rebuild-index")
    assert exported() == Counter([(100, 0, 7), (200, 0, 9)])
    assert told("import", "--bundle", bundle, "--label", "old laptop")["source"] == "old laptop"


def test_what_was_imported_stays_until_it_is_cleared_by_name(folder: Path) -> None:
    run("ingest-cli", "--log", str(STREAMS / "0.169.0" / "exec.jsonl"))
    every = exported()
    assert "clear-db --imported" in run("clear-db", "--yes")
    assert exported() == every
    assert "no log has it" not in run("clear-db", "--imported", "--yes")
    assert not list(folder.glob("data/*.imported"))
    assert "no Codex or Claude Code logs here" in refused("export")


def test_what_is_written_is_for_the_user_alone(folder: Path) -> None:
    run("ingest-cli", "--log", str(STREAMS / "0.169.0" / "exec.jsonl"))
    written = [*folder.glob("data/**/*"), folder / "data"]
    assert len(written) > 3
    assert [path for path in written if os.name == "posix" and path.stat().st_mode & 0o077] == []


def test_a_mistake_is_told_in_one_sentence(folder: Path) -> None:
    (folder / "x").write_text("no bundle\n")
    assert refused("import", "--bundle", str(folder / "x")).startswith("x is no bundle; make one with")
    assert refused("ingest-cli", "--log", str(folder / "none")).endswith("name a file, or - for standard input.")
    assert "leave out the filters" in refused("export", "--bundle", str(folder / "y"), "--model", "gpt-5.5")
    assert "name a Codex home" in refused("--codex-home", f"work={folder}/nowhere", "summary")


def test_a_strict_bundle_names_nothing(folder: Path) -> None:
    log = Rollout(cwd="/home/zoe/zebra", meta_fields={"git": {"branch": "zebra-fix"}}).turn().call(input=1, output=1)
    log.write(folder / "home")
    run("--privacy-mode", "strict", "export", "--bundle", str(folder / "b"), "--label", "zoes-laptop")
    text = (folder / "b").read_text()
    assert [word for word in ("zoe", "zebra", log.thread, str(folder)) if word in text] == []
    run("export", "--bundle", str(folder / "c"), "--label", "zoes-laptop")
    assert log.thread in (folder / "c").read_text()


def test_a_label_of_a_home_is_no_part_of_its_path(folder: Path) -> None:
    Rollout().turn().call(input=1, output=1).write(folder / "home")
    assert "1 call" in run("--codex-home", f"work={folder / 'home'}", "summary", "--period", "all")
