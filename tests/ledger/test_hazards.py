"""The hazards H1-H19 of docs/explanation/counting.md, each with its data in view."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_usage.ledger import Family, count_rollout
from tests.support.ledgers import calls_of, counted, numbers
from tests.support.rollouts import NOON, Rollout, log_file, uuid7


def test_h1_a_count_repeated_when_headers_arrive_is_no_call(tmp_path: Path) -> None:
    log = Rollout("0.44.0").turn().call(input=100, output=7).call(input=200, output=9)
    assert log.bytes.count(b'"token_count"') == 4
    assert numbers(calls_of(tmp_path, log)) == [(100, 7), (200, 9)]


@pytest.mark.parametrize("version", ["0.58.0", "0.98.0", "0.130.0", "0.147.0", "0.169.0"])
def test_h1_a_count_repeated_after_an_error_is_no_call(tmp_path: Path, version: str) -> None:
    log = Rollout(version).turn().call(input=100, output=7).count().count()
    assert numbers(calls_of(tmp_path, log)) == [(100, 7)]


def test_h1_a_repetition_without_rate_limits_is_no_call(tmp_path: Path) -> None:
    """Behind an API key there are no limits to tell, and `rate_limits` is null."""
    log = Rollout("0.169.0", limits={}).turn().call(input=100, output=7)
    log.event(
        "token_count",
        info={
            "total_token_usage": {"input_tokens": 100, "output_tokens": 7},
            "last_token_usage": {"input_tokens": 100, "output_tokens": 7},
        },
        rate_limits=None,
    )
    assert numbers(calls_of(tmp_path, log)) == [(100, 7)]


def test_h2_a_count_without_numbers_is_no_call(tmp_path: Path) -> None:
    log = Rollout("0.44.0").turn().no_count().call(input=100, output=7)
    assert numbers(calls_of(tmp_path, log)) == [(100, 7)]


def test_h2_an_equal_total_after_a_count_without_numbers_is_another_call(tmp_path: Path) -> None:
    """A new process starts with `info: null` and a total of its own, which may equal the old one."""
    log = Rollout("0.58.0").turn().call(input=100, output=7).resume(restart=True)
    log.turn().no_count().call(input=100, output=7)
    assert numbers(calls_of(tmp_path, log)) == [(100, 7), (100, 7)]


@pytest.mark.parametrize("version", ["0.36.0", "0.40.0"])
def test_an_equal_total_is_another_call_in_versions_that_never_repeat_one(tmp_path: Path, version: str) -> None:
    flat = {"primary_used_percent": 1.0, "primary_window_minutes": 300} if version == "0.40.0" else None
    log = Rollout(version, limits=flat).turn().call(input=100, output=7).resume(restart=True)
    log.turn().call(input=100, output=7)
    assert numbers(calls_of(tmp_path, log)) == [(100, 7), (100, 7)]


def test_h3_the_estimate_after_a_compaction_is_no_call(tmp_path: Path) -> None:
    log = Rollout("0.98.0").turn().call(input=100, output=7).compacted()
    log.count(last={}).call(input=20, output=3)
    assert numbers(calls_of(tmp_path, log)) == [(100, 7), (20, 3)]


def test_h4_a_total_set_to_nothing_by_a_full_window_starts_afresh(tmp_path: Path) -> None:
    log = Rollout("0.152.0").turn().call(input=100, output=7)
    log.count(total={"input": 0}, last={})
    log.total = {}
    log.call(input=300, output=9).call(input=50, output=2)
    assert numbers(calls_of(tmp_path, log)) == [(100, 7), (300, 9), (50, 2)]


def test_h5_a_total_that_restarts_on_resume_goes_on_counting(tmp_path: Path) -> None:
    """The first call of the new process may be bigger than the old total: a difference would be too small."""
    log = Rollout("0.77.0").turn().call(input=100, output=7).resume(restart=True)
    log.turn().call(input=900, output=8).call(input=50, output=2)
    assert numbers(calls_of(tmp_path, log)) == [(100, 7), (900, 8), (50, 2)]


@pytest.mark.parametrize("version", ["0.98.0", "0.130.0", "0.147.0"])
def test_h6_lines_that_a_fork_copied_are_its_parents_calls(tmp_path: Path, version: str) -> None:
    parent = Rollout(version).turn().call(input=100, output=7).call(input=200, output=9).wait(60_000)
    child = parent.fork().wait(1000).turn().call(input=300, output=11)
    found = counted(tmp_path, parent, child)
    assert numbers(found[parent.thread].calls) == [(100, 7), (200, 9)]
    assert numbers(found[child.thread].calls) == [(300, 11)]


def test_h6_records_that_a_fork_copied_keep_their_own_thread(tmp_path: Path) -> None:
    parent = Rollout("0.169.0").turn().call(input=100, output=7).wait(60_000)
    child = parent.fork().wait(1000).turn().call(input=300, output=11)
    found = counted(tmp_path, parent, child)
    assert numbers(found[parent.thread].calls) == [(100, 7)]
    assert numbers(found[child.thread].calls) == [(300, 11)]


def test_h6_a_parent_that_goes_on_with_a_twin_of_the_forks_call_leaves_it_to_the_fork(tmp_path: Path) -> None:
    """Both make a call with the same numbers after the fork: two calls were billed."""
    parent = Rollout("0.98.0").turn().call(input=100, output=7).wait(60_000)
    child = parent.fork().wait(1000).turn().call(input=300, output=11)
    parent.wait(2000).turn().call(input=300, output=11)
    found = counted(tmp_path, parent, child)
    assert numbers(found[parent.thread].calls) == [(100, 7), (300, 11)]
    assert numbers(found[child.thread].calls) == [(300, 11)]


@pytest.mark.parametrize("version", ["0.98.0", "0.130.0", "0.169.0"])
def test_h6_a_fork_whose_parent_is_gone_shows_the_parents_calls_once(tmp_path: Path, version: str) -> None:
    parent = Rollout(version).turn().call(input=100, output=7).call(input=200, output=9).wait(60_000)
    child = parent.fork().wait(1000).turn().call(input=300, output=11)
    calls = calls_of(tmp_path, child)
    assert sorted(numbers(calls)) == [(100, 7), (200, 9), (300, 11)]
    assert {call.thread_id for call in calls if call.recovered} == {parent.thread}


@pytest.mark.parametrize("version", ["0.98.0", "0.130.0", "0.169.0"])
def test_h6_two_forks_of_a_lost_parent_recover_its_calls_under_one_id(tmp_path: Path, version: str) -> None:
    parent = Rollout(version).turn().call(input=100, output=7).wait(60_000)
    one = parent.fork().wait(1000).turn().call(input=300, output=11)
    two = parent.wait(1000).fork().wait(1000).turn().call(input=400, output=12)
    calls = calls_of(tmp_path, one, two)
    recovered = [call for call in calls if call.recovered]
    assert len(recovered) == 2
    assert len({call.uid for call in recovered}) == 1


@pytest.mark.parametrize("version", ["0.98.0", "0.130.0"])
def test_h6_a_lost_parents_calls_are_left_to_a_grandparent_that_has_them(tmp_path: Path, version: str) -> None:
    first = Rollout(version).turn().call(input=100, output=7).wait(60_000)
    lost = first.fork().wait(1000).turn().call(input=200, output=9).wait(60_000)
    last = lost.fork().wait(1000).turn().call(input=300, output=11)
    calls = calls_of(tmp_path, first, last)
    assert sorted(numbers(calls)) == [(100, 7), (200, 9), (300, 11)]
    assert {call.thread_id for call in calls if call.recovered} == {lost.thread}


def test_h7_a_backtrack_copies_under_a_second_header_without_naming_its_parent(tmp_path: Path) -> None:
    parent = Rollout("0.58.0").turn().call(input=100, output=7).turn().call(input=200, output=9).wait(60_000)
    child = Rollout("0.58.0", thread=uuid7(parent.now, 9), now=parent.now)
    for line in parent.lines:
        child.raw(line.replace(line[14:38], child.lines[0][14:38], 1))
    child.resume(restart=True).wait(1000).turn().call(input=300, output=11)
    found = counted(tmp_path, parent, child)
    assert numbers(found[parent.thread].calls) == [(100, 7), (200, 9)]
    assert numbers(found[child.thread].calls) == [(300, 11)]


def test_h8_a_subagent_goes_on_from_its_parents_total(tmp_path: Path) -> None:
    parent = Rollout("0.115.0").turn().call(input=100, output=7).wait(1000)
    spawn = {"subagent": {"thread_spawn": {"parent_thread_id": parent.thread, "depth": 1, "agent_role": "worker"}}}
    child = parent.fork(source=spawn, meta_fields={"forked_from_id": parent.thread})
    child.wait(1000).turn().call(input=300, output=11)
    found = counted(tmp_path, parent, child)
    thread = found[child.thread].thread
    assert numbers(found[child.thread].calls) == [(300, 11)]
    assert thread is not None
    assert (thread.role, thread.parent_id, thread.agent) == ("subagent", parent.thread, "worker")


def test_h8_a_subagents_copy_without_counts_starts_with_its_own_call(tmp_path: Path) -> None:
    parent = Rollout("0.148.0").turn().call(input=100, output=7).wait(1000)
    child = Rollout("0.148.0", now=parent.now, thread=uuid7(parent.now, 5), source={"subagent": {"other": "worker"}})
    child.meta(parent.thread).item("message", role="user", content=[])
    child.total = dict(parent.total)
    child.wait(1000).turn().call(input=300, output=11)
    found = counted(tmp_path, parent, child)
    assert numbers(found[child.thread].calls) == [(300, 11)]


def test_h9_a_fork_by_reference_starts_at_its_parents_total(tmp_path: Path) -> None:
    parent = Rollout("0.152.0").turn().call(input=100, output=7).wait(60_000)
    child = Rollout(
        "0.152.0", now=parent.now, thread=uuid7(parent.now, 5), meta_fields={"forked_from_id": parent.thread}
    )
    child.total = dict(parent.total)
    child.wait(1000).turn().call(input=300, output=11)
    found = counted(tmp_path, parent, child)
    assert numbers(found[child.thread].calls) == [(300, 11)]


def test_h10_a_migrated_fork_keeps_copied_counts_without_the_second_header(tmp_path: Path) -> None:
    parent = Rollout("0.147.0").turn().call(input=100, output=7).wait(60_000)
    child = parent.fork().wait(1000).turn().call(input=300, output=11)
    del child.lines[1]  # the copied header
    found = counted(tmp_path, parent, child)
    assert numbers(found[parent.thread].calls) == [(100, 7)]
    assert numbers(found[child.thread].calls) == [(300, 11)]


def test_h11_a_reverted_thread_has_two_logs_and_both_were_billed(tmp_path: Path) -> None:
    first = Rollout("0.169.0").turn().call(input=100, output=7).wait(1000)
    second = Rollout("0.169.0", thread=first.thread, now=first.now, segment=uuid7(first.now, 3))
    second.responses = 50
    second.turn().call(input=300, output=11)
    calls = calls_of(tmp_path, first, second)
    assert numbers(calls) == [(100, 7), (300, 11)]
    assert {call.thread_id for call in calls} == {first.thread}


def test_h12_a_remote_compaction_is_counted_from_its_record(tmp_path: Path) -> None:
    log = Rollout("0.169.0").turn().call(input=100, output=7)
    log.wait(500).record(input=90, output=30, response="resp_summary").compacted("resp_summary")
    log.count(last={}).call(input=20, output=3)
    calls = calls_of(tmp_path, log)
    assert numbers(calls) == [(100, 7), (90, 30), (20, 3)]
    assert [call.compaction for call in calls] == [False, True, False]


def test_h12_a_compaction_without_logged_usage_is_told(tmp_path: Path) -> None:
    log = Rollout("0.130.0").turn().call(input=100, output=7).turn().compacted().call(input=20, output=3)
    result = counted(tmp_path, log)[log.thread]
    assert result.skipped == {"compaction_without_usage": 1}
    assert not any(call.compaction for call in result.calls)


@pytest.mark.parametrize("version", ["0.44.0", "0.58.0", "0.98.0", "0.130.0", "0.147.0", "0.169.0"])
def test_h13_the_call_before_a_local_compaction_wrote_the_summary(tmp_path: Path, version: str) -> None:
    log = Rollout(version).turn().call(input=100, output=7, tool=True)
    calls = calls_of(tmp_path, log.summary(input=200, output=30).call(input=20, output=3))
    assert [call.compaction for call in calls] == [False, True, False]
    assert [call.origin == 5 for call in calls] == [False, True, False]


def test_h13_a_call_whose_tool_ran_before_the_compaction_did_not_write_the_summary(tmp_path: Path) -> None:
    log = Rollout("0.147.0").turn().call(input=100, output=7, tool=True).compacted().call(input=20, output=3)
    result = counted(tmp_path, log)[log.thread]
    assert not any(call.compaction for call in result.calls)
    assert result.skipped == {"compaction_without_usage": 1}


def test_h14_a_compaction_before_the_new_turns_context_ran_on_the_old_model(tmp_path: Path) -> None:
    log = Rollout("0.169.0").turn(model="gpt-5.5").call(input=100, output=7)
    log.started().wait(500).record(input=90, output=30, response="resp_s").compacted("resp_s")
    log.context(model="gpt-6.1").call(input=20, output=3)
    assert [call.model for call in calls_of(tmp_path, log)] == ["gpt-5.5", "gpt-5.5", "gpt-6.1"]


def test_h15_an_incomplete_response_is_counted_from_its_record(tmp_path: Path) -> None:
    log = Rollout("0.169.0").turn().call(input=100, output=7)
    log.wait(500).record(input=120, output=4, response="resp_cut").count(last={}).call(input=150, output=6)
    assert numbers(calls_of(tmp_path, log)) == [(100, 7), (120, 4), (150, 6)]


def test_h16_a_reviewers_turns_in_the_parents_log_get_none_of_its_calls(tmp_path: Path) -> None:
    log = Rollout("0.169.0").turn()
    own = log.turn_id
    log.event("entered_review_mode").event("task_started", turn_id=uuid7(NOON + 5, 9), thread_id=uuid7(NOON + 4))
    log.wait(800).event("exited_review_mode").call(input=100, output=7)
    result = counted(tmp_path, log)[log.thread]
    assert [call.turn_key for call in result.calls] == [own]
    assert result.reviews == [(NOON, None), (-1, NOON + 800)]


def test_h17_calls_with_identical_numbers_are_all_counted(tmp_path: Path) -> None:
    for version in ("0.44.0", "0.98.0", "0.147.0", "0.169.0"):
        log = Rollout(version).turn()
        for _ in range(3):
            log.call(input=100, cached=60, output=7)
        assert numbers(calls_of(tmp_path / version, log)) == [(100, 7)] * 3


def test_h18_records_for_only_part_of_the_calls_are_not_counted_twice(tmp_path: Path) -> None:
    """A file that an old binary went on with, and a new one again."""
    log = Rollout("0.169.0").turn().call(input=100, output=7)
    log.turn().call(input=200, output=9, record=False).turn().call(input=300, output=11)
    assert numbers(calls_of(tmp_path, log)) == [(100, 7), (200, 9), (300, 11)]


def test_h18_two_records_and_one_count_of_their_sum_are_two_calls(tmp_path: Path) -> None:
    log = Rollout("0.169.0").turn().record(input=100, output=7, response="a").record(input=50, output=1, response="b")
    log.count(total={"input": 150, "output": 8}, last={"input": 150, "output": 8})
    assert numbers(calls_of(tmp_path, log)) == [(100, 7), (50, 1)]


def test_h19_a_snapshot_of_another_limit_without_windows_is_no_fault(tmp_path: Path) -> None:
    log = Rollout("0.169.0").turn().call(input=100, output=7)
    log.limits = {"limit_id": "premium", "primary": None, "secondary": None}
    result = counted(tmp_path, log.count())[log.thread]
    assert result.skipped == {}
    assert [window.window_minutes for window in result.windows] == [300, 10080]


@pytest.mark.parametrize(
    ("limits", "resets"),
    [
        ({"primary": {"used_percent": 5.0, "window_minutes": 300, "resets_at": 1795298562}}, 1795298562),
        ({"primary": {"used_percent": 5.0, "window_minutes": 300, "resets_in_seconds": 60}}, NOON // 1000 + 60),
        ({"primary_used_percent": 5.0, "primary_window_minutes": 300}, None),
    ],
)
def test_allowance_windows_of_every_shape_are_read(tmp_path: Path, limits: dict[str, object], resets: int) -> None:
    log = Rollout("0.44.0", limits=limits).turn().no_count()
    (window,) = counted(tmp_path, log)[log.thread].windows
    assert (window.used_percent, window.window_minutes, window.resets_at) == (5.0, 300, resets)


def test_a_record_repeated_under_its_response_id_is_one_call(tmp_path: Path) -> None:
    log = Rollout("0.169.0").turn().call(input=100, output=7)
    log.record(input=100, output=7)
    assert numbers(calls_of(tmp_path, log)) == [(100, 7)]


def test_a_response_billed_with_nothing_is_still_a_call(tmp_path: Path) -> None:
    log = Rollout("0.169.0").turn().record(input=0, output=0).count(total={"input": 0}, last={})
    assert numbers(calls_of(tmp_path, log)) == [(0, 0)]


def test_a_thread_whose_header_is_unreadable_counts_under_its_files_name(tmp_path: Path) -> None:
    log = Rollout("0.169.0").turn().call(input=100, output=7)
    log.lines[0] = b"\x00" * 40
    result = counted(tmp_path, log)[log.thread]
    assert [(call.thread_id, call.tokens.input) for call in result.calls] == [(log.thread, 100)]
    assert result.skipped == {"bad_json": 1}


def test_a_fork_whose_own_header_is_unreadable_still_knows_its_copies(tmp_path: Path) -> None:
    parent = Rollout("0.130.0").turn().call(input=100, output=7).wait(60_000)
    child = parent.fork().wait(1000).turn().call(input=300, output=11)
    child.lines[0] = b"{"
    found = counted(tmp_path, parent, child)
    assert numbers(found[child.thread].calls) == [(300, 11)]


def test_a_parents_log_that_grew_is_seen_by_the_next_refresh(tmp_path: Path) -> None:
    """What a fork copied is compared with the parent as it is now, not as an earlier refresh saw it."""
    parent = Rollout("0.98.0").turn().call(input=100, output=7)
    path = parent.write(tmp_path)
    assert len(Family({parent.thread: str(path)}).sequence(parent.thread) or []) == 1
    parent.call(input=200, output=9).wait(60_000).write(tmp_path)
    child = parent.fork().wait(1000).turn().call(input=300, output=11)
    file = log_file(child.write(tmp_path))
    result = count_rollout(file, 0, b"", Family({parent.thread: str(path)}))
    assert numbers(result.calls) == [(300, 11)]
