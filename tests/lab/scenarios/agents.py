"""Threads that other threads start: spawned agents, reviews, the reviewer of approvals."""

from __future__ import annotations

import contextlib
import json
import re

from tests.lab.appserver import Json, RefusedError
from tests.lab.calls import shell, tool
from tests.lab.codex import CodexLab
from tests.lab.ledger import Request
from tests.lab.responses import Answer, Routes, Step
from tests.lab.scenarios.common import READ, says, scenario

CORRECT = {"findings": [], "overall_correctness": "patch is correct", "overall_confidence_score": 0.9}


def children(request: Request) -> str:
    """Route key: which spawned agent asks, else the parent."""
    if request.headers.get("x-openai-subagent") is None:
        return "turn"
    return "b" if "SUBTASK-B" in request.text else "a"


@scenario(0, 130)
def subagents(lab: CodexLab) -> None:
    """A parent spawns an agent that inherits its context and one that does not, waits, and is resumed."""
    if lab.version >= (0, 147):
        lab.model = "gpt-5.6-sol"
        first: Json = {"task_name": "task_a", "fork_turns": "all"}
        second: Json = {"task_name": "task_b", "fork_turns": "none"}
    else:
        lab.tables += "[features]\nmulti_agent = true\n"
        first, second = {"fork_context": True}, {"agent_type": "explorer"}

    def wait_or_answer(request: Request) -> Step:
        answered = {children(done) for done in lab.mock.requests if done.billed and "child answer" in done.answer}
        if answered == {"a", "b"}:
            return Step(text="root finished", delay=0.3)
        ids = list(dict.fromkeys(re.findall(r"agent_id\W+([0-9a-f-]{36})", request.text)))
        return Step(calls=[tool("wait_agent", timeout_ms=10000, **({"targets": ids} if ids else {}))])

    def child(name: str) -> list[Step]:
        return [Step(calls=[shell(f"echo {name}")], delay=0.2), Step(text=f"child answer {name}")]

    spawn_a = Step(calls=[tool("spawn_agent", message="SUBTASK-A do it", **first)])
    spawn_b = Step(calls=[tool("spawn_agent", message="SUBTASK-B do it", **second)])
    turns: list[Step | Answer] = [*says("zero"), READ, spawn_a, spawn_b, *[wait_or_answer] * 12]
    lab.mock.script = Routes(children, turn=turns, a=child("a"), b=child("b"))
    thread = lab.exec("zero").thread_id
    lab.resume(thread, "go and spawn")
    lab.resume(thread, "again")


@scenario(0, 130)
def review(lab: CodexLab) -> None:
    """`codex exec review`, then reviews inline and detached on a thread of the app server."""
    (lab.work / "a.py").write_text("print(1)\nprint(3)\n", encoding="utf-8")
    reviewing = [Step(calls=[shell("git diff --stat")]), Step(text=json.dumps(CORRECT))] * 3
    lab.mock.script = Routes(review=reviewing, turn=says("before", "after", "detached"))
    lab.codex("exec", "review", "--uncommitted")
    target = {"type": "uncommittedChanges"}
    with lab.app_server() as app:
        thread = app.start(cwd=str(lab.work))
        app.turn(thread, "before")
        app.until_done("review/start", threadId=thread, target=target, delivery="inline")
        app.turn(thread, "after")
        with contextlib.suppress(RefusedError):  # 0.169 reviews inline only
            app.until_done("review/start", threadId=thread, target=target, delivery="detached")


@scenario(0, 169)
def guardian(lab: CodexLab) -> None:
    """A command that asks to leave the sandbox, approved by Codex's own reviewing model."""
    lab.approval, lab.sandbox, lab.top = "on-request", "workspace-write", 'approvals_reviewer = "auto_review"'
    asking = Step(calls=[shell("touch ../asked", sandbox_permissions="require_escalated", justification="so")])
    verdict = {"risk_level": "low", "user_authorization": "high", "outcome": "allow", "rationale": "fine"}
    lab.mock.script = Routes(turn=[asking, *says("done")], guardian=[Step(text=json.dumps(verdict))] * 3)
    lab.exec("go", "-c", 'approval_policy="on-request"')
