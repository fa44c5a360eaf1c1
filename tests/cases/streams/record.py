"""Record streams: `python -m tests.cases.streams.record VERSION...`.

In: Codex versions. Out: per version a folder with what real Codex wrote to its terminal (`exec.txt`, `exec.jsonl`,
`screen.txt`: raw, with its escapes) and to a client (`app-server.jsonl`, both directions), and `ledger.json`: what
the provider billed in each.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lab import neutral, scenarios
from tests.lab.appserver import AppServer, RefusedError
from tests.lab.calls import shell, tool
from tests.lab.codex import CodexLab, Run, install
from tests.lab.expected import ledger_rows
from tests.lab.responses import MockResponses, Routes, Step
from tests.lab.scenarios.common import READ, says
from tests.lab.terminal import ENTER, ESCAPE, Screen


class Recorder(Screen):
    """A screen that keeps what was written to it."""

    written = b""

    def _reply(self, written: bytes) -> None:
        self.written += written
        super()._reply(written)


class Tapped(AppServer):
    """An app server whose lines are kept, those of the client too."""

    def __init__(self, lab: CodexLab, client: str = "codex_vscode"):
        self.lines: list[Any] = []
        lab.write_config()
        super().__init__([str(lab.binary), "app-server"], lab.work, lab.variables(), client, lab.mock)

    def _send(self, message: Any) -> None:
        self.lines.append(message)
        super()._send(message)

    def _receive(self, message: Any) -> None:
        self.lines.append(message)
        super()._receive(message)


class Kept(CodexLab):
    """A lab that keeps what its commands said, their two streams as a shell's `2>&1` joins them."""

    json = False

    def codex(self, *arguments: str, seconds: float = 90.0) -> Run:
        done = super().codex(*arguments, seconds=seconds)
        self.said = getattr(self, "said", "") + ("" if self.json else done.stderr) + done.stdout
        return done

    def _exec(self) -> list[str]:
        return ["exec", *(["--json"] if self.json else []), "--skip-git-repo-check"]


def plain(lab: Kept) -> str:
    """`codex exec` and a resume; from 0.169 on a fork, too."""
    lab.mock.script = Routes(turn=[READ, *says("one", "two", "three")])
    lab.exec("first")
    if lab.version >= (0, 36):
        lab.resume(lab.thread_ids()[0], "second")
    if lab.version >= (0, 169):
        lab.fork(lab.thread_ids()[0], "in the fork")
    return lab.said


def events(lab: Kept) -> str:
    """`codex exec --json`, a resume that fails, another, and from 0.169 on a fork."""
    lab.json = True
    lab.mock.script = Routes(
        lambda request: "broken" if prompt_of(request) == "it breaks" else request.role,
        turn=[READ, *says("one", "two", "three")],
        broken=[Step(status=400)] * 9,
    )
    lab.exec("first please")
    if lab.version >= (0, 44):
        for prompt in ("it breaks please", "after please"):
            lab.resume(lab.thread_ids()[0], prompt)
    if lab.version >= (0, 169):
        lab.fork(lab.thread_ids()[0], "in the fork please")
    return lab.said


def spawned(lab: Kept) -> str:
    """`codex exec` with two agents, then two resumes."""
    scenarios.SCENARIOS["subagents"](lab)
    return lab.said


def screen(lab: Kept) -> str:
    """The interactive screen: two prompts, `/status` after each, and the words at its end."""
    lab.mock.script = Routes(turn=[READ, *says("one", "two", *"abcdefgh")])
    return shown(lab, "hello", ENTER, "/status", ENTER, "again", ENTER, "/status", ENTER)


def screens(lab: Kept) -> str:
    """The screen, and again to resume its thread."""
    lab.mock.script = Routes(turn=[READ, *says("one", "two", *"abcdefgh")])
    first = shown(lab, "hello", ENTER)
    lab.top = ""
    return first + shown(lab, "again", ENTER, start=("resume", lab.thread_ids()[0]))


def shown(lab: Kept, *keys: str, start: tuple[str, ...] = ()) -> str:
    """What is written to a screen until it is left."""
    options = ["--no-daemon"] if lab.version >= (0, 155) and not start else []
    with Recorder(lab, *start, *options) as terminal:
        terminal.press(*([] if start else [ESCAPE]), *keys, "/quit", ENTER)
    return terminal.written.decode("utf-8", "replace")


def prompt_of(request: Any) -> str:
    """The prompt that a request answers."""
    prompts = ("first", "other", "two", "in the fork", "after", "it breaks", "resumed", "and spawn", "the last")
    return max(prompts, key=lambda prompt: request.text.rfind(f"{prompt} please"))


def app(lab: Kept) -> str:
    """Two threads, a model and effort of their own for a turn, a fork, a compaction, an error, a resume in
    another process, an agent."""
    spawning: dict[str, Any] = {"task_name": "task_a", "fork_turns": "all"}
    if lab.version < (0, 147):
        lab.tables += "[features]\nmulti_agent = true\n"
        spawning = {"fork_context": True}
    elif lab.version < (0, 169):
        lab.model = "gpt-5.6-sol"  # it can start agents

    def key(request: Any) -> str:
        if request.role == "compaction":
            return "compaction"
        return "child" if request.headers.get("x-openai-subagent") else prompt_of(request).split()[-1]

    spawn = [Step(calls=[tool("spawn_agent", message="SUBTASK-A do it", **spawning)]), Step(text="spawned", delay=2)]
    lab.mock.script = Routes(
        key,
        first=[READ, *says("one")],
        other=says("other"),
        two=says("two"),
        fork=says("fork one"),
        after=[READ, *says("after")],
        breaks=[Step(status=400)] * 9,
        resumed=says("resumed"),
        spawn=spawn,
        last=says("last"),
        child=[Step(calls=[shell("echo a")]), Step(text="child answer")],
        compaction=says(*"SUMMARY"),
    )
    with Tapped(lab) as server:
        first, second = server.start(cwd=str(lab.work)), server.start(cwd=str(lab.work))
        since = len(server.notes)
        server.begin(first, "first please")
        server.turn(second, "other please")
        server.wait("turn/completed", since, lambda params: params.get("threadId") in (None, first))
        server.turn(first, "two please", model=scenarios.models(lab.version)[1], effort="high")
        with contextlib.suppress(RefusedError):
            server.turn(server.fork(first), "in the fork please")
        with contextlib.suppress(RefusedError):
            server.until_done("thread/compact/start", threadId=first)
        server.turn(first, "after please")
        server.turn(first, "it breaks please")
    with Tapped(lab) as again:
        again.call("thread/resume", threadId=first)
        for prompt in ("resumed please", "and spawn please", "the last please"):
            again.turn(first, prompt)
    return "".join(neutral.compact(neutral.shorten(line)) + "\n" for line in server.lines + again.lines)


def agents(lab: Kept) -> str:
    """One thread of a model that can start an agent, which inherits its context."""
    lab.model = "gpt-5.6-sol"
    spawn = Step(calls=[tool("spawn_agent", message="SUBTASK-A do it", task_name="task_a", fork_turns="all")])
    child = [Step(calls=[shell("echo a")]), Step(text="child answer")]
    lab.mock.script = Routes(
        lambda request: "child" if request.headers.get("x-openai-subagent") else "turn",
        turn=[*says("one"), spawn, Step(text="spawned", delay=2)],
        child=child,
    )
    with Tapped(lab) as server:
        thread = server.start(cwd=str(lab.work))
        for prompt in ("first", "spawn"):
            server.turn(thread, prompt)
    return "".join(neutral.compact(neutral.shorten(line)) + "\n" for line in server.lines)


def old_app(lab: Kept) -> str:
    """The first protocol: two conversations at once."""
    lab.mock.script = Routes(turn=[READ, *says("one", "other", "two")])
    with Tapped(lab) as server:
        ids = []
        for _ in range(2):
            ids.append(server.call("newConversation", cwd=str(lab.work))["conversationId"])
            server.call("addConversationListener", conversationId=ids[-1])
        for thread, text in ((ids[0], "first"), (ids[1], "other"), (ids[0], "two")):
            since = len(server.notes)
            items = [{"type": "text", "data": {"text": text}}]
            server.call("sendUserMessage", conversationId=thread, items=items)
            server.wait("codex/event/task_complete", since)
    return "".join(neutral.compact(neutral.shorten(line)) + "\n" for line in server.lines)


#: What is recorded, of which versions: from one on, and until before another.
KINDS: dict[str, tuple[tuple[int, ...], tuple[int, ...], Callable[[Kept], str]]] = {
    "exec.txt": ((0, 0), (1, 0), plain),
    "exec.jsonl": ((0, 0), (1, 0), events),
    "exec-agents.txt": ((0, 130), (1, 0), spawned),
    "screen.txt": ((0, 0), (1, 0), screen),
    "screens.txt": ((0, 58), (1, 0), screens),
    "old-app-server.jsonl": ((0, 44), (0, 115), old_app),
    "agents-app-server.jsonl": ((0, 169), (1, 0), agents),
    "app-server.jsonl": ((0, 77), (1, 0), app),
}


def record(version: str, out: Path, only: str = "") -> None:
    """Write the streams of one version, and what the provider billed in each."""
    known = out / version / "ledger.json"
    ledger = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
    for name, (since, before, run) in KINDS.items():
        if only not in ("", name):
            continue
        root = Path(tempfile.mkdtemp(prefix="codex-lab-")).resolve()
        try:
            with MockResponses() as mock:
                lab = Kept(install(version), mock, root)
                if not since <= lab.version < before:
                    continue
                lab.model = scenarios.models(lab.version)[0]
                text = run(lab).replace(str(root), neutral.HOME)
                text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:1", text)
                text = re.sub(r'"(serverName|installationId)":"[^"]*"', r'"\1":"demo"', text)
                if neutral.leaky(text.encode(), root):
                    raise ValueError("names of this machine are left")
                neutral.write(out / version / name, text)
                ledger[name] = ledger_rows(mock.requests)
                print(version, name, len(text), len(ledger[name]), flush=True)
        except Exception as error:
            print(version, name, "FAILED", type(error).__name__, str(error)[:600], flush=True)
        finally:
            shutil.rmtree(root, ignore_errors=True)
    neutral.write(known, json.dumps(ledger, indent=1) + "\n")


if __name__ == "__main__":
    target = Path(__file__).parent
    for argument in sys.argv[1:]:
        number, _, kind = argument.partition(":")
        record(number, target, kind)
