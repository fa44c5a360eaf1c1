"""A thread's story: what it led to, what its turns cost with all that they caused, and what stands out in its life.

gpt-5.5 costs 5, 0.5 and 30 dollars for a million input, cached and output tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_usage import answers
from codex_usage.answers import Session
from codex_usage.answers.story import costly_turns, story
from codex_usage.index import open_index, queries, refresh
from codex_usage.index.queries import Step, TurnRow
from codex_usage.present.compact import for_model
from codex_usage.present.terminal import show
from tests.support.advice import Step as Planned
from tests.support.advice import growing, thread, written
from tests.support.cases import CASES
from tests.support.index import places_of
from tests.support.rollouts import NOON, Rollout, uuid7
from tests.support.spending import NOW, asking

MINUTE = 60_000


@contextmanager
def case_context(case: str) -> Iterator[answers.Context]:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEX_USAGE_HOME", folder)
        places = places_of(CASES / case / "codex_home", data=Path(folder))
        with open_index(places.index) as index:
            refresh(index, places)
            yield answers.make_context(index, "UTC", NOW)


def sessions(case: str) -> dict[str, Session]:
    """Every thread of a recorded case that has calls, by its id."""
    with case_context(case) as context:
        lines = answers.threads(context, context.period("all"), limit=50).rows
        return {line.thread_id: answers.session(context, line.thread_id) for line in lines}


def session_of(folder: Path, *logs: Rollout) -> Session:
    with asking(written(folder, logs)) as context:
        return answers.session(context, logs[0].thread)


def billed(case: str) -> dict[str, int]:
    """Input tokens that the provider billed, by thread."""
    found: dict[str, int] = {}
    for call in json.loads((CASES / case / "expected.json").read_text(encoding="utf-8"))["calls"]:
        found[call["thread"]] = found.get(call["thread"], 0) + call["input"]
    return found


def spawned(parent: Rollout, number: int, kind: str = "subagent", *, at: int | None = None, **cause: str) -> Rollout:
    """A thread that another one caused; `cause` holds parent_turn_id and root_turn_id."""
    spawn = {"subagent": {"thread_spawn": {"parent_thread_id": parent.thread, "depth": 1}}}
    source = spawn if kind == "subagent" else {"subagent": {"other": kind} if kind == "guardian" else kind}
    now = parent.now if at is None else at
    fields = {"parent_thread_id": parent.thread}
    log = Rollout(thread=uuid7(now, number), now=now, source=source, meta_fields=fields, limits={})
    given = {"turn_attribution": {"turn_trigger": "exec", **cause}} if cause else {}
    return log.started(**given).user().context()


def about(usd: float | None) -> Any:
    """The same dollars, though each part was rounded to a millionth."""
    return pytest.approx(usd, abs=1e-5)


def names(asked: Session) -> list[str]:
    return [signal.signal for signal in asked.story]


# -- relations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["0.169.0-subagents", "0.147.0-subagents", "0.130.0-subagents", "0.169.0-guardian"])
def test_a_task_with_its_descendants_is_all_that_was_billed_in_a_recorded_case(case: str) -> None:
    found = sessions(case)
    (root,) = [one for one in found.values() if one.children]
    assert {root.thread.thread_id, *(child.thread_id for child in root.children)} == billed(case).keys()
    assert {uuid: one.thread.sums.input_tokens for uuid, one in found.items()} == billed(case)
    assert root.with_children_usd == about(sum(one.thread.sums.cost_usd or 0 for one in found.values()))


@pytest.mark.parametrize("case", ["0.169.0-fork_exec", "0.130.0-fork_app", "0.98.0-fork_app"])
def test_forks_are_listed_but_their_work_is_their_own(case: str) -> None:
    with case_context(case) as context:
        lines = answers.threads(context, context.period("all"), limit=50).rows
        asked = answers.session(context, next(line.thread_id for line in lines if not line.forked_from))
    assert asked.children and {(child.relation, child.link) for child in asked.children} == {("fork", "exact")}
    assert asked.with_children_usd == asked.thread.sums.cost_usd
    assert [turn.delegated_usd for turn in asked.turns] == [0] * len(asked.turns)


def test_a_fork_of_a_fork_is_two_steps_away() -> None:
    found = sessions("0.169.0-fork_exec")
    depths = [sorted(child.depth for child in one.children) for one in found.values()]
    assert sorted(depths) == [[], [1], [1, 2]]


def test_a_review_without_a_logged_parent_belongs_to_one_thread_only() -> None:
    """Three reviews ran within a second in one folder; each is linked to the review mode nearest in time."""
    found = sessions("0.130.0-review")
    linked = [c for one in found.values() for c in one.children if c.relation == "review"]
    assert [(c.link, c.depth, c.thread_id[-6:]) for c in linked] == [("inferred", 1, "6f504c")]
    (owner,) = [one for one in found.values() if one.with_children_usd != one.thread.sums.cost_usd]
    assert owner.thread.thread_id.endswith("22d74a")


def test_grandchildren_of_every_kind_are_in_the_task(tmp_path: Path) -> None:
    root = Rollout(limits={}).turn().call(input=1000)
    child = spawned(root, 1).call(input=2000)
    grandchild = spawned(child, 2).call(input=4000)
    guardian = spawned(grandchild, 3, "guardian").call(input=8000)
    review = spawned(root, 4, "review").call(input=16_000)
    fork = Rollout(thread=uuid7(root.now, 5), meta_fields={"forked_from_id": child.thread}, limits={})
    fork.turn().call(input=32_000)
    of_fork = spawned(fork, 6).call(input=64_000)
    asked = session_of(tmp_path, root, child, grandchild, guardian, review, fork, of_fork)
    assert [(c.thread_id, c.relation, c.depth, c.cost_usd) for c in asked.children] == [
        (fork.thread, "fork", 2, 0.16),
        (review.thread, "review", 1, 0.08),
        (guardian.thread, "guardian", 3, 0.04),
        (grandchild.thread, "subagent", 2, 0.02),
        (child.thread, "subagent", 1, 0.01),
    ]
    assert asked.with_children_usd == about(0.155)
    assert {child.link for child in asked.children} == {"exact"}
    assert all(child.credits for child in asked.children)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 9), st.none() | st.integers(0, 9), st.sampled_from(["user", "subagent"])),
        min_size=1,
        max_size=10,
    )
)
def test_relations_end_and_tell_each_thread_once(edges: list[tuple[int | None, int | None, str]]) -> None:
    with TemporaryDirectory() as folder, open_index(Path(folder) / "index.sqlite") as index:
        index.sql.executemany(
            "INSERT INTO threads (uuid, provider, role, parent, forked_from) VALUES (?, 'codex', ?, ?, ?)",
            [
                (f"t{n}", role, None if parent is None else f"t{parent}", None if fork is None else f"t{fork}")
                for n, (parent, fork, role) in enumerate(edges)
            ],
        )
        for n in range(len(edges)):
            own, *others = queries.relations(index, f"t{n}")
            assert (own.uuid, own.relation, own.depth) == (f"t{n}", "self", 0)
            assert len({one.uuid for one in others} | {own.uuid}) == len(others) + 1
            assert [one.depth for one in others] == sorted(one.depth for one in others)
            assert all((one.relation == "fork") <= (edges[int(one.uuid[1:])][2] == "user") for one in others)


# -- turns ------------------------------------------------------------------------------------------------------


def test_the_turn_that_asked_for_agents_bears_their_cost_in_a_recorded_case() -> None:
    found = sessions("0.169.0-subagents")
    (root,) = [one for one in found.values() if one.children]
    children = sum(child.cost_usd or 0 for child in root.children)
    top, *others = root.turns
    assert (top.calls, top.delegated_usd) == (6, about(children))
    assert [turn.delegated_usd for turn in others] == [0, 0]
    assert sum(turn.with_delegated_usd or 0 for turn in root.turns) == about(root.with_children_usd)


@pytest.mark.parametrize("case", ["0.169.0-guardian", "0.169.0-review"])
def test_guardians_and_reviews_are_their_turns_work(case: str) -> None:
    (root,) = [one for one in sessions(case).values() if one.children]
    assert sum(turn.delegated_usd or 0 for turn in root.turns) == about(root.children[0].cost_usd)
    assert sum(turn.with_delegated_usd or 0 for turn in root.turns) == about(root.with_children_usd)


def test_where_no_log_names_turns_what_was_delegated_is_unknown() -> None:
    (root,) = [one for one in sessions("0.147.0-subagents").values() if one.children]
    assert {turn.delegated_usd for turn in root.turns} == {None}
    assert all(turn.with_delegated_usd == turn.cost_usd for turn in root.turns)


def test_a_subagents_own_turn_bears_what_it_caused_though_the_root_is_the_users(tmp_path: Path) -> None:
    root = Rollout(limits={}).turn().call(input=1000)
    first = root.turn_id or ""
    root.end()
    child = spawned(root, 1, parent_turn_id=first, root_turn_id=first).call(input=2000)
    turn = child.turn_id or ""
    grandchild = spawned(child, 2, parent_turn_id=turn, root_turn_id=first).call(input=4000)
    last = spawned(grandchild, 3, "guardian", parent_turn_id=grandchild.turn_id or "", root_turn_id=first)
    last.call(input=8000)
    with asking(written(tmp_path, [root, child, grandchild, last])) as context:
        whole, part = answers.session(context, root.thread), answers.session(context, child.thread)
    assert [(t.turn_id, t.cost_usd, t.delegated_usd) for t in whole.turns] == [(first, 0.005, 0.07)]
    assert [(t.turn_id, t.cost_usd, t.delegated_usd) for t in part.turns] == [(turn, 0.01, 0.06)]
    assert part.with_children_usd == 0.07


def test_only_the_five_costliest_turns_are_told_and_unpriced_ones_have_no_cost(tmp_path: Path) -> None:
    steps = [Planned(1000 * n, output=0, model="nobody-knows" if n == 8 else "gpt-5.5") for n in range(1, 9)]
    asked = session_of(tmp_path, thread(steps))
    assert [turn.cost_usd for turn in asked.turns] == [0.035, 0.03, 0.025, 0.02, 0.015]
    assert {turn.outcome for turn in asked.turns} == {"completed"}
    unpriced = session_of(tmp_path / "other", thread(steps[-1:], number=2))
    assert [(turn.calls, turn.cost_usd, turn.with_delegated_usd) for turn in unpriced.turns] == [(1, None, None)]


# -- the story --------------------------------------------------------------------------------------------------


def test_the_first_expensive_turn_is_told_with_the_usual_one(tmp_path: Path) -> None:
    steps = [Planned(size, output=0) for size in (2000, 2000, 9000, 2000, 12_000)]
    asked = session_of(tmp_path, thread(steps))
    first = asked.story[0]
    assert (first.signal, first.value, first.previous) == ("first_expensive_turn", 0.045, 0.01)
    assert asked.story[0].turn_id in {turn.turn_id for turn in asked.turns}
    assert asked.story[0].text == "The first expensive turn cost $0.0450; the thread's median turn $0.0100."


def test_a_turn_three_times_the_usual_one_is_not_expensive_in_a_long_thread(tmp_path: Path) -> None:
    steps = [Planned(1000, output=0) for _ in range(40)]
    steps[20] = Planned(4000, output=0)
    assert "first_expensive_turn" not in names(session_of(tmp_path, thread(steps)))


def test_the_largest_jump_is_told_and_small_ones_are_not(tmp_path: Path) -> None:
    asked = session_of(tmp_path, thread([Planned(n, n, turn=not at) for at, n in enumerate([20_000, 29_000, 70_000])]))
    (jump,) = [signal for signal in asked.story if signal.signal == "largest_jump"]
    assert (jump.value, jump.previous) == (70_000, 29_000)
    assert jump.call_id in {call.call_id for call in asked.costly_calls}
    assert "largest_jump" not in names(session_of(tmp_path / "other", thread(growing(8, step=9_999), number=2)))


def test_trends_compare_the_last_third_with_the_first(tmp_path: Path) -> None:
    steps = [Planned(10_000, 9_000)] * 3 + [Planned(12_000, 9_000)] * 3 + [Planned(15_000, 7_500)] * 3
    told = {s.signal: (s.value, s.previous) for s in session_of(tmp_path, thread(steps)).story}
    assert told == {"cache_trend": (0.5, 0.9), "context_trend": (15_000, 10_000)}
    fewer = session_of(tmp_path / "other", thread(steps[:8], number=2))
    assert not {"cache_trend", "context_trend"} & set(names(fewer))


def test_compactions_tell_what_they_took_off(tmp_path: Path) -> None:
    steps = [Planned(90_000), Planned(95_000, summary=True), Planned(8_000), Planned(12_000, summary=True)]
    (told,) = [s for s in session_of(tmp_path, thread(steps)).story if s.signal == "compactions"]
    assert (told.value, told.previous) == (8_000, 95_000)
    assert told.text == "1 compaction took 87,000 tokens off the next call's input."


@pytest.mark.parametrize(("minutes", "told"), [(9, True), (11, False)])
def test_delegation_shortly_before_the_costliest_turn_is_told(tmp_path: Path, minutes: int, told: bool) -> None:
    root = Rollout(limits={}).turn().call(input=1000)
    child = spawned(root, 1, parent_turn_id=root.turn_id or "", root_turn_id=root.turn_id or "", at=NOON + 2000)
    child.call(input=3000).end()
    root.end().wait(minutes * MINUTE).turn().call(input=50_000).end()
    review = spawned(root, 2, "review").call(input=1000)
    found = [s for s in session_of(tmp_path, root, child, review).story if s.signal == "delegation_before_spike"]
    assert [signal.value for signal in found] == ([0.015] if told else [])
    assert all(signal.turn_id == root.turn_id for signal in found)


def _step(numbers: tuple[int, int, bool], at: int) -> Step:
    size, cached, compaction = numbers
    return Step(at, at, None, size, min(cached, size), int(compaction))


calls = st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 400_000), st.booleans()), max_size=30).map(
    lambda rows: [_step(row, at) for at, row in enumerate(rows)]
)
keys = st.sampled_from("abcdef")
turns = st.lists(
    st.builds(
        TurnRow, st.just(1), keys, st.none() | st.integers(0, 10**6), st.just("completed"), st.none() | keys,
        st.none() | keys, st.integers(0, 5), st.none() | st.integers(0, 10**12),
    ),
    max_size=12,
)  # fmt: skip


@given(calls, turns, turns)
def test_a_story_never_fails_and_tells_each_signal_once(
    steps: list[Step], own: list[TurnRow], caused: list[TurnRow]
) -> None:
    told = story(steps, own, caused)
    assert told == story(list(steps), list(own), list(caused))
    assert len({signal.signal for signal in told}) == len(told) <= 6
    costly = costly_turns(own, caused)
    assert len(costly) <= 5
    assert costly == costly_turns(own, caused)
    totals = [turn.with_delegated_usd or 0 for turn in costly]
    assert totals == sorted(totals, reverse=True)


def test_a_thread_of_one_call_has_no_story(tmp_path: Path) -> None:
    asked = session_of(tmp_path, thread([Planned(250_000, summary=True)]))
    assert (asked.story, len(asked.turns), asked.children) == ([], 1, [])


# -- where it is shown ------------------------------------------------------------------------------------------


def test_a_model_and_a_person_are_told_the_story(capsys: Any) -> None:
    (root,) = [one for one in sessions("0.169.0-subagents").values() if one.children]
    told = json.loads(for_model(root))
    assert (told["children"], told["story"]) == (2, [root.story[0].text])
    (turn,) = told["costliest_turns"]
    assert (turn["turn"], turn["calls"], turn["with_delegated_usd"]) == (root.turns[0].turn_id[-8:], 6, 0.3334)
    assert len(json.loads(for_model(root, "full"))["costliest_turns"]) == 3
    show(root)
    shown = capsys.readouterr().out
    assert root.story[0].text in shown and "subagent  exact" in shown and "with 2 threads that it caused" in shown


def test_forks_are_shown_but_not_counted_as_caused(capsys: Any) -> None:
    found = sessions("0.169.0-fork_exec")
    root = max(found.values(), key=lambda one: len(one.children))
    told = json.loads(for_model(root))
    assert sorted(told["forks"]) == sorted(child.thread_id[-8:] for child in root.children)
    assert not {"children", "costliest_children", "with_children_usd"} & told.keys()
    show(root)
    shown = capsys.readouterr().out
    assert "fork   exact" in shown and "that it caused" not in shown
