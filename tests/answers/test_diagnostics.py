"""What diagnostics answer: sums over tools that agree with their logs, and how far the scan reaches."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from codex_usage.answers import Context, make_context
from codex_usage.answers.diagnostics import SECTIONS, diagnostics
from codex_usage.answers.diagnostics_results import Diagnostics, Table
from codex_usage.homes import Places
from codex_usage.index import Filters, open_index, refresh
from codex_usage.model import BadInput
from tests.support.cases import CASES
from tests.support.index import places_of
from tests.support.rollouts import NOON, Rollout

#: The sections that rest on logs.
FACTS = [section for section in SECTIONS if section != "telemetry"]


@contextmanager
def asking(places: Places) -> Iterator[Context]:
    with open_index(places.index) as index:
        yield make_context(index, "UTC", refreshed=refresh(index, places))


def ask(context: Context, section: str, places: Places | None = None, **options: Any) -> Diagnostics:
    return diagnostics(context, section, context.period("all"), refresh=places, **options)


def by_label(table: Table, labels: int = 1) -> dict[Any, dict[str, Any]]:
    """Rows as dicts by their labels."""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    keys = [tuple(row[:labels]) if labels > 1 else row[0] for row in table.rows]
    return dict(zip(keys, rows, strict=True))


def ran(log: Rollout, command: str, code: int = 0, ms: int = 100, output: str = "ok") -> Rollout:
    """A response that runs one command."""
    log.wait(1000).responses += 1
    call = f"call_{log.responses}"
    log.item("function_call", name="exec_command", arguments=json.dumps({"cmd": command}), call_id=call)
    log.record(input=1000, output=10)
    text = f"Wall time: {ms / 1000:.4f} seconds\nProcess exited with code {code}\nOutput:\n{output}"
    return log.wait(ms).item("function_call_output", call_id=call, output=text)


def patched(log: Rollout, patch: str) -> Rollout:
    log.wait(1000).responses += 1
    log.item("custom_tool_call", name="apply_patch", input=patch, call_id=f"call_{log.responses}")
    return log.record(input=1000, output=10)


@pytest.fixture
def home(tmp_path: Path) -> Places:
    log = Rollout("0.169.0").turn()
    for ms in (100, 200, 300, 400):
        ran(log, "pytest -q", 1, ms)
    ran(log, "cat a.py b.py", output="x" * 4000)
    ran(log, "sed -n 1,9p a.py")
    ran(log, "git status && git log")
    patched(log, "*** Begin Patch\n*** Update File: a.py\n@@\n-1\n+2\n+3\n*** End Patch\n")
    log.end().turn()
    ran(ran(ran(log, "make", 2), "make", 2), "make", 0)
    log.item("function_call", name="mcp__db__query", arguments="{}", call_id="m").record(input=1000, output=10)
    log.write(tmp_path / "home")
    other = Rollout(
        "0.169.0", now=NOON + 86_400_000, thread="01a20050-636d-7c80-becf-4f79c1d9feb5", cwd="/home/dev/two"
    )
    ran(other.turn(), "cat a.py").write(tmp_path / "home")
    return places_of(tmp_path / "home")


def test_a_scan_is_told_of_before_during_and_after(home: Places) -> None:
    with asking(home) as context:
        found = ask(context, "overview")
        assert (found.status, found.computed_at, found.tables) == ("never computed", None, [])
        found = ask(context, "overview", home)
        assert (found.status, found.logs_scanned, found.logs_pending) == ("fresh", 2, 0)
        assert found.computed_at
    Rollout("0.169.0", thread="01a20050-636d-7c80-becf-4f79c1d9feb6").turn().write(home.codex[0])
    with asking(home) as context:
        found = ask(context, "tools")
        assert (found.status, found.logs_scanned, found.logs_pending) == ("stale", 2, 1)
        assert found.tables[0].rows
        assert "1 logs" in found.notes[0]
        assert ask(context, "tools", home).status == "fresh"


def test_every_section_answers_of_every_home(tmp_path: Path) -> None:
    for case in ("0.169.0-tools_code", "0.36.0-tools", "0.98.0-fork_app", "0.169.0-simple"):
        shutil.copytree(CASES / case / "codex_home", tmp_path / case / "home")
        places = places_of(tmp_path / case / "home")
        with asking(places) as context:
            for section in FACTS:
                found = ask(context, section, places)
                assert found.status == "fresh"
                for table in found.tables:
                    assert all(len(row) == len(table.columns) for row in table.rows)
                    shares = [row[-1] for row in table.rows if table.columns[-1] == "share"]
                    assert not shares or table.rest or sum(shares) == pytest.approx(1, abs=0.01)
                Diagnostics.model_validate_json(found.model_dump_json())


def test_commands(home: Places) -> None:
    with asking(home) as context:
        rows = by_label(ask(context, "commands", home).tables[0])
    pytest_row = rows["pytest"]
    assert (pytest_row["runs"], pytest_row["failed"], pytest_row["failure_rate"]) == (4, 4, 1.0)
    assert (pytest_row["mean_ms"], pytest_row["retry_loops"]) == (250, 1)
    assert (rows["make"]["failure_rate"], rows["make"]["retry_loops"]) == (0.6667, 0)
    assert (rows["git"]["uses"], rows["git"]["runs"], rows["git"]["associated_tokens"]) == (1, 2, 1010)
    assert rows["cat"]["runs"] == 2


def test_outputs_are_told_by_tool_and_by_call(home: Places) -> None:
    with asking(home) as context:
        found = ask(context, "tool-output", home, limit=3)
    output, largest = found.tables
    assert output.rows[0][:3] == ["shell", "exec_command", "cat"]
    assert output.rest == 5 - 3 + 2
    assert largest.rows[0][3] == "cat"
    assert 4000 < largest.rows[0][4] < 4200  # type: ignore[operator]
    assert len(str(largest.rows[0][0])) == 16
    assert set(found.not_additive) == {"calls", "associated_tokens", "associated_cost_usd"}


def test_files_and_git(home: Places) -> None:
    with asking(home) as context:
        (reads,) = ask(context, "file-reads", home).tables
        assert [row[2:4] for row in reads.rows] == [[2, 1]], (
            "a.py twice in a thread; the other folder's is another file"
        )
        assert str(reads.rows[0][0]).startswith("py:")
        (changed,) = ask(context, "file-modifications").tables
        assert [row[:4] for row in changed.rows] == [[reads.rows[0][0], 1, 2, 1]]
        (git,) = ask(context, "git-interactions").tables
        assert sorted(row[:2] for row in git.rows) == [["git", "log"], ["git", "status"]]
        (mcp,) = ask(context, "mcp").tables
        assert [row[:3] for row in mcp.rows] == [["db", "query", 1]]
        total, threads = ask(context, "read-productivity").tables
    whole = by_label(total)["all"]
    assert (whole["reads"], whole["files_read"], whole["files_changed"], whole["lines_changed"]) == (5, 3, 1, 3)
    assert whole["reads_per_file_changed"] == 5.0
    assert whole["read_tokens_per_line_changed"] > 300
    assert len(threads.rows) == 2


def test_concentration_needs_no_scan(home: Places) -> None:
    with asking(home) as context:
        threads, days, projects = ask(context, "concentration").tables
    assert [table.title for table in (threads, days, projects)] == ["threads", "days", "projects"]
    assert threads.rows[0][2] == round(11 / 12, 4)
    assert threads.rows[1][1:] == [1.0, 1.0, 2]


def test_sums_by_day_are_those_made_at_once(home: Places) -> None:
    """With a filter that all calls pass, nothing is taken from the sums by day."""
    with asking(home) as context:
        for section in FACTS:
            stored, made = (
                ask(context, section, home, filters=one).tables for one in (None, Filters(provider="codex"))
            )
            assert stored == made and stored[0].rows


def test_filters_and_periods_hold(home: Places) -> None:
    with asking(home) as context:
        found = ask(context, "commands", home, filters=Filters(project="two"))
        assert [row[:2] for row in found.tables[0].rows] == [["cat", 1]]
        assert found.scope == {"project": "two"}
        day = diagnostics(context, "commands", context.period("2026-11-22"))
        assert [row[0] for row in day.tables[0].rows] == ["cat"]
        with pytest.raises(BadInput, match="overview"):
            ask(context, "nonsense")
