"""Recommendations: a planted waste is named first and priced by its counterfactual; without one there are none."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_usage import answers
from codex_usage.answers.advice_results import Recommendations
from codex_usage.answers.recommend import recommendations
from codex_usage.index import Filters
from codex_usage.index.facts import refresh_facts
from tests.support.advice import Step, growing, thread, written
from tests.support.rollouts import Rollout
from tests.support.spending import asking, thread_id


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder, empty."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("CODEX_USAGE_HOME", str(folder))
    return folder


def advice(
    folder: Path, logs: Sequence[Rollout], period: str = "all", filters: Filters | None = None, scan: bool = False
) -> Recommendations:
    """What is recommended for a home with these logs."""
    places = written(folder, logs)
    with asking(places) as context:
        if scan:
            refresh_facts(context.index, places)
        asked = recommendations(context, context.period(period), filters)
        total = answers.summary(context, context.period(period), filters=filters).total
    assert asked.saving_usd <= (total.cost_usd or 0)
    return asked


def spawned(number: int) -> dict[str, object]:
    """The header of a subagent of a thread."""
    return {"subagent": {"thread_spawn": {"parent_thread_id": thread_id(number), "depth": 1, "agent_role": "worker"}}}


CALM = growing(20)
FULL = growing(60, step=4_000)  # half full at call 29, 256,000 tokens at the end
COLD = [Step(100_000), *[Step(100_000, 2_000, minutes=180) for _ in range(4)]]


def waste() -> dict[str, tuple[list[Rollout], float]]:
    """Rule -> (a home in which it is what goes wrong, the dollars that its counterfactual saves)."""
    warm = Step(100_000, 99_000)
    guard = {"source": {}, "thread_source": "guardian_review", "parent_thread_id": thread_id(1)}
    compacted = [*FULL, Step(257_000, 256_000, summary=True, turn=False), Step(25_000, 5_000), Step(26_000, 25_000)]
    return {
        # 31 later calls carry 112,000 cached tokens less; the first of the new thread reads 20,000 anew for 132,000
        "context_bloat": ([thread(FULL)], 31 * 0.056 - (0.100 - 0.084)),
        # 31 later calls and the summary carry 107,000 less; the first after compaction is as it was: 5,000 cached
        "late_compaction": ([thread(compacted)], 32 * 0.0535 - (0.1025 - 0.084)),
        "cold_resume": ([thread(COLD)], 4 * 98_000 * 4.5e-6),
        "cache_broken": (
            [thread([Step(100_000, 100_000 * (n % 3 > 0), effort=(None, "low")[n // 3 % 2]) for n in range(12)])],
            3 * 100_000 * 4.5e-6,
        ),
        "low_cache_reuse": ([thread([Step(50_000, 10_000) for _ in range(10)])], 9 * 40_000 * 4.5e-6),
        "reasoning_spike": (
            [thread([*[Step(20_000, 20_000, 400, 100)] * 9, Step(20_000, 20_000, 20_000, 19_000)])], 18_900 * 30e-6,
        ),
        "heavy_effort": ([thread([Step(20_000, 20_000, 1_100, 1_000, effort="xhigh")] * 30)], 30 * 500 * 30e-6),
        "low_output": (
            [thread([Step(100_000, 99_000, 50, turn=n == 0) for n in range(150)])], 75 * 99_000 * 0.5e-6,
        ),
        "fast_tier": ([thread([warm] * 10, tier="priority")], 10 * 1.5 * (0.0495 + 0.005 + 0.009)),
        "long_context": ([thread([Step(300_000, 299_000)] * 5)], 5 * (0.1495 + 0.005 + 300 * 15e-6)),
        "subagent_fanout": (
            [thread(CALM), *(thread([Step(60_000), Step(61_000, 60_000)], n, source=spawned(1)) for n in range(2, 7))],
            5 * 60_000 * 5e-6,
        ),
        "guardian_overhead": (
            [thread(CALM), *(thread([Step(20_000, 10_000)] * 2, n, **guard) for n in range(2, 6))],
            8 * (0.05 + 0.005 + 0.009),
        ),
        "retry_abort": (
            [thread([*CALM, *[Step(40_000, 39_000, 5_000, end="turn_aborted")] * 5])], 5 * (0.0195 + 0.005 + 0.15),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("rule", waste())
def test_a_planted_waste_is_named_first_with_what_it_cost(tmp_path: Path, rule: str) -> None:
    logs, saving = waste()[rule]
    asked = advice(tmp_path, logs)
    first = asked.rows[0]
    assert first.rule == rule, asked.rows
    assert first.saving.cost_usd == pytest.approx(saving, rel=0.1)
    assert first.saving.credits == pytest.approx(25 * saving, rel=0.1) or rule == "long_context"
    assert first.scope.id == thread_id(1)
    assert first.evidence.call_ids and thread_id(1) in first.evidence.thread_ids
    assert 0 < first.confidence <= 1
    assert first.counterfactual.startswith("had ") and "{" not in first.counterfactual
    assert asked.examined_share == 1.0


def test_a_bloated_thread_tells_where_it_should_have_been_restarted(tmp_path: Path) -> None:
    (first,) = advice(tmp_path, [thread(FULL)]).rows
    assert first.counterfactual == (
        "had this thread been restarted after call 28, its 32 calls from there on would have carried 82k instead of"
        " 194k tokens on average"
    )
    assert (first.evidence.threshold, first.evidence.threshold_value) == ("high_context_percent", 75.0)
    assert first.evidence.observed == pytest.approx(99.1, abs=0.1)


def test_nothing_planted_means_nothing_recommended(tmp_path: Path) -> None:
    asked = advice(tmp_path, [thread(CALM), thread(CALM, 2, folder="shop"), thread(growing(5, model="nobody"), 3)])
    assert asked.rows == []
    assert asked.headline == "Nothing to recommend: no rule found a saving worth naming in the 3 threads examined."
    assert (asked.saving_usd, asked.examined_calls) == (0.0, 45)


def test_an_empty_index_has_a_calm_answer(tmp_path: Path) -> None:
    (tmp_path / "home" / "sessions").mkdir(parents=True)
    asked = advice(tmp_path, [])
    assert (asked.rows, asked.examined_share) == ([], None)


def test_unpriced_waste_is_no_recommendation_and_estimates_lower_the_confidence(tmp_path: Path) -> None:
    def cold(model: str) -> list[Step]:
        return [Step(100_000, model=model), *[Step(100_000, 2_000, minutes=180, model=model)] * 4]

    assert advice(tmp_path / "none", [thread(cold("nobody"))]).rows == []
    switched = [thread([Step(100_000, effort=word, model=model) for word in ("low", "high") * 3])
                for model in ("gpt-5.5", "codex-auto-review")]  # fmt: skip
    exact, estimated = (advice(tmp_path / str(n), [log]).rows[0] for n, log in enumerate(switched))
    assert (exact.rule, exact.confidence) == ("cache_broken", 0.7)
    assert (estimated.rule, estimated.confidence) == ("cache_broken", 0.56)


def test_a_call_is_claimed_by_the_best_rule_only(tmp_path: Path) -> None:
    """Each cold call is also one at the fast tier, which is surer: nothing is left for the pause."""
    asked = advice(tmp_path, [thread(COLD, tier="priority")])
    assert [row.rule for row in asked.rows] == ["fast_tier"]
    assert asked.saving_usd == pytest.approx(1.5 * (0.5 + 4 * (0.49 + 0.001) + 5 * 0.009), rel=0.01)


def test_what_the_best_rule_leaves_counts_for_others(tmp_path: Path) -> None:
    """The pauses come before the context fills; the one rule takes what the other has not claimed."""
    both = [*COLD, *growing(60, begin=100_000, step=2_500)]
    asked = advice(tmp_path, [thread(both)])
    assert {"cold_resume", "context_bloat"} <= {row.rule for row in asked.rows}
    assert asked.saving_usd == pytest.approx(sum(row.saving.cost_usd for row in asked.rows), abs=1e-4)


def test_three_threads_of_one_cause_are_a_habit_and_of_one_project_its_own(tmp_path: Path) -> None:
    def cold(number: int, folder: str) -> Rollout:
        return thread(COLD, number, folder=folder)

    two = advice(tmp_path / "2", [cold(1, "demo"), cold(2, "shop")]).rows
    assert [(row.rule, row.scope.kind) for row in two] == [("cold_resume", "thread")] * 2
    (habit,) = advice(tmp_path / "3", [cold(1, "demo"), cold(2, "shop"), cold(3, "demo")]).rows
    assert (habit.scope.kind, habit.evidence.threads, habit.evidence.calls) == ("habit", 3, 12)
    assert habit.saving.cost_usd == pytest.approx(3 * two[0].saving.cost_usd)
    assert habit.counterfactual.startswith("in 3 threads; in the first, had 4 calls come within")
    (project,) = advice(tmp_path / "p", [cold(n, "shop") for n in (1, 2, 3)]).rows
    assert (project.scope.kind, project.scope.label) == ("project", "shop")


def test_rows_are_ranked_by_saving_times_confidence(tmp_path: Path) -> None:
    logs = [thread(COLD), thread(FULL, 2), thread([Step(300_000, 299_000)] * 5, 3), thread(CALM, 4, tier="priority")]
    rows = advice(tmp_path, logs).rows
    scores = [row.saving.cost_usd * row.confidence for row in rows]
    assert len(rows) >= 4 and scores == sorted(scores, reverse=True)


def test_thresholds_change_the_outcome(tmp_path: Path, own: Path) -> None:
    long = [thread(growing(40, step=2_000))]
    assert advice(tmp_path, long).rows == []
    (own / "thresholds.json").write_text(json.dumps({"large_cumulative_tokens": 1_000_000, "low_cach_ratio": 1}))
    asked = advice(tmp_path, long)
    assert [row.rule for row in asked.rows] == ["large_thread"]
    # split at the middle: 19 calls carry 40,000 cached tokens less, the first reads 20,000 anew
    assert asked.rows[0].saving.cost_usd == pytest.approx(19 * 0.02 - (0.1 - 0.039), rel=0.1)
    assert asked.problems == [
        "thresholds.json: low_cach_ratio is unknown and ignored; did you mean 'low_cache_ratio'?."
    ]
    (own / "thresholds.json").write_text(json.dumps({"idle_gap_minutes": 240}))
    cold = advice(tmp_path / "cold", [thread(COLD)])
    assert (cold.cache_minutes, cold.cache_minutes_source) == (240.0, "thresholds.json")
    assert "cold_resume" not in [row.rule for row in cold.rows]


def test_only_the_periods_own_calls_save_but_those_before_explain_them(tmp_path: Path) -> None:
    steps = [*growing(1, begin=100_000), *[Step(100_000, 2_000, minutes=12 * 60) for _ in range(2)]]  # 20th, 21st
    asked = advice(tmp_path, [thread(steps)], "2026-11-21")
    assert asked.rows[0].rule == "cold_resume"
    assert asked.rows[0].evidence.calls == asked.examined_calls < 3
    assert asked.rows[0].saving.cost_usd == pytest.approx(asked.examined_calls * 98_000 * 4.5e-6)
    assert advice(tmp_path, [thread(steps)], "2026-11-21", Filters(model="gpt-5.5")).rows == asked.rows


def test_a_lighter_effort_is_learnt_from_the_users_own_calls(tmp_path: Path) -> None:
    heavy = thread([Step(20_000, 20_000, 1_100, 1_000, effort="xhigh")] * 30)
    light = thread([Step(20_000, 20_000, 300, 200, effort="low")] * 25, 2)
    (row,) = advice(tmp_path, [heavy, light]).rows
    assert row.saving.cost_usd == pytest.approx(30 * 800 * 30e-6)
    assert "reasoned as your calls at a lighter effort do" in row.counterfactual


def used(step: Step, *commands: tuple[str, int]) -> Step:
    """A call that runs commands whose outputs have so many tokens."""
    return dataclasses.replace(step, tools=tuple(commands))


def carrying(tokens: int, after: int, count: int = 40) -> list[Step]:
    """Calls that grow by 500 tokens each, and by an output of `tokens` after call `after`."""
    sizes = [30_000 + 500 * n + tokens * (n > after) for n in range(count)]
    return [Step(size, cached) for size, cached in zip(sizes, [0, *sizes], strict=False)]


@pytest.mark.parametrize(("compacted", "carriers"), [(None, 29), (25, 15)])
def test_a_noisy_output_costs_what_later_calls_carry_of_it(
    tmp_path: Path, compacted: int | None, carriers: int
) -> None:
    """Cut to 4,000 tokens, an output of 40,000 is 36,000 less: sent once anew, then carried from the cache."""
    steps = carrying(40_000, after=9)
    steps[9] = used(steps[9], ("pytest -v", 40_000))
    if compacted:
        steps[compacted] = dataclasses.replace(steps[compacted], summary=True, turn=False)
        steps[compacted + 1 :] = growing(3)
    logs = [thread(steps)]
    assert "has not scanned" in advice(tmp_path / "before", logs).data_quality
    first = advice(tmp_path, logs, scan=True).rows[0]
    assert (first.rule, first.evidence.threshold) == ("noisy_output", "noisy_output_tokens")
    assert first.saving.cost_usd == pytest.approx(36_000 * (5e-6 + carriers * 0.5e-6), rel=0.1)
    assert "pytest gave most, the longest was 40k" in first.counterfactual
    assert first.evidence.observed == pytest.approx(40_000, rel=0.01)


def test_a_file_read_again_without_a_change_costs_what_later_calls_carry_of_it(tmp_path: Path) -> None:
    """Of six reads of a file four are repeats: one is the first, one comes after a change."""
    cat, edit = ("cat a.py", 3_000), ("sed -i s/a/b/ a.py", 0)
    sizes = [30_000 + 3_100 * n for n in range(7)] + [51_700] * 60
    steps = [Step(size, cached) for size, cached in zip(sizes, [0, *sizes], strict=False)]
    for at, commands in enumerate([[cat], [cat], [cat], [edit, cat], [cat], [cat], [("cat b.py", 100)]]):
        steps[at] = used(steps[at], *commands)
    first = advice(tmp_path, [thread(steps)], scan=True).rows[0]
    assert (first.rule, first.evidence.observed) == ("repeated_reads", 4)
    carried = sum(len(steps) - 2 - at for at in (1, 2, 4, 5))
    assert first.saving.cost_usd == pytest.approx(3_000 * (4 * 5e-6 + carried * 0.5e-6), rel=0.1)
    assert first.counterfactual.startswith("had 1 file not been read again 4 times without a change, ")


def test_a_larger_finding_does_not_hide_a_surer_one_of_the_same_call(tmp_path: Path) -> None:
    """The pause at the end of a full thread: on that call, what the cache lost weighs more than what was carried."""
    steps = [*FULL, Step(256_000, 2_000, minutes=180)]
    asked = advice(tmp_path, [thread(steps)])
    assert [row.rule for row in asked.rows] == ["context_bloat", "cold_resume"]
    assert asked.rows[1].saving.cost_usd == pytest.approx(254_000 * 4.5e-6)
    assert asked.rows[0].evidence.calls == 32


step = st.builds(
    Step,
    input=st.integers(0, 400_000), cached=st.integers(0, 400_000), output=st.integers(1, 30_000),
    reasoning=st.integers(0, 30_000), minutes=st.sampled_from([0.1, 1, 7, 90]), turn=st.booleans(),
    end=st.sampled_from(["task_complete", "turn_aborted"]), model=st.sampled_from(["gpt-5.5", "gpt-5.4", "nobody"]),
    effort=st.sampled_from([None, "low", "xhigh"]),
)  # fmt: skip


def rounded(count: int) -> float:
    """By how much numbers that were rounded to a millionth may be off together."""
    return 0.5e-6 * count + 1e-9


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(threads=st.lists(st.lists(step, min_size=1, max_size=12), min_size=1, max_size=4), tier=st.booleans())
def test_savings_are_never_negative_nor_above_the_cost(
    threads: list[list[Step]], tier: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    logs = [thread(steps, n, tier="priority" if tier else None) for n, steps in enumerate(threads, 1)]
    with asking(written(folder, logs)) as context:
        asked = recommendations(context, context.period("all"), limit=100)
        costs = {row.thread_id: row.sums.cost_usd or 0 for row in answers.threads(context, context.period("all")).rows}
    for row in asked.rows:
        found = [costs[each] for each in row.evidence.thread_ids]
        assert 0 < row.saving.cost_usd <= sum(found) + rounded(1 + len(found))
    assert sum(row.saving.cost_usd for row in asked.rows) <= sum(costs.values()) + rounded(len(asked.rows) + len(costs))
