"""What a call's neighbours say of it: origin, turn, model, tier, duration and gap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_usage.model import ORIGINS, Call
from tests.support.ledgers import calls_of, counted
from tests.support.rollouts import NOON, Rollout, uuid7

VERSIONS = ["0.58.0", "0.98.0", "0.130.0", "0.147.0", "0.169.0"]


def origins(calls: list[Call]) -> list[tuple[str, str]]:
    """Who and why."""
    return [ORIGINS[call.origin][:2] for call in calls]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_user_causes_a_turns_first_call_and_tool_results_the_others(tmp_path: Path, version: str) -> None:
    log = Rollout(version).turn().call(input=100, output=7, tool=True).call(input=200, output=9)
    assert origins(calls_of(tmp_path, log)) == [("user", "user_message"), ("codex", "tool_result")]


@pytest.mark.parametrize(("trigger", "who"), [("exec", "user"), ("user", "user"), ("goal", "codex")])
def test_a_logged_trigger_decides_who_caused_the_turn(tmp_path: Path, trigger: str, who: str) -> None:
    log = Rollout("0.169.0").turn(trigger=trigger).call(input=100, output=7)
    assert origins(calls_of(tmp_path, log)) == [(who, "turn_trigger")]


def test_a_message_in_mid_turn_is_the_user_steering(tmp_path: Path) -> None:
    log = Rollout("0.169.0").turn().call(input=100, output=7, tool=True).user().call(input=200, output=9)
    assert origins(calls_of(tmp_path, log))[1] == ("user", "steer")


@pytest.mark.parametrize(
    ("source", "role"),
    [
        ({"subagent": "review"}, "review"),
        ({"subagent": {"other": "guardian"}}, "guardian"),
        ({"subagent": {"thread_spawn": {"parent_thread_id": "p", "agent_role": "worker"}}}, "subagent"),
    ],
)
def test_threads_that_codex_starts_are_told_by_their_header(tmp_path: Path, source: Any, role: str) -> None:
    log = Rollout("0.169.0", source=source).turn().call(input=100, output=7)
    result = counted(tmp_path, log)[log.thread]
    assert result.thread is not None
    assert result.thread.role == role
    assert origins(result.calls) == [("codex", role)]


def test_a_guardian_of_0_169_is_told_by_its_thread_source(tmp_path: Path) -> None:
    log = Rollout("0.169.0", source={}, meta_fields={"thread_source": "guardian_review", "parent_thread_id": "p"})
    thread = counted(tmp_path, log)[log.thread].thread
    assert thread is not None
    assert (thread.role, thread.parent_id) == ("guardian", "p")


@pytest.mark.parametrize("version", VERSIONS)
def test_only_a_turns_first_call_counts_the_turn(tmp_path: Path, version: str) -> None:
    log = Rollout(version).turn().call(input=1, output=1).call(input=2, output=1).turn().call(input=3, output=1)
    assert [call.turn_first for call in calls_of(tmp_path, log)] == [True, False, True]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_call_lasts_from_its_last_input_to_its_last_item(tmp_path: Path, version: str) -> None:
    log = Rollout(version).turn().call(took=1500, input=100, output=7, tool=True).call(took=700, input=200, output=9)
    assert [call.duration_ms for call in calls_of(tmp_path, log)] == [1500, 700]


@pytest.mark.parametrize("version", ["0.98.0", "0.130.0", "0.147.0", "0.169.0"])
def test_the_gap_before_a_call_is_the_time_since_the_last_one_ended(tmp_path: Path, version: str) -> None:
    log = Rollout(version).turn().call(input=100, output=7, tool=True).call(input=200, output=9)
    log.wait(5000).turn().call(input=300, output=11)
    assert [call.gap_ms for call in calls_of(tmp_path, log)] == [None, 100, 5000]


def test_model_effort_and_folder_are_those_of_the_context_before(tmp_path: Path) -> None:
    log = Rollout("0.130.0").turn(model="gpt-5", effort="low").call(input=100, output=7)
    log.cwd = "/home/dev/other"
    log.turn(model="gpt-6.1", effort="high").call(input=200, output=9)
    found = [(call.model, call.effort, call.cwd) for call in calls_of(tmp_path, log)]
    assert found == [("gpt-5", "low", "/home/dev/demo"), ("gpt-6.1", "high", "/home/dev/other")]


def test_logs_without_turn_contexts_name_no_model(tmp_path: Path) -> None:
    log = Rollout("0.34.0").turn().call(input=100, output=7)
    assert [(call.model, call.tokens.input) for call in calls_of(tmp_path, log)] == [(None, 100)]


def test_the_service_tier_is_the_one_the_threads_settings_name(tmp_path: Path) -> None:
    log = Rollout("0.169.0").turn().call(input=100, output=7)
    log.event("thread_settings_applied", thread_id=log.thread, thread_settings={"service_tier": "priority"})
    log.call(input=200, output=9)
    log.event("thread_settings_applied", thread_id="another", thread_settings={"service_tier": "flex"})
    log.call(input=300, output=9)
    assert [call.service_tier for call in calls_of(tmp_path, log)] == [None, "priority", "priority"]


def test_a_turn_keeps_its_times_outcome_and_trigger(tmp_path: Path) -> None:
    log = Rollout("0.169.0").turn(trigger="exec").call(took=900, input=100, output=7)
    log.end(duration_ms=950, time_to_first_token_ms=40)
    (turn,) = counted(tmp_path, log)[log.thread].turns
    assert (turn.key, turn.started_ms, turn.ended_ms) == (log.turn_id, NOON, NOON + 900)
    assert (turn.duration_ms, turn.first_token_ms, turn.outcome, turn.trigger) == (950, 40, "completed", "exec")


@pytest.mark.parametrize(
    ("kind", "fields", "outcome"),
    [("turn_aborted", {}, "aborted"), ("task_complete", {"error": {"message": "no"}}, "failed")],
)
def test_a_turn_that_did_not_complete_is_told(tmp_path: Path, kind: str, fields: dict[str, Any], outcome: str) -> None:
    log = Rollout("0.169.0").turn().call(input=100, output=7).end(kind, **fields)
    assert [turn.outcome for turn in counted(tmp_path, log)[log.thread].turns] == [outcome]


def test_the_context_window_is_the_one_the_log_names(tmp_path: Path) -> None:
    log = Rollout("0.169.0").turn().call(input=100, output=7)
    assert calls_of(tmp_path, log)[0].context_window == 258400


def test_turns_of_logs_without_ids_are_numbered(tmp_path: Path) -> None:
    log = Rollout("0.58.0").turn().call(input=1, output=1).turn().call(input=2, output=1)
    assert [call.turn_key for call in calls_of(tmp_path, log)] == ["u1", "u2"]


def test_ids_of_calls_are_the_same_on_every_reading(tmp_path: Path) -> None:
    log = Rollout("0.130.0", thread=uuid7(NOON, 1)).turn().call(input=1, output=1).call(input=2, output=1)
    first = [call.uid for call in calls_of(tmp_path / "a", log)]
    assert first == [call.uid for call in calls_of(tmp_path / "b", log)]
    assert len(set(first)) == 2
    assert all(0 <= uid < 1 << 63 for uid in first)
