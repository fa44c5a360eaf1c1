"""The second pass: facts that stand by their calls, grow with their logs, and carry nothing that anyone said."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from codex_usage.homes import Places
from codex_usage.index import Index, facts, open_index, refresh
from codex_usage.index.facts import fact_groups, facts_state, refresh_facts
from codex_usage.index.queries import Scope
from tests.support.cases import case_folders
from tests.support.index import places_of
from tests.support.rollouts import Rollout


def scanned(places: Places, **options: Any) -> facts.FactsDone:
    with open_index(places.index) as index:
        refresh(index, places)
        return refresh_facts(index, places, **options)


def picture(places: Places) -> list[tuple[Any, ...]]:
    """Every fact with its names, in a fixed order."""
    with open_index(places.index) as index:
        return index.sql.execute(
            "SELECT (SELECT name FROM files WHERE id = file_id), position, part, call, exact, turn, time_ms, kind,"
            " l.name, server, family, operation, work, main, runs, outcome, duration_ms, bytes, tokens, file, added,"
            " removed FROM facts JOIN fact_labels l ON l.id = label_id ORDER BY 1, 2, 3"
        ).fetchall()


def clean(places: Places) -> list[tuple[Any, ...]]:
    """The facts of an index built at once from what is on disk now."""
    other = Places(places.codex, (), places.data, places.index.with_name("clean.sqlite"))
    for file in other.index.parent.glob("clean.sqlite*"):
        file.unlink()
    scanned(other)
    return picture(other)


def kinds(index: Index) -> dict[str, int]:
    return {row.labels[0]: row.uses for row in fact_groups(index, ("kind",), Scope())}


def tools(log: Rollout, *commands: str, output: str = "ok") -> Rollout:
    """A response for each command."""
    for command in commands:
        log.wait(1000).responses += 1
        name = f"call_{log.responses}"
        arguments = json.dumps({"cmd": command})
        log.item("function_call", name="exec_command", arguments=arguments, call_id=name)
        log.record(input=100, output=5)
        log.wait(100).item("function_call_output", call_id=name, output=output)
    return log


@pytest.mark.parametrize("case", case_folders(), ids=lambda case: case.name)
def test_tools_of_recorded_homes_belong_to_calls(tmp_path: Path, case: Path) -> None:
    """Only tools of copies and of responses without usage (aborts) have no exact call."""
    shutil.copytree(case / "codex_home", tmp_path / "home")
    places = places_of(tmp_path / "home")
    done = scanned(places)
    assert (done.pending_files, done.problems) == (0, 0)
    rows = picture(places)
    with open_index(places.index) as index:
        state = facts_state(index)
        assert state is not None
        assert (state.pending, state.skipped) == (0, 0)
    plain = ("tools", "tools_code", "simple", "twins", "approvals", "subagents")
    if case.name.partition("-")[2] in plain and "subagents" not in case.name:
        assert all(row[3] is not None and row[4] == 1 for row in rows)


def test_what_a_fork_copied_counts_once(tmp_path: Path) -> None:
    for version in ("0.98.0", "0.130.0", "0.147.0"):
        home = tmp_path / version / "home"
        first = Rollout(version).turn().call(input=100, output=7, tool=True).call(input=200, output=9, tool=True)
        first.write(home)
        first.fork().wait(60_000).turn().wait(5).call(input=300, output=11, tool=True).write(home)
        places = places_of(home)
        scanned(places)
        with open_index(places.index) as index:
            assert kinds(index) == {"shell": 3}, version


def test_a_scan_that_stops_and_goes_on_gives_the_facts_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tools(Rollout("0.169.0").turn(), *["git status"] * 300, output="x" * 20_000)
    log.write(tmp_path / "home")
    tools(Rollout("0.169.0", now=log.now + 1, thread="01a20050-636d-7c80-becf-4f79c1d9feb5").turn(), "ls").write(
        tmp_path / "home"
    )
    places = places_of(tmp_path / "home")
    monkeypatch.setattr(facts, "BATCH_BYTES", 1 << 20)
    steps = 0
    while scanned(places, seconds=0).pending_files:
        steps += 1
        assert steps < 100
    assert steps >= 1
    assert picture(places) == clean(places)
    assert len(picture(places)) == 301
    assert scanned(places)[:3] == (0, 0, 0)


def test_logs_grow_shrink_change_and_go(tmp_path: Path) -> None:
    home = tmp_path / "home"
    log = tools(Rollout("0.169.0").turn(), "cat a.py", "pytest")
    path = log.write(home)
    places = places_of(home)
    whole = path.read_bytes()
    for size in (len(whole) // 3, len(whole) // 2, len(whole) - 40, len(whole)):
        path.write_bytes(whole[:size])
        done = scanned(places)
        assert done.files_read == 1
        assert picture(places) == clean(places)
    assert scanned(places).files_read == 0
    path.write_bytes(whole[: len(whole) // 2])
    scanned(places)
    assert picture(places) == clean(places)
    other = tools(Rollout("0.169.0").turn(), "git log", "rg x", "ls", "make").bytes
    path.write_bytes(other)
    scanned(places)
    assert picture(places) == clean(places)
    moved = home / "archived_sessions" / path.name
    moved.parent.mkdir()
    path.rename(moved)
    assert scanned(places).files_read == 0
    assert picture(places) == clean(places) != []
    moved.unlink()
    (home / "sessions" / "x").mkdir(parents=True)
    scanned(places)
    assert picture(places) == []


def test_a_compressed_log_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    log = tools(Rollout("0.169.0").turn(), "cat a.py")
    log.write(home, zst=True)
    places = places_of(home)
    assert scanned(places).files_read == 1
    tools(log, "ls").write(home, zst=True)
    scanned(places)
    assert len(picture(places)) == 2
    assert picture(places) == clean(places)


def test_the_secret_is_the_users_own_and_a_new_one_reads_anew(tmp_path: Path) -> None:
    tools(Rollout("0.169.0").turn(), "cat a.py").write(tmp_path / "home")
    places = places_of(tmp_path / "home")
    scanned(places)
    secret = places.data / "secret"
    assert len(secret.read_bytes()) == 32
    if os.name == "posix":
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    before = picture(places)
    secret.unlink()
    assert scanned(places).files_read == 1
    assert [row[:-3] for row in picture(places)] == [row[:-3] for row in before]
    assert picture(places) != before, "a path's hash means nothing elsewhere"


#: Each stands for something that someone said, in a place of its own.
CANARIES = [f"CANARY{number:02}zq" for number in range(40)]


def test_nothing_that_anyone_said_gets_into_the_index(tmp_path: Path) -> None:
    """Prompts, arguments, commands, outputs, paths, names: none of their bytes are in any of its files."""
    c = iter(CANARIES)
    log = Rollout("0.169.0").turn()
    log.item("message", role="user", content=[{"type": "input_text", "text": next(c)}])
    log.item("message", role="assistant", content=[{"type": "output_text", "text": next(c)}])
    script = f"cd /{next(c)} && {next(c)} --{next(c)} '{next(c)}' < {next(c)} > {next(c)}.py; cat {next(c)}.{next(c)}"
    tools(
        log,
        script,
        f"git {next(c)} -m {next(c)}; gh {next(c)}",
        output=f"Process exited with code {next(c)}\nOutput:\n",
    )
    for name in (f"mcp__{next(c)} x__{next(c)}@y", f"{next(c)}", f"mcp__a__{next(c)}" + "x" * 80):
        log.item("function_call", name=name, namespace=next(c), arguments=f'{{"q": "{next(c)}"}}', call_id=next(c))
    log.item("custom_tool_call", name="exec", input=next(c), call_id="call_exec")
    thing = next(c, "CANARY99zq")
    change = {f"/home/{thing}.{thing}": {"type": "update", "unified_diff": f"+{thing}\n"}}
    for item in (
        {"type": "FileChange", "id": "exec-1", "changes": change, "stdout": thing},
        {"type": "CommandExecution", "id": "exec-2", "command": ["bash", "-lc", thing], "cwd": thing, "status": thing},
        {"type": "McpToolCall", "id": "exec-3", "server": f"{thing} x", "tool": f"@{thing}", "result": thing},
        {"type": "SubAgentActivity", "id": f"exec-{thing}", "agent_path": thing, "kind": thing},
    ):
        log.event("item_completed", item=item)
    log.item("custom_tool_call", name="apply_patch", input=f"*** Begin Patch\n*** Add File: {thing}\n+{thing}\n")
    log.record(input=1, output=1)
    log.write(tmp_path / "home")
    places = places_of(tmp_path / "home")
    with open_index(places.index) as index:
        refresh(index, places)
        refresh_facts(index, places)
        assert kinds(index).keys() >= {"shell", "patch", "mcp", "other"}
        stored = b"".join(file.read_bytes() for file in places.data.glob("index.sqlite*"))
    stored += b"".join(file.read_bytes() for file in places.data.glob("index.sqlite*"))
    assert b"shell" in stored
    assert [canary for canary in [*CANARIES, "CANARY99zq"] if canary.encode() in stored] == []


def test_facts_of_another_version_are_none_until_they_are_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools(Rollout("0.169.0").turn(), "cat a.py").write(tmp_path / "home")
    places = places_of(tmp_path / "home")
    scanned(places)
    before = picture(places)
    monkeypatch.setattr(facts, "VERSION", facts.VERSION + 1)
    with open_index(places.index) as index:
        assert (facts_state(index), facts.scanned(index)) == (None, False)
    assert scanned(places).files_read == 1
    assert picture(places) == before


def test_tools_of_no_call_are_told_and_in_no_answer(tmp_path: Path) -> None:
    log = Rollout("0.169.0")
    for number in range(40):
        log.item("function_call", name="exec_command", arguments=f'{{"cmd": "cat {number}.py"}}', call_id=f"c{number}")
    log.write(tmp_path / "home")
    places = places_of(tmp_path / "home")
    scanned(places)
    with open_index(places.index) as index:
        state = facts_state(index)
        assert state is not None and state.unlinked == 40
        assert kinds(index) == {}


def test_hostile_bytes_cost_themselves_only(tmp_path: Path) -> None:
    head = b'{"timestamp":"2026-11-21T20:00:00.000Z","type":"response_item","payload":{"type":"'
    lines = [
        head + b'function_call","name":' + b"[" * 9000,
        b"\x00" * 200,
        head + b'function_call","name":"\xff"}}' + b" " * 30,
        b"[" * 50_000,
        b"9" * 500,
        head + b'function_call_output","call_id":"call_1","output":"' + b"\\" * 999 + b'"}}',
    ]
    for line in lines:
        log = tools(Rollout("0.169.0").turn(), "git status").raw(line)
        tools(log, "git log").write(tmp_path / "home")
        places = places_of(tmp_path / "home")
        scanned(places)
        with open_index(places.index) as index:
            rows = fact_groups(index, ("family", "operation"), Scope())
            assert sorted(row.labels[1] for row in rows) == ["log", "status"]


def test_links_follow_the_calls_without_a_second_reading(tmp_path: Path) -> None:
    """A fork's copied tools belong to nothing while the parent is there, and to the fork's calls once it is gone."""
    home = tmp_path / "home"
    first = Rollout("0.98.0").turn().call(input=100, output=7, tool=True).call(input=200, output=9, tool=True)
    first.write(home)
    first.fork().wait(60_000).turn().wait(5).call(input=300, output=11, tool=True).write(home)
    places = places_of(home)
    scanned(places)
    with open_index(places.index) as index:
        assert kinds(index) == {"shell": 3}
    first.path(home).unlink()
    assert scanned(places).files_read == 0
    with open_index(places.index) as index:
        assert kinds(index) == {"shell": 3}
    assert picture(places) == clean(places)
