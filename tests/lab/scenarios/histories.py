"""Threads with a past: resumed, forked, taken back, compacted, archived, migrated, alike."""

from __future__ import annotations

from tests.lab.appserver import RefusedError
from tests.lab.calls import shell
from tests.lab.codex import CodexLab, install
from tests.lab.ledger import Usage
from tests.lab.responses import Routes, Step
from tests.lab.scenarios.common import READ, models, says, scenario


@scenario(0, 36)
def resume(lab: CodexLab) -> None:
    """exec, then two resumes, the second with another model and effort."""
    lab.mock.script = Routes(turn=[READ, *says("one", "two"), READ, *says("three")], compaction=says("SUMMARY"))
    lab.exec("first")
    thread = lab.thread_ids()[0]
    lab.resume(thread, "second")
    lab.resume(thread, "third", "-m", models(lab.version)[1], "-c", 'model_reasoning_effort="high"')


@scenario(0, 169)
def fork_exec(lab: CodexLab) -> None:
    """A thread forked by `exec fork`, both continued, then a fork of the fork."""
    lab.mock.script = [READ, *says("one", "two", "fork one", "three", "fork two", "grandchild")]
    thread = lab.exec("first").thread_id
    lab.resume(thread, "second")
    fork = lab.fork(thread, "in the fork").thread_id
    lab.resume(thread, "third")
    lab.resume(fork, "second in the fork")
    lab.fork(fork, "in the grandchild")


@scenario(0, 98)
def fork_app(lab: CodexLab) -> None:
    """App server: three turns; forks of the whole, of turn one and an ephemeral one, the last two used."""
    lab.mock.script = [READ, *says("one", "two", "three", "fork turn", "ephemeral turn")]
    with lab.app_server() as app:
        thread = app.start(cwd=str(lab.work))
        first = app.turn(thread, "first")
        app.turn(thread, "second", effort="high")
        app.turn(thread, "third")
        app.fork(thread)
        app.turn(app.fork(thread, lastTurnId=first), "in the fork")
        app.turn(app.fork(thread, ephemeral=True, excludeTurns=True), "in the ephemeral fork")


@scenario(0, 98)
def revert(lab: CodexLab) -> None:
    """App server: three turns, the last two taken back, one more turn."""
    lab.mock.script = says("one", "two", "three", "four")
    with lab.app_server() as app:
        thread = app.start(cwd=str(lab.work))
        app.turn(thread, "first")
        second = app.turn(thread, "second")
        app.turn(thread, "third")
        try:
            app.call("thread/revert", threadId=thread, beforeTurnId=second)
        except RefusedError:
            app.call("thread/rollback", threadId=thread, numTurns=2)
        app.turn(thread, "after the revert")


@scenario(0, 36)
def compact_auto(lab: CodexLab) -> None:
    """exec and two resumes under a 9,000-token limit: compaction in mid-turn and between turns."""
    lab.top = "model_auto_compact_token_limit = 9000"
    sizes = [5001, 12003, 3007, 15009, 3011, 3013]
    steps = [READ, Step(calls=[shell("git log --format=%s")]), *says("mid done", "second", "third", "fourth")]
    turns = [
        Step(text=s.text, calls=s.calls, usage=Usage(n, n // 3, n // 9, 100 + n % 97, n % 31))
        for s, n in zip(steps, sizes, strict=True)
    ]
    summaries = [Step(text=f"SUMMARY {n}", usage=Usage(9550 + n, 770 + n, 0, 440 + n, 40 + n)) for n in range(6)]
    lab.mock.script = Routes(turn=turns, compaction=summaries)
    lab.exec("first")
    for prompt in ("second", "third"):
        lab.resume(lab.thread_ids()[0], prompt)


@scenario(0, 98)
def compact_manual(lab: CodexLab) -> None:
    """App server: two turns, a compaction on request, one more turn."""
    lab.mock.script = Routes(turn=[READ, *says("one", "two", "after")], compaction=says("SUMMARY"))
    with lab.app_server() as app:
        thread = app.start(cwd=str(lab.work))
        app.turn(thread, "first")
        app.turn(thread, "second")
        app.until_done("thread/compact/start", threadId=thread)
        app.turn(thread, "third")


@scenario(0, 130)
def compact_remote(lab: CodexLab) -> None:
    """As compact_manual, but through Codex's own provider, which compacts remotely."""
    lab.builtin_provider = True
    compact_manual(lab)


@scenario(0, 169)
def archive(lab: CodexLab) -> None:
    """Three sessions: one named and resumed, one archived, one archived and brought back."""
    lab.mock.script = says("one", "two", "three", "named")
    named, archived, back = (lab.exec(word).thread_id for word in ("one", "two", "three"))
    with lab.app_server() as app:
        app.call("thread/name/set", threadId=named, name="My named thread")
    for command in (["archive", archived], ["archive", back], ["unarchive", back]):
        lab.codex(*command)
    lab.resume(named, "more")


@scenario(0, 169)
def legacy_mode(lab: CodexLab) -> None:
    """App server in historyMode legacy: two turns, a fork with a turn, compaction, a turn; exec resume."""
    turns = [READ, *says("one", "two", "fork turn", "after", "resumed")]
    lab.mock.script = Routes(turn=turns, compaction=says("SUMMARY"))
    with lab.app_server() as app:
        thread = app.start(cwd=str(lab.work), historyMode="legacy")
        app.turn(thread, "first")
        app.turn(thread, "second")
        app.turn(app.fork(thread), "in the fork")
        app.until_done("thread/compact/start", threadId=thread)
        app.turn(thread, "third")
    lab.resume(thread, "resume")


@scenario(0, 169)
def mixed(lab: CodexLab) -> None:
    """0.147 writes a session and a fork, 0.169 continues and migrates them, 0.147 continues once more."""
    lab.mock.script = Routes(turn=[READ, *says(*"abcdefghij")], compaction=says("SUMMARY"))
    new, lab.binary = lab.binary, install("0.147.0")
    thread = lab.exec("first").thread_id
    with lab.app_server() as app:
        app.call("thread/resume", threadId=thread)
        fork = app.fork(thread)
        app.turn(fork, "in the fork")
    old, lab.binary = lab.binary, new
    lab.resume(thread, "by the new binary")
    lab.codex("migrate-rollouts", "--apply")
    lab.resume(thread, "after the migration")
    lab.resume(fork, "fork after the migration")
    paginated = lab.exec("second session").thread_id
    lab.binary = old
    lab.resume(paginated, "by the old binary")
    lab.binary = new
    lab.resume(paginated, "by the new binary again")


@scenario(0, 98)
def twins(lab: CodexLab) -> None:
    """Two independent sessions and two forks whose calls report the same figures."""
    same, again = Usage(7000, 3000, 0, 70, 7), Usage(8000, 4000, 0, 80, 8)
    lab.mock.script = [Step(text="same", usage=usage) for usage in (same, same, again, again, again, again)]
    thread = lab.exec("hello").thread_id
    lab.exec("hello")
    with lab.app_server() as app:
        app.call("thread/resume", threadId=thread)
        forks = [app.fork(thread), app.fork(thread)]
        for prompt in ("go", "go on"):
            for fork in forks:
                app.turn(fork, prompt)
