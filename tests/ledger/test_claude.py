"""Claude Code transcripts: one message id, one call, its last word on the output."""

from __future__ import annotations

from pathlib import Path

from codex_usage.homes import list_logs
from codex_usage.ledger import Family, count_transcript
from codex_usage.model import Call, Counted, Tokens
from tests.support.ledgers import in_steps
from tests.support.rollouts import log_file
from tests.support.transcripts import Transcript


def count(home: Path, *transcripts: Transcript) -> dict[str, Counted]:
    """Write transcripts and count every log of the home, by name."""
    for transcript in transcripts:
        transcript.write(home)
    return {name: count_transcript(file, 0, b"") for name, file in list_logs((), (home,)).files.items()}


def calls_of(home: Path, *transcripts: Transcript) -> list[Call]:
    """Every call of the home by time, each uid once, originals before copies."""
    found: dict[int, Call] = {}
    for result in count(home, *transcripts).values():
        for call in result.calls:
            if call.uid not in found or found[call.uid].recovered:
                found[call.uid] = call
    return sorted(found.values(), key=lambda call: call.time_ms)


def test_a_response_written_once_per_block_is_one_call_with_its_last_output(tmp_path: Path) -> None:
    log = Transcript().prompt().answer("msg_1", blocks=3, input=10, cached=500, cache_write=90, output=42)
    (call,) = calls_of(tmp_path, log)
    assert call.tokens == Tokens(input=600, cached=500, cache_write=90, output=42)


def test_cache_writes_for_an_hour_are_kept_apart(tmp_path: Path) -> None:
    log = Transcript().prompt().answer("msg_1", input=10, cache_write=90, cache_write_1h=70, output=4)
    (call,) = calls_of(tmp_path, log)
    assert (call.tokens.cache_write, call.cache_write_1h) == (90, 70)


def test_fast_mode_is_a_tier_of_its_own(tmp_path: Path) -> None:
    log = Transcript().prompt().answer("msg_1", input=10, output=4).answer("msg_2", speed="fast", input=10, output=4)
    assert [call.service_tier for call in calls_of(tmp_path, log)] == ["standard", "fast"]


def test_a_forked_session_copies_its_parents_rows_and_counts_only_its_own(tmp_path: Path) -> None:
    parent = Transcript().prompt().answer("msg_1", input=10, output=4)
    child = Transcript(session="22222222-2222-4222-8222-222222222222")
    child.answer("msg_1", input=10, output=4, billed_in=parent.session).prompt().answer("msg_2", input=20, output=5)
    calls = calls_of(tmp_path, parent, child)
    assert [(call.thread_id, call.recovered) for call in calls] == [(parent.session, False), (child.session, False)]


def test_a_forked_session_whose_parent_is_gone_shows_the_parents_calls(tmp_path: Path) -> None:
    child = Transcript(session="22222222-2222-4222-8222-222222222222")
    child.answer("msg_1", input=10, output=4, billed_in="lost").prompt().answer("msg_2", input=20, output=5)
    calls = calls_of(tmp_path, child)
    assert [(call.thread_id, call.recovered) for call in calls] == [("lost", True), (child.session, False)]


def test_a_subagent_is_a_thread_of_its_own_under_its_session(tmp_path: Path) -> None:
    session = Transcript().prompt().answer("msg_1", input=10, output=4)
    agent = Transcript(agent="abc").prompt().answer("msg_2", input=20, output=5)
    results = count(tmp_path, session, agent)
    thread = results["agent-abc.jsonl"].thread
    assert thread is not None
    assert (thread.id, thread.parent_id, thread.role) == ("agent-abc", session.session, "subagent")
    assert [call.origin for call in results["agent-abc.jsonl"].calls] == [6]


def test_a_prompt_begins_a_turn_and_a_tool_result_goes_on_with_it(tmp_path: Path) -> None:
    log = Transcript().prompt().answer("msg_1", input=10, output=4).tool_result()
    log.answer("msg_2", input=20, output=5).prompt().answer("msg_3", input=30, output=6)
    calls = calls_of(tmp_path, log)
    assert [(call.turn_key, call.turn_first) for call in calls] == [
        ("prompt-1", True),
        ("prompt-1", False),
        ("prompt-2", True),
    ]
    assert [call.origin for call in calls] == [2, 4, 2]


def test_synthetic_answers_and_rows_without_usage_are_no_calls(tmp_path: Path) -> None:
    log = Transcript(model="<synthetic>").prompt().answer("msg_1", input=10, output=4)
    log.row("assistant", message={"id": "msg_2", "model": "claude-opus-5-5", "content": []}).row("summary", summary="x")
    assert calls_of(tmp_path, log) == []


def test_what_a_message_quotes_is_not_counted(tmp_path: Path) -> None:
    log = Transcript().prompt()
    log.row("user", message={"role": "user", "content": 'look: {"usage":{"input_tokens":5}} "type":"assistant"'})
    assert calls_of(tmp_path, log) == []


def test_a_transcript_read_in_two_at_any_byte_counts_the_same(tmp_path: Path) -> None:
    log = Transcript().prompt().answer("msg_1", blocks=3, input=10, output=40).tool_result()
    log.answer("msg_2", blocks=2, input=20, output=5).prompt().answer("msg_3", input=30, output=6)
    file = log_file(log.write(tmp_path), tmp_path, "claude")
    whole = count_transcript(file, 0, b"").calls
    for cut in range(0, file.size + 1, 11):
        assert in_steps(file, [cut], Family({}))[0] == whole, cut
