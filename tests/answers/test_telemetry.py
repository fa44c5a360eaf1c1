"""What telemetry tells: each panel against events that a person can count, and the calls of the logs beside them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from codex_usage.answers import Context, make_context
from codex_usage.answers.diagnostics_results import Diagnostics
from codex_usage.answers.questions import Asked, ask
from codex_usage.index import open_index
from codex_usage.index.telemetry import add_events, open_telemetry, telemetry_path
from codex_usage.logs.otlp import read_export
from codex_usage.model import BadInput
from codex_usage.present.privacy import apply
from tests.support.index import places_of, refreshed
from tests.support.rollouts import NOON
from tests.support.spending import Spent, home, thread_id
from tests.support.telemetry import broken, decision, export, request, response, start, tool, turn

NOW = datetime.fromtimestamp(NOON / 1000 + 3600, UTC)
HOUR, DAY = 3_600_000, 86_400_000
THREADS = [thread_id(number) for number in range(3)]


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """An index of two calls at noon, in two threads and projects."""
    calls = [
        Spent(at="2026-11-21T20:00:00.000Z", thread=0, folder="shop", input=1100, cached=450, output=51, reasoning=20),
        Spent(at="2026-11-21T20:00:05.000Z", thread=1, folder="blog", input=2200, cached=900, output=102, reasoning=40),
    ]
    home(tmp_path, calls)
    places = places_of(tmp_path / "home")
    refreshed(places)
    with open_index(places.index) as index:
        yield make_context(index, "Europe/Berlin", NOW)


def received(context: Context, *events: dict[str, Any]) -> None:
    """Keep events as a receiver does."""
    with open_telemetry(telemetry_path(context.index.path)) as found:
        add_events(found, read_export(export(*events), False, b"k" * 32))


def asked(context: Context, **values: Any) -> Diagnostics:
    """The section, of all time unless a period is named."""
    answer = ask(context, Asked("diagnostics", {"section": "telemetry", "period": "all", **values}))
    assert isinstance(answer, Diagnostics)
    return answer


def panel(answer: Diagnostics, title: str) -> list[dict[str, Any]]:
    """The rows of a table by column."""
    table = next(table for table in answer.tables if table.title == title)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_a_decision_of_a_person_is_none_of_the_policy(context: Context) -> None:
    received(
        context,
        *(decision(NOON + at, source="Config", call=f"call_{at}") for at in range(3)),
        decision(NOON + 5, "denied"),
        decision(NOON + 6, source="AutomatedReviewer"),
        decision(NOON + 7, "approved_for_session", tool_name="pay", tool_namespace="mcp__shop"),
        decision(NOON + 8, source="somebody new"),
    )
    rows = panel(asked(context), "user decisions")
    assert [tuple(row.values()) for row in rows] == [
        ("policy", "approved", "", "exec_command", 3),
        ("other", "approved", "", "exec_command", 1),
        ("person", "approved_for_session", "shop", "pay", 1),
        ("person", "denied", "", "exec_command", 1),
        ("reviewer", "approved", "", "exec_command", 1),
    ]


def test_decisions_are_counted_by_the_days_of_the_user(context: Context) -> None:
    """22:59 and 23:00 UTC are two days in Berlin."""
    received(context, decision(NOON + 3 * HOUR - 60_000), decision(NOON + 3 * HOUR))
    days = [(row["day"], row["decisions"]) for row in panel(asked(context), "decisions by day")]
    assert days == [("2026-11-22", 1), ("2026-11-21", 1)]


def test_a_terminal_counts_its_conversations(context: Context) -> None:
    received(
        context,
        start(NOON, thread=THREADS[0], terminal__type="iTerm.app/3.5"),
        start(NOON + 9, thread=THREADS[0], terminal__type="iTerm.app/3.5"),  # resumed
        start(NOON + 10, thread=THREADS[1], terminal__type="iTerm.app/3.5"),
        start(NOON + 11, thread=THREADS[2], terminal__type=None),
    )
    assert [tuple(row.values()) for row in panel(asked(context), "terminals")] == [
        ("iTerm.app/3.5", 2, 3),
        ("(unknown)", 1, 1),
    ]


def test_a_request_went_as_its_last_attempt(context: Context) -> None:
    """Three requests: one that succeeded at its third attempt, one that never did, one at once; in another thread at
    the same time one whose stream broke."""
    received(
        context,
        request(NOON, status=500), request(NOON + 200, status=503, attempt=1), request(NOON + 600, attempt=2),
        response(NOON + 700),
        request(NOON + 1000, status=None), request(NOON + 1200, status=500, attempt=1),
        request(NOON + 2000), response(NOON + 2100, sent=9),
        request(NOON + 201, thread=THREADS[2]), broken(NOON + 601, thread=THREADS[2]),
    )  # fmt: skip
    answer = asked(context)
    attempts = {(row["status"], row["attempt"]): row["attempts"] for row in panel(answer, "request attempts")}
    assert attempts == {(200, 0): 2, (500, 0): 1, (None, 0): 1, (503, 1): 1, (500, 1): 1, (200, 2): 1}
    (row,) = panel(answer, "requests")
    assert row == {"model": "gpt-5.5", "requests": 4, "succeeded": 2, "success_rate": 0.5, "retries": 3,
                   "broken_streams": 1}  # fmt: skip


def test_a_request_lasts_from_its_last_attempt_until_its_response_is_whole(context: Context) -> None:
    """The attempt began 40 ms before its answer did; from there 25 ms to the first token and 500 to the last."""
    received(context, request(NOON, status=500, took=900), request(NOON + 300, attempt=1, took=40),
             response(NOON + 800, ttft=25), response(NOON + 5000, sent=1, ttft=None))  # fmt: skip
    (row,) = panel(asked(context), "response times")
    assert row == {"model": "gpt-5.5", "responses": 2, "first_tokens": 1, "p50_first_token_ms": 65,
                   "p95_first_token_ms": 65, "p50_request_ms": 540, "p95_request_ms": 540}  # fmt: skip


def test_users_are_told_apart_and_not_named(context: Context) -> None:
    received(
        context,
        request(NOON, user__email="jane@example.com"), response(NOON + 50, user__email="jane@example.com"),
        request(NOON + 60, user__email="jane@example.com", status=500),
        request(NOON, thread=THREADS[1], user__email="joe@example.com"),
        response(NOON + 70, sent=7, cached=0, received=2, reasoning=1, thread=THREADS[1],
                 user__email="joe@example.com"),
    )  # fmt: skip
    answer = asked(context)
    rows = panel(answer, "users")
    assert [tuple(row.values())[1:] for row in rows] == [(2, 1, 1, 1100, 450, 51, 20), (1, 1, 1, 7, 0, 2, 1)]
    assert "@" not in answer.model_dump_json()
    hidden = panel(apply(answer, "strict", b"secret"), "users")
    assert {row["user"] for row in hidden} & {row["user"] for row in rows} == set()


def test_tools_tell_their_failures_and_times(context: Context) -> None:
    received(
        context,
        *(tool(NOON + ms, took=ms, call=f"call_{ms}", success=ms % 10 > 0) for ms in range(1, 101)),
        tool(NOON + 200, call="call_201", success="perhaps", tool_name="pay", tool_namespace="mcp__shop"),
    )  # fmt: skip
    first, second = panel(asked(context), "tools")
    assert tuple(first.values()) == ("", "exec_command", 100, 10, 0.1, 51, 96)
    assert tuple(second.values()) == ("shop", "pay", 1, None, None, 60, 60)


def test_the_effort_that_was_in_effect_has_its_reasoning(context: Context) -> None:
    received(
        context, response(NOON, effort="high"), response(NOON + 1, effort="high"), response(NOON + 2, effort="low")
    )
    rows = [tuple(row.values()) for row in panel(asked(context), "reasoning effort")]
    assert rows == [("high", "gpt-5.5", 2, 102, 40), ("low", "gpt-5.5", 1, 51, 20)]


def test_a_response_is_found_among_the_calls_by_thread_time_and_tokens(context: Context) -> None:
    """Only the first: the second is of another thread, the third has other tokens, the fourth is of another hour."""
    received(
        context,
        request(NOON - 100, thread=THREADS[0], took=50), response(NOON + 30, thread=THREADS[0], ttft=5),
        response(NOON + 30, thread=THREADS[1]), response(NOON + 31, sent=1101, thread=THREADS[0]),
        response(NOON + HOUR, thread=THREADS[0]),
    )  # fmt: skip
    answer = asked(context)
    (row,) = panel(answer, "slowest responses")
    calls: Any = ask(context, Asked("calls", {"thread": THREADS[0], "period": "all"}))
    assert row == {"call_id": calls.rows[0].call_id, "model": "gpt-5.5", "effort": "medium", "first_token_ms": 55,
                   "request_ms": 180}  # fmt: skip
    assert answer.notes[0].startswith("1 of the newest 4 responses were found among the calls of the index.")


def test_telemetry_adds_no_call_to_any_count(context: Context) -> None:
    before = ask(context, Asked("summary", {"period": "all"}))
    received(context, request(NOON), response(NOON + 1), response(NOON + 2, sent=5))
    assert ask(context, Asked("summary", {"period": "all"})) == before


def test_each_table_tells_its_events_and_since_when(context: Context) -> None:
    received(context, turn(NOON), turn(NOON + 5), decision(NOON + 7), request(NOON + 9), response(NOON + 10))
    basis = {table.title: table.basis for table in asked(context).tables}
    first, both = basis["first token of a turn"], basis["requests"]
    assert first
    assert (first.events, first.since) == ({"codex.turn_ttft": 2}, "2026-11-21T20:00:00.000Z")
    assert both
    assert both.events == {"codex.api_request": 1, "codex.sse_event": 1}
    assert "tools" not in basis


def test_a_period_and_a_filter_leave_the_rest_out(context: Context) -> None:
    received(
        context,
        request(NOON, thread=THREADS[0]), request(NOON, thread=THREADS[1], model="gpt-6"),
        request(NOON - 40 * DAY, thread=THREADS[0]),
    )  # fmt: skip

    def counted(**values: str) -> int:
        return sum(row["requests"] for row in panel(asked(context, **values), "requests"))

    assert counted() == 3
    assert counted(period="last_7_days") == 2
    assert counted(thread=THREADS[1]) == 1
    assert counted(project="shop") == 2
    assert asked(context, period="2026-01-01").tables == []
    with pytest.raises(BadInput, match="Telemetry does not tell provider"):
        asked(context, provider="codex")


def test_without_telemetry_it_says_how_to_turn_it_on(context: Context) -> None:
    answer = asked(context)
    assert (answer.status, answer.computed_at, answer.tables) == ("never computed", None, [])
    assert "codex-usage setup --telemetry" in answer.notes[0]
    assert answer.next == "codex-usage setup --telemetry"
