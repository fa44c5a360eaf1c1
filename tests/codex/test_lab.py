"""The lab tells the truth: its ledger, the requests it keeps, and the cases recorded with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab import neutral, scenarios
from tests.lab.calls import mcp, search, shell
from tests.lab.codex import CodexLab
from tests.lab.expected import Vector, evidence, expected, rollouts
from tests.lab.responses import MockResponses, Step

CASES = sorted((Path(__file__).resolve().parents[1] / "cases" / "codex").iterdir())


def logged(lab: CodexLab, thread: str) -> list[Vector]:
    """The usage figures in a thread's rollouts."""
    files = [path for path in lab.rollouts() if thread in path.name]
    return [found.vector for path in files for found in evidence(path, lab.root)]


def billed(lab: CodexLab, thread: str) -> list[Vector]:
    """What the mock billed a thread for."""
    calls = lab.mock.billed_by_thread()[thread]
    return [(used.input, used.cached, used.output, used.reasoning) for used in calls]


def test_the_ledger_equals_what_the_rollout_of_an_exec_shows(lab: CodexLab) -> None:
    """Two calls of one turn are in the ledger and in the log, with the same figures."""
    lab.mock.script = [Step(calls=[shell("cat a.py")]), Step(text="it prints 1")]
    done = lab.exec("what does a.py do?")
    assert done.returncode == 0
    assert lab.thread_ids() == [done.thread_id]
    assert logged(lab, done.thread_id) == billed(lab, done.thread_id)
    assert "print(1)" in lab.mock.requests[1].text


def test_the_ledger_equals_what_an_older_codex_logs(codex_130: Path, mock: MockResponses, tmp_path: Path) -> None:
    """Codex 0.130 repeats its token counts; each call is evidence once."""
    lab = CodexLab(codex_130, mock, tmp_path, model="gpt-5.5")
    mock.script = [Step(calls=[shell("cat a.py")]), Step(text="it prints 1")]
    thread = lab.exec("what does a.py do?").thread_id
    assert logged(lab, thread) == billed(lab, thread)
    assert len(mock.billed) == 2


def test_a_resume_is_billed_to_the_thread_it_resumes(lab: CodexLab) -> None:
    """A resumed thread keeps its file and its id, and the effort asked for is in the ledger."""
    lab.mock.script = [Step(text="one"), Step(text="two")]
    thread = lab.exec("first").thread_id
    assert lab.resume(thread, "second", "-c", 'model_reasoning_effort="high"').thread_id == thread
    assert logged(lab, thread) == billed(lab, thread)
    assert [request.effort for request in lab.mock.requests] == ["medium", "high"]


def test_spawned_agents_are_billed_to_threads_of_their_own(lab: CodexLab) -> None:
    """A parent and two agents are three threads, each with a log that equals its ledger."""
    scenarios.agents.subagents(lab)
    assert len(lab.thread_ids()) == 3
    for thread in lab.thread_ids():
        assert sorted(logged(lab, thread)) == sorted(billed(lab, thread))


def test_a_deferred_mcp_tool_is_found_and_called(lab: CodexLab) -> None:
    """A server's tools are named once the model has searched for them, and the result reaches the model."""
    lab.tables = scenarios.TINY
    lab.mock.script = [
        Step(calls=[search("add numbers")]),
        Step(calls=[mcp("tiny", "add", a=2, b=40)]),
        Step(text="42"),
    ]
    lab.exec("add 2 and 40")
    first, second, third = lab.mock.requests
    assert [name for name in first.tools if "tiny" in name] == ["mcp__tiny"]
    assert "mcp__tiny__add" in second.tools
    assert third.body["input"][-1]["output"][-1]["text"] == "42"


def test_a_request_that_fails_is_kept_and_not_billed(lab: CodexLab) -> None:
    """HTTP 500 and a lost connection cost nothing; the retry is billed."""
    lab.mock.script = [Step(status=500), Step(text="lost", cut="end"), Step(text="here")]
    thread = lab.exec("go").thread_id
    assert [request.outcome for request in lab.mock.requests] == ["http 500", "cut before completion", "completed"]
    assert logged(lab, thread) == billed(lab, thread)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_recorded_case_agrees_with_its_own_logs(case: Path) -> None:
    """expected.json is what judging the case anew gives, and the lines are laid out as Codex writes them."""
    kept = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    assert expected(kept["case"], kept["about"], kept["calls"], case) == kept
    for path in rollouts(case):
        if path.suffix == ".jsonl":
            for line in path.read_text(encoding="utf-8").splitlines():
                assert neutral.compact(json.loads(line)) == line
