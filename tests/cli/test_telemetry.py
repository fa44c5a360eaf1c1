"""Telemetry at the command line: how it is told, and how it is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from codex_usage.cli.commands import cli
from codex_usage.homes import find_places
from codex_usage.index import Filters, Scope
from codex_usage.index.telemetry import add_events, heard, open_telemetry, telemetry_path
from codex_usage.logs.otlp import read_export
from tests.support.rollouts import NOON
from tests.support.spending import Spent, home
from tests.support.telemetry import decision, export, request, start

DAY = 86_400_000


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home with a call, and telemetry of two days."""
    home(tmp_path, [Spent(at="2026-11-21T20:00:00.000Z")])
    for name, folder in (("CODEX_HOME", "home"), ("CODEX_USAGE_HOME", "data"), ("CLAUDE_CONFIG_DIR", "none")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    run("refresh")
    with open_telemetry(telemetry_path(find_places().index)) as found:
        events = export(start(NOON - 90 * DAY), start(NOON), decision(NOON), request(NOON))
        add_events(found, read_export(events, False, b"k" * 32))


def run(*words: str, answer: str = "") -> str:
    """What a command prints."""
    done = CliRunner().invoke(cli, words, input=answer)
    assert done.exit_code in (0, 1), done.output
    return done.output


def counted() -> int:
    """How many events are kept."""
    index = find_places().index
    found = heard(telemetry_path(index), index, Scope(), Filters(), str)
    return sum(count for count, _ in found.events.values()) if found else 0


def test_each_table_says_what_it_rests_on() -> None:
    lines = run("diagnostics", "telemetry", "--period", "all").splitlines()
    assert "user decisions (from 1 codex.tool_decision)" in lines
    assert "terminals (from 2 codex.conversation_starts)" in lines


def test_a_new_index_keeps_telemetry_and_says_so() -> None:
    assert "telemetry.sqlite stays, as no log has it: clear-db --telemetry" in run("clear-db", "--yes")
    run("rebuild-index")
    assert counted() == 4


def test_what_is_older_is_forgotten_with_the_calls() -> None:
    run("clear-db", "--older-than", "2026-11-01", "--yes")
    assert counted() == 3


def test_all_telemetry_is_forgotten_when_asked_for_and_nothing_else() -> None:
    assert run("clear-db", "--telemetry", answer="n\n").endswith("Aborted!\n")
    assert counted() == 4
    assert run("clear-db", "--telemetry", "--yes").startswith("forgot all telemetry in ")
    assert counted() == 0
    assert find_places().index.exists()
    assert "No telemetry was received" in run("diagnostics", "telemetry")
