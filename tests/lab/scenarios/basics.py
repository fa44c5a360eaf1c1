"""One thread and what a turn can hold: tools, odd figures, errors, interruptions, the interactive screen."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.appserver import AppServer, Json
from tests.lab.calls import shell
from tests.lab.codex import CodexLab
from tests.lab.ledger import Request, Usage
from tests.lab.responses import Routes, Step
from tests.lab.scenarios.common import READ, TINY, TOOLS, models, says, scenario, without_search
from tests.lab.terminal import ENTER, ESCAPE, Screen


@scenario(0, 20)
def simple(lab: CodexLab) -> None:
    """`codex exec`, one call, one text answer."""
    lab.mock.script = [Step(reasoning="hmm", text="hello there")]
    lab.exec("say hello")


@scenario(0, 36)
def tools(lab: CodexLab) -> None:
    """One turn of 7 calls: parallel commands, failing tests, patches, exit 3, MCP calls good and bad."""
    lab.tables += TINY
    lab.mock.script = TOOLS if lab.version >= (0, 147) else without_search(TOOLS)
    lab.exec("work on a.py")


@scenario(0, 169)
def tools_code(lab: CodexLab) -> None:
    """The same turn by a model that calls tools from JavaScript."""
    lab.model = "gpt-5.6-luna"
    lab.tables += TINY
    lab.mock.script = without_search(TOOLS)
    lab.exec("work on a.py")


@scenario(0, 98)
def shapes(lab: CodexLab) -> None:
    """One turn of calls with odd figures: twice the same, all zero, none at all, and a huge one."""
    same, huge = Usage(9000, 4000, 1234, 55, 5), Usage(3_000_000_000, 2_999_000_000, 0, 500_000, 400_000)
    asking = [shell("ls")]
    steps = [Step(calls=asking, usage=usage) for usage in (same, Usage(0), same)]
    lab.mock.script = [*steps, Step(calls=asking, unbilled=True), Step(text="done", usage=huge)]
    lab.exec("go")


@scenario(0, 130)
def misc(lab: CodexLab) -> None:
    """App server: priority tier, another model and effort for a turn, a message steered into a turn."""
    slow = Step(calls=[shell("sleep 2")])
    lab.mock.script = Routes(turn=[*says("one", "two"), slow, *says("steered", "four")], compaction=says("SUMMARY"))
    with lab.app_server("codex_desktop") as app:
        thread = app.start(cwd=str(lab.work), serviceTier="priority")
        app.turn(thread, "first")
        app.turn(thread, "second", model=models(lab.version)[1], effort="high")
        since = len(app.notes)
        turn = app.begin(thread, "third")
        app.wait("item/started", since, running)
        steered = [{"type": "text", "text": "steer"}]
        app.call("turn/steer", threadId=thread, input=steered, expectedTurnId=turn)
        app.wait("turn/completed", since)
        app.turn(thread, "fourth")


@scenario(0, 36)
def errors(lab: CodexLab) -> None:
    """exec through HTTP 500, a cut before completion, a cut in mid-text, and a 429; then a resume."""
    slow_down = {"type": "rate_limit_exceeded", "message": "slow down"}
    cut = Step(text="lost answer", cut="end")
    answered = Step(text="answer after the retry", calls=[shell("ls")])
    middle = [cut, answered, Step(text="x", cut="mid"), READ, Step(status=429, error=slow_down)]
    lab.mock.script = [Step(status=500), READ, *middle, *says("final", "extra")]
    lab.exec("go")
    lab.resume(lab.thread_ids()[0], "go on")  # until 0.147 the 429 ends the turn


@scenario(0, 98)
def errors_fatal(lab: CodexLab) -> None:
    """Turns that end in a usage limit, HTTP 500, a full context and a cut answer; then one that works."""
    spent = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "pro"}
    full = {"code": "context_length_exceeded", "message": "Your input exceeds the context window of this model."}
    failing = {
        "limit": Step(status=429, error=spent),
        "broken": Step(status=500),
        "full": Step(failed=True, error=full),
        "partial": Step(text="cut", incomplete="max_output_tokens"),
    }

    def key(request: Request) -> str:
        if request.role == "compaction":
            return "compaction"
        last = max([*failing, "fine"], key=lambda word: request.text.rfind(f"please-{word}"))
        return last if f"please-{last}" in request.text else "turn"

    routes = {name: [step] * 12 for name, step in failing.items()}
    lab.mock.script = Routes(key, turn=says("first"), fine=says("fine again"), compaction=says("SUMMARY"), **routes)
    thread = lab.exec("begin").thread_id
    for word in (*failing, "fine"):
        lab.resume(thread, f"please-{word}")


@scenario(0, 98)
def abort(lab: CodexLab) -> None:
    """App server: a turn interrupted while the model writes, one while a command runs, then a whole one."""
    slow = Step(text="slow text", hold=30)
    lab.mock.script = [*says("one"), slow, Step(calls=[shell("sleep 30")]), *says("fine")]
    with lab.app_server() as app:
        thread = app.start(cwd=str(lab.work))
        app.turn(thread, "first")
        interrupt(app, thread, "write slowly", "item/agentMessage/delta")
        interrupt(app, thread, "run something", "item/started", running)
        app.turn(thread, "after")


def running(params: Json) -> bool:
    """Whether an item/started notification is about a command."""
    return bool(params["item"]["type"] == "commandExecution")


def interrupt(app: AppServer, thread: str, text: str, note: str, where: Callable[[Json], bool] = bool) -> None:
    """Begin a turn and interrupt it once notification `note` has come."""
    since = len(app.notes)
    turn = app.begin(thread, text)
    app.wait(note, since, where)
    app.call("turn/interrupt", threadId=thread, turnId=turn)
    app.wait("turn/completed", since)


@scenario(0, 130)
def approvals(lab: CodexLab) -> None:
    """App server: commands that ask to leave the sandbox; one accepted, one declined, one cancelled."""
    lab.approval, lab.sandbox = "on-request", "workspace-write"
    asking = {"sandbox_permissions": "require_escalated", "justification": "it writes outside"}
    commands = [Step(calls=[shell(f"touch ../asked{n}", **asking)]) for n in range(3)]
    lab.mock.script = [*commands[:2], *says("one"), commands[2], *says("two")]
    decisions = iter(["accept", "decline", "cancel"])
    with lab.app_server() as app:
        app.decide = lambda method, params: {"decision": next(decisions)}
        thread = app.start(cwd=str(lab.work))
        for prompt in ("first", "second"):
            app.turn(thread, prompt)


@scenario(0, 58)
def tui(lab: CodexLab) -> None:
    """The interactive screen: two prompts, then Esc Esc to go back to the last one, edit it and send it."""
    lab.mock.script = [READ, *says(*"abcdefghij")]
    with Screen(lab, *(["--no-daemon"] if lab.version >= (0, 155) else [])) as screen:
        screen.press(ESCAPE, "hello from the screen", ENTER, "second prompt", ENTER)
        screen.press(ESCAPE, ESCAPE, ENTER, " edited", ENTER)
