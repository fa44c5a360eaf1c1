"""What a Codex client and server told each other: what real ones said adds up to the provider's ledger, and nothing
a stream may hold breaks the reading of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_usage.logs.appserver import LONGEST, read_app_server
from codex_usage.logs.records import Seen
from codex_usage.model import Call, Tokens
from tests.support.rollouts import NOON, compact, stamp, uuid7

STREAMS = Path(__file__).resolve().parents[1] / "cases" / "streams"
SERVERS = sorted(STREAMS.glob("*/*app-server.jsonl"))
EVENTS = sorted(STREAMS.glob("*/exec.jsonl"))
#: Versions whose `exec --json` does not tell of reasoning.
SILENT = ("0.44.0", "0.58.0", "0.77.0", "0.98.0")
FIRST, SECOND, CHILD = (uuid7(NOON, number) for number in (1, 2, 3))


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def billed(path: Path) -> list[dict[str, Any]]:
    """What the provider billed while a stream was recorded."""
    rows: list[dict[str, Any]] = json.loads((path.parent / "ledger.json").read_text(encoding="utf-8"))[path.name]
    return rows


def counted(path: Path) -> list[Call]:
    return [call for seen in read_app_server(BytesIO(path.read_bytes())) for call in seen.calls]


def read(*lines: Any, at_ms: int | None = None) -> dict[str, Seen]:
    """What objects, or bytes as they are, say of each thread."""
    whole = [line if isinstance(line, bytes) else compact(line) + b"\n" for line in lines]
    return {seen.thread.id: seen for seen in read_app_server(whole, at_ms)}


def numbers(amount: int) -> dict[str, int]:
    return {"inputTokens": amount, "cachedInputTokens": amount // 2, "outputTokens": amount // 10, "totalTokens": -1}


def usage(total: int, last: int, thread: str = FIRST, turn: str = "t1") -> dict[str, Any]:
    told = {"total": numbers(total), "last": numbers(last), "modelContextWindow": 258_400}
    return {"method": "thread/tokenUsage/updated", "params": {"threadId": thread, "turnId": turn, "tokenUsage": told}}


def turn(key: str = "t1", thread: str = FIRST, done: str = "", **more: Any) -> dict[str, Any]:
    about = {"id": key, "status": done or "inProgress", **more}
    return {"method": f"turn/{'completed' if done else 'started'}", "params": {"threadId": thread, "turn": about}}


def answer(thread: str = FIRST, **more: Any) -> dict[str, Any]:
    """What a server answers to the start, the resume or the fork of a thread."""
    return {"id": 7, "result": {"thread": {"id": thread, "cwd": "/home/dev/demo", **more}, "model": "gpt-5.5"}}


def inputs(seen: Seen) -> list[int]:
    return [call.tokens.input for call in seen.calls]


# -- as real Codex said it ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SERVERS, ids=named)
def test_a_recorded_stream_has_every_call_that_was_billed_under_its_thread_and_model(path: Path) -> None:
    """Threads at once, a change of model with a compaction by the old one, forks, resumes in another process, agents
    that inherit their context, errors: of each version what it knows."""

    def row(thread: str, model: str | None, *parts: int) -> tuple[Any, ...]:
        return thread, model, *parts

    calls = Counter(row(c.thread_id, c.model, *c.tokens[:2], *c.tokens[3:]) for c in counted(path))
    assert calls == Counter(
        row(r["thread"], r["model"], r["input"], r["cached"], r["output"], r["reasoning"]) for r in billed(path)
    )


@pytest.mark.parametrize("path", SERVERS, ids=named)
def test_compactions_and_agents_of_a_recorded_stream_are_known_as_such(path: Path) -> None:
    kinds = Counter("compaction" if c.compaction else "agent" if c.origin == 6 else "turn" for c in counted(path))
    routes = {"turn": "turn", "compaction": "compaction", "collab_spawn": "agent"}
    assert kinds == Counter(routes[row["route"]] for row in billed(path))


@pytest.mark.parametrize("path", [path for path in EVENTS if path.parent.name != "0.20.0"], ids=named)
def test_the_events_of_exec_add_up_to_what_was_billed(path: Path) -> None:
    """They tell of turns, not of calls. A fork's first turn includes the total of
    its parent, which the stream does not tell to be one: this is the one way to count too much."""
    parts = ("input", "cached", "output", *(["reasoning"] if path.parent.name not in SILENT else []))
    rows = billed(path)
    told = {part: sum(getattr(call.tokens, part) for call in counted(path)) for part in parts}
    parent = sum((Counter({part: row[part] for part in parts}) for row in rows[:3]), Counter[str]())
    forked = path.parent.name == "0.169.0"
    assert told == {part: sum(row[part] for row in rows) + (parent[part] if forked else 0) for part in parts}


@pytest.mark.parametrize("path", [*SERVERS, *EVENTS], ids=named)
def test_nothing_said_in_a_recorded_stream_is_kept(path: Path) -> None:
    kept = msgspec.json.encode(list(read_app_server(BytesIO(path.read_bytes()))))
    for words in (b"please", b"SUMMARY", b"SUBTASK", b"cat a.py", b"print(1)", b"scripted", b"child answer"):
        assert words not in kept


# -- what a stream may hold ---------------------------------------------------------------------------------


def test_an_update_that_repeats_the_total_is_no_call() -> None:
    seen = read(turn(), usage(100, 100), usage(100, 100), usage(300, 200), usage(300, 0))[FIRST]
    assert inputs(seen) == [100, 200]


def test_a_total_that_starts_afresh_counts_from_nothing() -> None:
    assert inputs(read(turn(), usage(100, 100), usage(300, 200), usage(150, 150))[FIRST]) == [100, 200, 150]


def test_of_a_stream_that_begins_in_the_midst_of_a_thread_the_past_is_left_out() -> None:
    assert inputs(read(turn(), usage(5_000, 40))[FIRST]) == [40]


def test_a_resumed_threads_past_is_left_out_however_often_it_is_repeated() -> None:
    past = usage(5_000, 40, turn="t0")
    assert inputs(read(answer(), past, turn(), past, usage(5_060, 60))[FIRST]) == [60]


def test_a_forks_past_is_left_out_even_when_its_start_was_not_recorded() -> None:
    seen = read(turn(), usage(100, 100), usage(150, 50), usage(150, 50, SECOND), usage(180, 30, SECOND))
    assert inputs(seen[FIRST]) == [100, 50]
    assert inputs(seen[SECOND]) == [30]


def test_an_agents_inherited_numbers_are_its_parents_and_two_like_first_calls_are_two() -> None:
    item = {"type": "collabAgentToolCall", "receiverThreadIds": [CHILD], "model": "gpt-5.4"}
    spawn = {"method": "item/completed", "params": {"threadId": FIRST, "turnId": "t1", "item": item}}
    seen = read(turn(), usage(100, 100), usage(100, 100, SECOND), spawn, usage(100, 100, CHILD), usage(130, 30, CHILD))
    assert inputs(seen[SECOND]) == [100]
    assert inputs(seen[CHILD]) == [30]
    assert (seen[CHILD].thread.role, seen[CHILD].thread.parent_id, seen[CHILD].calls[0].model) == (
        "subagent", FIRST, "gpt-5.4",
    )  # fmt: skip


def test_a_turn_runs_with_the_model_effort_and_folder_that_its_client_asked_for() -> None:
    asked = {"threadId": FIRST, "input": [], "model": "gpt-5.6-luna", "effort": "high", "cwd": "/home/dev/other"}
    seen = read(answer(), turn(), usage(9, 9), {"method": "turn/start", "params": asked}, turn("t2"), usage(19, 10))[
        FIRST
    ]
    assert [(call.model, call.effort, call.cwd) for call in seen.calls] == [
        ("gpt-5.5", None, "/home/dev/demo"),
        ("gpt-5.6-luna", "high", "/home/dev/other"),
    ]


def test_a_thread_tells_where_it_ran() -> None:
    git = {"branch": "main", "originUrl": "https://example.com/demo.git", "sha": "0"}
    told = answer(cliVersion="0.169.0", source="vscode", gitInfo=git, createdAt=NOON // 1000, forkedFromId=SECOND)
    thread = read(told, turn(), usage(9, 9))[FIRST].thread
    assert (thread.version, thread.source, thread.branch, thread.remote, thread.forked_from, thread.created_ms) == (
        "0.169.0", "vscode", "main", "https://example.com/demo.git", SECOND, NOON,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "outcome"), [("completed", "completed"), ("failed", "failed"), ("interrupted", "aborted")]
)
def test_a_turn_tells_when_it_ran_and_how_it_ended(status: str, outcome: str) -> None:
    times = {"startedAt": NOON // 1000, "completedAt": NOON // 1000 + 5, "durationMs": 4_321, "rootTurnId": "t0"}
    (done,) = read(turn(), turn(done=status, **times))[FIRST].turns
    assert (done.started_ms, done.ended_ms, done.duration_ms, done.outcome, done.root_key) == (
        NOON, NOON + 5_000, 4_321, outcome, "t0",
    )  # fmt: skip


@pytest.mark.parametrize("prefix", [b"<-- ", f"{stamp(NOON + 5)} server: ".encode(), b"data: "])
def test_lines_may_begin_with_a_direction_or_a_time(prefix: bytes) -> None:
    seen = read(turn(), prefix + compact(usage(9, 9)) + b"\n", at_ms=NOON)[FIRST]
    assert [call.time_ms for call in seen.calls] == [NOON + 5 if b"server" in prefix else NOON]


@pytest.mark.parametrize(
    ("times", "ms"), [({"emittedAtMs": NOON + 1}, NOON + 1), ({"emittedAtMs": 10**17}, NOON), ({}, NOON)]
)
def test_a_calls_time_is_that_of_its_line_or_of_its_turns_id_or_the_given_one(times: dict[str, int], ms: int) -> None:
    assert read({**usage(9, 9, turn=uuid7(NOON)), **times}, at_ms=5)[FIRST].calls[0].time_ms == ms
    assert read({**usage(9, 9), **times}, at_ms=NOON)[FIRST].calls[0].time_ms == ms


def test_an_allowance_is_told_once_however_often_and_in_whichever_protocol_it_is_repeated() -> None:
    new = {
        "primary": {"usedPercent": 12, "windowDurationMins": 300, "resetsAt": 99},
        "limitId": "codex",
        "planType": "pro",
    }
    old = {"primary": {"used_percent": 11.5, "window_minutes": 300, "resets_at": 99}, "limit_id": "codex"}
    note = {"method": "account/rateLimits/updated", "params": {"rateLimits": new}}
    event = {"msg": {"type": "token_count", "info": None, "rate_limits": old}, "conversationId": FIRST}
    (seen,) = read(turn(), note, {"method": "codex/event/token_count", "params": event}, note).values()
    assert [(w.limit_id, w.window_minutes, w.used_percent, w.resets_at, w.plan_type) for w in seen.windows] == [
        ("codex", 300, 12, 99, "pro")
    ]


def test_a_position_is_the_offset_of_its_line() -> None:
    lines = [compact(line) + b"\n" for line in (turn(), usage(9, 9), usage(20, 11))]
    assert [call.position for call in read(*lines)[FIRST].calls] == [len(lines[0]), len(lines[0] + lines[1])]


# -- hostile ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        compact(usage(9, 9))[:-3],
        compact({"method": "thread/tokenUsage/updated", "params": {"threadId": "../../etc/passwd", "tokenUsage": {}}}),
        compact(usage(-5, -5)),
        compact(usage(10**20, 9)),
        compact({"method": "turn/started", "params": {"threadId": FIRST, "turn": {"id": [1]}}}),
        compact({"method": "thread/started", "params": [1, 2]}) + b"]",
        b'{"method":"turn/started","params":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
        b'"turn/started"',
        b'{"method":"turn/started","params":{"threadId":"\xff\xfe"}}',
        pytest.param(b"x" * (LONGEST + 1), id="long"),
    ],
)
def test_a_line_that_cannot_be_read_costs_itself_only(line: bytes) -> None:
    seen = read(turn(), usage(9, 9), line + b"\n", usage(20, 11))
    assert inputs(seen[FIRST]) == [9, 11]
    assert sum(seen[""].skipped.values()) == 1


def test_a_line_too_long_to_hold_is_skipped_also_when_it_comes_in_pieces() -> None:
    pieces = [b"{" * (LONGEST + 1), compact(usage(7, 7)), compact(usage(8, 8)) + b"\n"]
    seen = read(turn(), usage(9, 9), *pieces, usage(20, 11))
    assert inputs(seen[FIRST]) == [9, 11]
    assert seen[""].skipped == {"long_line": 1}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from([FIRST, SECOND]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
KEYS = ["method", "type", "params", "result", "msg", "threadId", "thread", "turn", "item", "tokenUsage", "rateLimits",
        "info", "usage", "total", "last", "id", "model", "turnId", "conversationId"]  # fmt: skip
NAMES = ["thread/started", "turn/started", "item/completed", "thread/tokenUsage/updated", "account/rateLimits/updated",
         "codex/event/token_count", "token_count", "turn.completed", "thread.started"]  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), JSON | st.sampled_from(NAMES), max_size=6), max_size=9))
def test_no_objects_break_a_stream(lines: list[dict[str, Any]]) -> None:
    encoded = (json.dumps(line).encode() for line in lines)
    assert all(min(call.tokens) >= 0 for seen in read_app_server(encoded) for call in seen.calls)


@given(st.lists(st.binary(max_size=80) | st.sampled_from([b'{"method":"turn/started",', b'"result"', b"\x00{"])))
def test_no_bytes_break_a_stream(lines: list[bytes]) -> None:
    for seen in read_app_server(lines):
        assert isinstance(seen, Seen)


@given(st.lists(st.tuples(st.sampled_from([FIRST, SECOND]), st.integers(1, 10**6), st.integers(0, 2)), max_size=30))
def test_interleaved_threads_add_up_whatever_is_repeated(calls: Iterable[tuple[str, int, int]]) -> None:
    totals, lines = Counter[str](), [turn(), turn("t2", SECOND)]
    for number, (thread, amount, repeats) in enumerate(calls):
        amount = 10_000 * amount + number  # no two alike
        totals[thread] += amount
        lines += [usage(totals[thread], amount, thread)] * (repeats + 1)
    seen = read(*lines)
    assert {thread: sum(inputs(seen[thread])) for thread in totals} == dict(totals)
    assert all(call.tokens != Tokens() for one in seen.values() for call in one.calls)
