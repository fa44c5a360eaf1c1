"""Real Codex exports its telemetry to the receiver: the panels equal what the provider served and the test decided."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from codex_usage.answers import make_context
from codex_usage.answers.diagnostics_results import Diagnostics
from codex_usage.answers.questions import Asked, ask
from codex_usage.homes import Places
from codex_usage.index import open_index
from tests.lab.calls import shell
from tests.lab.codex import CodexLab
from tests.lab.ledger import Request
from tests.lab.responses import Step
from tests.support.index import places_of, refreshed
from tests.support.live import receiver, running

CANARY = "kanarie"
ASKING = {"sandbox_permissions": "require_escalated", "justification": f"the {CANARY} wants out"}


def telemetry(places: Places) -> Diagnostics:
    """The section of all time."""
    with open_index(places.index) as index:
        answer = ask(make_context(index, "UTC"), Asked("diagnostics", {"section": "telemetry", "period": "all"}))
    assert isinstance(answer, Diagnostics)
    return answer


def panel(answer: Diagnostics, title: str) -> list[dict[str, Any]]:
    """The rows of a table by column."""
    table = next((table for table in answer.tables if table.title == title), None)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows] if table else []


def scripted(lab: CodexLab, *steps: Step) -> None:
    """Let only requests for responses draw steps."""
    left = iter(steps)
    lab.mock.script = lambda request: next(left) if request.path.endswith("/responses") else Step(status=404)


def served(lab: CodexLab) -> list[Request]:
    """The requests for responses."""
    return [request for request in lab.mock.requests if request.path.endswith("/responses")]


@pytest.mark.parametrize("protocol", ["json", "binary"])
def test_the_panels_equal_what_was_served_and_decided(lab: CodexLab, tmp_path: Path, protocol: str) -> None:
    """A retry, decisions of a person and of the policy, a tool that the policy denies, and a turn that fails."""
    places = places_of(lab.home, data=tmp_path / "data")
    lab.approval, lab.sandbox, lab.top = "on-request", "workspace-write", 'model_reasoning_effort = "high"'
    decisions = iter(["accept", "decline"])
    scripted(
        lab,
        Step(status=500),
        Step(calls=[shell(f"echo {CANARY} > ../asked", **ASKING)], delay=0.3),
        Step(calls=[shell(f"touch ../{CANARY}", **ASKING)]),
        Step(calls=[shell(f"echo {CANARY}")]),
        Step(text=f"{CANARY} done", hold=0.4),
        *[Step(failed=True, error={"code": "server_error", "message": CANARY})] * 3,
        Step(calls=[shell("touch ../denied", **ASKING)]),
        Step(text="not allowed"),
    )
    with running(receiver(places)) as server:
        address = f"http://127.0.0.1:{server.port}/v1/logs"
        exporter = f'{{ otlp-http = {{ endpoint = "{address}", protocol = "{protocol}" }} }}'
        lab.tables = f"[otel]\nlog_user_prompt = true\nexporter = {exporter}\n"
        with lab.app_server() as app:
            app.decide = lambda method, params: {"decision": next(decisions)}
            thread = app.start(cwd=str(lab.work))
            for prompt, policy in (("first", "on-request"), ("second", "on-request"), ("third", "never")):
                app.turn(thread, f"{prompt} {CANARY}", approvalPolicy=policy)
        refreshed(places)
        end = time.monotonic() + 20
        while len(panel(telemetry(places), "slowest responses")) < len(lab.mock.billed) and time.monotonic() < end:
            threading.Event().wait(0.1)

    answer, attempts = telemetry(places), served(lab)
    billed = [request.billed for request in attempts if request.billed]
    assert (len(attempts), len(billed)) == (10, 6)
    assert {tuple(row.values()) for row in panel(answer, "user decisions")} == {
        ("person", "approved", "", "exec_command", 1),
        ("person", "denied", "", "exec_command", 1),
        ("policy", "approved", "", "exec_command", 1),
    }
    assert {(row["status"], row["attempt"]): row["attempts"] for row in panel(answer, "request attempts")} == {
        (500, 0): 1, (200, 1): 1, (200, 0): 8,
    }  # fmt: skip
    assert [tuple(row.values()) for row in panel(answer, "requests")] == [("gpt-5.5", 9, 6, 0.6667, 1, 3)]
    (user,) = panel(answer, "users")
    assert (user["requests"], user["responses"], user["conversations"]) == (9, 6, 1)
    assert [user[f"{name}_tokens"] for name in ("input", "cached_input", "output", "reasoning_output")] == [
        sum(getattr(one, name) for one in billed) for name in ("input", "cached", "output", "reasoning")
    ]
    assert [(row["effort"], row["responses"]) for row in panel(answer, "reasoning effort")] == [("high", 6)]
    assert [tuple(row.values())[:4] for row in panel(answer, "tools")] == [("", "exec_command", 4, 2)]
    assert [row["conversations"] for row in panel(answer, "terminals")] == [1]
    (times,) = panel(answer, "response times")
    assert times["responses"] == 6
    assert 400 <= times["p95_request_ms"] < 5000
    assert answer.notes[0].startswith("6 of the newest 6 responses were found among the calls of the index.")
    with open_index(places.index) as index:
        calls: Any = ask(make_context(index, "UTC"), Asked("calls", {"period": "all"}))
    assert {row["call_id"] for row in panel(answer, "slowest responses")} == {row.call_id for row in calls.rows}
    assert Counter(row["effort"] for row in panel(answer, "slowest responses")) == {"high": 6}
    assert not any(CANARY.encode() in file.read_bytes() for file in places.data.rglob("*") if file.is_file())
