"""What became of each call's cache: one label, why, and what was lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_usage.answers.diagnosis import REASONS, Lifetime, cache_lifetime, diagnose
from codex_usage.answers.thresholds import Thresholds
from codex_usage.index.threadcalls import ThreadCall, dear_threads, thread_calls
from tests.support.advice import Step, growing, thread, written
from tests.support.spending import asking

FIVE = Lifetime(5.0, "default")


def call(size: int, cached: int, **more: Any) -> ThreadCall:
    """A call of so much input."""
    one = ThreadCall(
        1, 0, "gpt-5.5", "", "", 0, size, cached, 0, 10, 0, 0, None, 1000, 0, 1, 0, 0, 0, 0, "t", 1, "completed", 1
    )
    return one._replace(**more)


BEFORE = call(100_000, 90_000)


@pytest.mark.parametrize(
    ("now", "label", "lost", "reason"),
    [
        (call(101_000, 100_000), "warm_reuse", 0, "100,000 of 101,000 input tokens came from the cache"),
        (call(101_000, 70_000), "partial_miss", 30_000, "30,000 of the 100,000 tokens that the call before had sent"),
        (call(101_000, 2_000), "uncached_spike", 98_000, "99,000 uncached input tokens without a pause or a switch"),
        (call(180_000, 100_000), "uncached_spike", 0, "80,000 uncached input tokens"),
        (call(101_000, 2_000, gap_ms=3 * 3_600_000), "cold_resume", 98_000, "3.0 hours after the call before, beyond"),
        (call(101_000, 99_000, gap_ms=3 * 3_600_000), "warm_reuse", 1_000, "99,000 of 101,000"),
        (call(101_000, 0, model="gpt-6"), "model_switch", 100_000, "the model changed from gpt-5.5 to gpt-6: 100,000"),
        (call(101_000, 0, effort="high"), "effort_switch", 100_000, "the effort changed from the default to high"),
        (call(30_000, 0), "post_compaction", 0, "the context was shortened from 100,000 to 30,000 tokens"),
    ],
)
def test_each_label_has_its_cause_and_reason(now: ThreadCall, label: str, lost: int, reason: str) -> None:
    first, found = diagnose([BEFORE, now], FIVE)
    assert (first.label, first.lost_tokens) == ("first_call", 0)
    assert (found.label, found.lost_tokens) == (label, lost)
    assert found.reason.startswith(reason)


def test_the_call_after_a_summary_is_post_compaction_however_large() -> None:
    _, found = diagnose([BEFORE._replace(compaction=1), call(90_000, 0)], FIVE)
    assert found.label == "post_compaction"


any_call = st.builds(
    call, size=st.integers(0, 500_000), cached=st.integers(0, 500_000), gap_ms=st.none() | st.integers(0, 10**8),
    model=st.sampled_from(["a", "b"]), effort=st.sampled_from(["", "high"]), compaction=st.integers(0, 1),
)  # fmt: skip


@given(st.lists(any_call))
def test_every_call_has_exactly_one_label(calls: list[ThreadCall]) -> None:
    found = diagnose(calls, FIVE, Thresholds())
    assert len(found) == len(calls)
    for one, diagnosis in zip(calls, found, strict=True):
        assert diagnosis.label in REASONS and diagnosis.reason
        assert 0 <= diagnosis.lost_tokens <= one.input
    assert [one.label for one in found[:1]] == ["first_call"] * len(calls[:1])


def test_the_lifetime_is_learnt_where_reuse_breaks(tmp_path: Path) -> None:
    """Caches live for half an hour here: pauses of 20 minutes keep them, those of 40 don't."""
    pauses = [Step(50_000, 49_000, minutes=20), Step(50_000, 0, minutes=40), Step(50_000, 49_000, minutes=7)] * 10
    with asking(written(tmp_path, [thread([Step(50_000), *pauses])])) as context:
        assert cache_lifetime(context.index) == Lifetime(30.0, "learnt")
        own = Thresholds(idle_gap_minutes=12.0)
        assert cache_lifetime(context.index, own) == Lifetime(12.0, "thresholds.json")


def test_with_too_little_data_the_lifetime_is_five_minutes(tmp_path: Path) -> None:
    with asking(written(tmp_path, [thread([Step(50_000), Step(50_000, minutes=40)])])) as context:
        assert cache_lifetime(context.index) == FIVE


def test_a_threads_calls_come_in_order_and_the_last_ones_when_there_are_too_many(tmp_path: Path) -> None:
    with asking(written(tmp_path, [thread(growing(30)), thread(growing(3), 2)])) as context:
        scope = context.scope(context.period("all"))
        head, _ = dear_threads(context.index, scope)
        skipped, calls = thread_calls(context.index, head.key, scope)
        later, some = thread_calls(context.index, head.key, scope, most=10)
    assert (head.calls, skipped, len(calls)) == (30, 0, 30)
    assert [one.input for one in calls] == [20_000 + 1_000 * n for n in range(30)]
    assert (later, some[1:]) == (20, calls[21:])
    assert (some[0].uid, some[0].counted) == (calls[20].uid, 0)
