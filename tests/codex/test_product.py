"""The product inside real Codex: installed by its own setup, asked by name, answering with the provider's figures."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.lab import scenarios
from tests.lab.calls import mcp, search
from tests.lab.codex import CodexLab, run
from tests.lab.ledger import Request, Usage
from tests.lab.responses import MockResponses, Step
from tests.support.spending import Spent, home, thread_id

COMMAND = str(Path(sys.executable).with_name("codex-usage"))
ROOT = Path(__file__).resolve().parents[2]
Vector = tuple[int, int, int, int]


def set_up(lab: CodexLab) -> None:
    """Run `codex-usage setup` as a user would, and keep what it wrote into config.toml for the runs to come."""
    lab.write_config()
    done = run([COMMAND, "setup"], lab.work, 60, lab.variables())
    assert done.returncode == 0, done.stdout + done.stderr
    written = (lab.home / "config.toml").read_text(encoding="utf-8")
    lab.tables += "\n" + written[written.index("[mcp_servers.codex-usage]") :]


def outputs(requests: Iterable[Request]) -> list[dict[str, Any]]:
    """The answers of our tools that a session's requests show to the model, in order, each once."""
    found: dict[str, dict[str, Any]] = {}
    for request in requests:
        for item in request.body["input"]:
            if item.get("type") in ("function_call_output", "custom_tool_call_output"):
                for answer in answers_in(item["output"]):
                    found[item["call_id"]] = answer
    return list(found.values())


def answers_in(value: Any) -> Iterator[dict[str, Any]]:
    """Our answers within a tool result, however deep a client has wrapped and quoted them."""
    if isinstance(value, dict) and value.keys() & {"quality", "headline", "url"}:
        yield value
    elif isinstance(value, dict):
        yield from answers_in(list(value.values()))
    elif isinstance(value, list):
        for part in value:
            yield from answers_in(part)
    elif isinstance(value, str) and "{" in value:
        with contextlib.suppress(ValueError):
            yield from answers_in(json.JSONDecoder().raw_decode(value[value.index("{") :])[0])


def vector(used: Iterable[Usage]) -> Vector:
    """Sums of what was billed."""
    rows = [(u.input, u.cached, u.output, u.reasoning) for u in used]
    return tuple(map(sum, zip(*rows, strict=True))) if rows else (0, 0, 0, 0)  # type: ignore[return-value]


def told(total: dict[str, Any]) -> Vector:
    """The same sums as an answer tells them."""
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
    return tuple(total.get(name, 0) for name in names)  # type: ignore[return-value]


def ask(lab: CodexLab, prompt: str, *calls: Any, find: bool = True) -> tuple[list[Request], list[dict[str, Any]]]:
    """A session in which the model makes these calls; its requests and our tools' answers."""
    before = len(lab.mock.requests)
    first = [Step(calls=[search("usage_summary usage_threads usage_calls")])] if find else []
    lab.mock.script = [*first, *(Step(calls=[call]) for call in calls), Step(text="told")]
    done = lab.exec(prompt)
    assert done.returncode == 0, done.stderr
    requests = lab.mock.requests[before:]
    return requests, outputs(requests)


def test_the_skill_leads_codex_to_exact_answers_without_a_prompt(lab: CodexLab) -> None:
    """Asked by name under a read-only sandbox and no approvals, Codex sees skill and server at once, and what the
    tools tell of a resumed, forked and delegated history is what the provider billed."""
    lab.mock.script = [Step(text="one"), Step(text="two"), Step(text="forked")]
    thread = lab.exec("first").thread_id
    lab.resume(thread, "second")
    assert lab.fork(thread, "in the fork").returncode == 0
    history = vector(r.billed for r in lab.mock.billed if r.billed)
    lab.mock.requests.clear()
    scenarios.agents.subagents(lab)
    agents = [r.billed for r in lab.mock.billed if r.billed]
    lab.mock.requests.clear()
    lab.model, lab.sandbox, lab.approval = "gpt-5.5", "read-only", "never"
    set_up(lab)

    requests, answers = ask(
        lab,
        "use $codex-usage to show what I spent",
        mcp("codex_usage", "usage_summary", period="all"),
        mcp("codex_usage", "usage_threads", thread="current"),
    )

    first = requests[0]
    assert "<skill>" in first.text
    assert "usage_summary" in first.text
    assert "Answer from the MCP server" in first.text
    assert any("codex_usage" in name for name in first.tools)
    summary, current = answers
    own = [r.billed for r in requests if r.billed]
    counted = summary["total"]["calls"] - 3 - len(agents)
    assert counted in (1, 2)  # the response that calls the tool may not be on disk yet
    expected = [history, vector(agents), vector(own[:counted])]
    assert told(summary["total"]) == tuple(map(sum, zip(*expected, strict=True)))
    assert summary["total"]["threads"] == 6
    assert current["thread"] == requests[0].thread_id
    assert told(current["total"]) == vector(own[: current["total"]["calls"]])
    assert current["total"]["calls"] in (2, 3)


def test_the_model_that_writes_code_gets_the_same_answer(lab: CodexLab) -> None:
    """In code mode (newer models) the tool is called from JavaScript, and its result reaches the model once."""
    lab.model, lab.sandbox = "gpt-5.6-luna", "read-only"
    set_up(lab)
    requests, answers = ask(
        lab, "use $codex-usage to show this thread", mcp("codex_usage", "usage_summary", period="all"), find=False
    )
    own = [r.billed for r in requests if r.billed]
    total = answers[0]["total"]
    assert told(total) == vector(own[: total.get("calls", 0)])


def test_an_older_codex_answers_too(codex_130: Path, mock: MockResponses, tmp_path: Path) -> None:
    """Codex 0.130 logs no usage records and repeats its token counts; the figures are the provider's all the same."""
    lab = CodexLab(codex_130, mock, tmp_path, model="gpt-5.5", sandbox="read-only")
    mock.script = [Step(text="one"), Step(text="two")]
    thread = lab.exec("first").thread_id
    lab.resume(thread, "second")
    set_up(lab)
    before = [r.billed for r in mock.billed if r.billed]
    call = mcp("codex_usage", "usage_threads", thread="current")
    summary = mcp("codex_usage", "usage_summary", period="all")
    probe = lab.mock.requests[0].tools
    requests, answers = ask(lab, "use $codex-usage now", summary, call, find="tool_search" in probe)
    assert any("codex_usage" in name for name in requests[0].tools)
    own = [r.billed for r in requests if r.billed]
    counted = answers[0]["total"]["calls"] - len(before)
    assert counted in (0, 1, 2)
    assert told(answers[0]["total"]) == vector([*before, *own[:counted]])
    assert told(answers[1]["total"]) == vector(own[: answers[1]["total"]["calls"]])


@pytest.mark.parametrize("version", ["codex_169", "codex_130"])
def test_uninstall_leaves_codex_as_it_was(
    version: str, request: pytest.FixtureRequest, mock: MockResponses, tmp_path: Path
) -> None:
    """After setup and its undoing config.toml has its old bytes, and Codex offers neither skill nor server."""
    lab = CodexLab(request.getfixturevalue(version), mock, tmp_path, model="gpt-5.5")
    lab.write_config()
    config = lab.home / "config.toml"
    before = config.read_bytes()
    assert run([COMMAND, "setup"], lab.work, 60, lab.variables()).returncode == 0
    assert b"codex-usage" in config.read_bytes()
    assert run([COMMAND, "setup", "--uninstall"], lab.work, 60, lab.variables()).returncode == 0
    assert config.read_bytes() == before
    mock.script = [Step(text="hello")]
    lab.exec("hello")
    assert "codex-usage" not in mock.requests[0].text
    assert not any("codex_usage" in name for name in mock.requests[0].tools)


def test_the_question_about_a_spike_is_answered_by_the_first_tool_result(lab: CodexLab) -> None:
    """Three weeks of steady work, and yesterday a thread whose cache missed: the cause, in dollars, with its thread."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    steady = [
        Spent(at=f"{now - timedelta(days=day, minutes=n):%Y-%m-%dT%H:%M:%SZ}", thread=day, input=60_000, cached=56_000)
        for day in range(1, 22)
        for n in range(10)
    ]
    broken = [
        Spent(at=f"{now - timedelta(days=1, minutes=n + 20):%Y-%m-%dT%H:%M:%SZ}", thread=77, input=60_000, cached=0)
        for n in range(40)
    ]
    home(lab.home.parent / "past", [*steady, *broken])
    shutil.copytree(lab.home.parent / "past" / "home" / "sessions", lab.home / "sessions")
    lab.model, lab.sandbox, lab.approval = "gpt-5.5", "read-only", "never"
    set_up(lab)
    requests, answers = ask(
        lab, "use $codex-usage to explain my cost spike", mcp("codex_usage", "usage_explain"), find=True
    )
    assert "usage_explain" in requests[0].text
    (answer,) = answers
    assert answer["drivers"][0]["driver"] in ("cache_misses", "turns")  # each call of these logs is a turn
    misses = next(one for one in answer["drivers"] if one["driver"] == "cache_misses")
    assert misses["because"] == "gpt-5.5 calls read 19% of their input from the cache instead of 93%."
    assert answer["contributors"]["thread"][0]["id"] == thread_id(77)[-8:]
    assert answer["contributors"]["thread"][0]["delta"] == pytest.approx(40 * 0.3003, abs=0.01)
    assert f"Thread {thread_id(77)[-8:]} makes $12.01 of it." in answer["headline"]


def test_codex_writes_the_page_although_its_shell_may_write_nothing(lab: CodexLab) -> None:
    """Read-only sandbox, no approvals: the tool runs unprompted, and the page holds what was billed before."""
    lab.mock.script = [Step(text="one")]
    lab.exec("count the zebras")
    lab.model, lab.sandbox, lab.approval = "gpt-5.5", "read-only", "never"
    set_up(lab)
    _, answers = ask(
        lab, "use $codex-usage to open the dashboard", search("usage_dashboard"),
        mcp("codex_usage", "usage_dashboard"), find=False,
    )  # fmt: skip
    (told,) = answers
    page = Path(told["path"]).read_text(encoding="utf-8")
    assert told["total_calls"] >= 1
    assert '"usage":' in page
    assert "zebras" not in page
