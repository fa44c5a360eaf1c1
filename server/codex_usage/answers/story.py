"""A thread's story: its costliest turns with what they caused, and what stands out in its life."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from codex_usage.answers.calls import call_id
from codex_usage.answers.context import iso, usd
from codex_usage.answers.story_results import Signal, TurnCost
from codex_usage.index.queries import Step, TurnRow
from codex_usage.model.words import many

#: A turn is expensive above three times the thread's usual one (the median, which a dear turn does not move), when it
#: also matters: a tenth of the thread.
EXPENSIVE_TIMES, EXPENSIVE_SHARE = 3, 0.1
#: A smaller rise of a call's input is an ordinary tool output, and costs less than five cents on most models.
JUMP_TOKENS = 10_000
#: With fewer than three calls in each third a trend is chance. Below ten points of cache, or half as much context
#: again, it is not felt in the cost.
TREND_CALLS, CACHE_CHANGE, CONTEXT_TIMES = 9, 0.1, 1.5
#: What is delegated comes back into the conversation when it is done: mostly within minutes.
BEFORE_MS = 10 * 60_000


def costly_turns(own: Sequence[TurnRow], caused: Sequence[TurnRow], most: int = 5) -> list[TurnCost]:
    """The costliest of a thread's turns, with what they caused in the threads below it."""
    delegated = _delegated({turn.key for turn in own}, caused)
    known = bool(delegated) or not caused
    costs = [(turn.cost if turn.calls else 0, delegated.get(turn.key, 0), turn) for turn in own]
    turns = [row for row in costs if row[2].calls or row[1]]
    turns.sort(key=lambda row: (-(row[0] or 0) - row[1], row[2].started_ms or 0, row[2].key))
    return [
        TurnCost(
            turn_id=turn.key, started=iso(turn.started_ms), calls=turn.calls, cost_usd=usd(cost),
            delegated_usd=usd(given) if known else None,
            with_delegated_usd=usd(None if cost is None and not given else (cost or 0) + given), outcome=turn.outcome,
        )
        for cost, given, turn in turns[:most]
    ]  # fmt: skip


def _delegated(own: set[str], caused: Sequence[TurnRow]) -> dict[str, int]:
    """What each turn caused, nano-dollars: by the root that a log names, else up from turn to turn."""
    parents = {turn.key: turn.parent for turn in caused}
    found: dict[str, int] = {}
    for turn in caused:
        key, seen = turn.root if turn.root in own else turn.parent, set()
        while key is not None and key not in own and key not in seen:
            seen.add(key)
            key = parents.get(key)
        if key in own:
            found[key] = found.get(key, 0) + (turn.cost or 0)
    return found


def story(calls: Sequence[Step], own: Sequence[TurnRow], delegated: Sequence[TurnRow]) -> list[Signal]:
    """What stands out, what bears most on cost first; `delegated` are turns of subagents and guardians. All are oldest
    first."""
    found = (_expensive(own), _delegation(own, delegated), _jump(calls), *_trends(calls), _compactions(calls))
    return [signal for signal in found if signal is not None]


def largest(calls: Sequence[Step], most: int = 60) -> list[int]:
    """The input of each call; of more than `most` calls the largest of each of as many parts."""
    size = -(-len(calls) // most) or 1
    return [max(call.input for call in calls[at : at + size]) for at in range(0, len(calls), size)]


def _expensive(own: Sequence[TurnRow]) -> Signal | None:
    costs = [turn.cost for turn in own if turn.cost is not None]
    usual = median(costs) if costs else 0
    for turn in own:
        if turn.cost and turn.cost > EXPENSIVE_TIMES * usual and turn.cost >= EXPENSIVE_SHARE * sum(costs):
            text = f"The first expensive turn cost {_dollars(turn.cost)}; the thread's median turn {_dollars(usual)}."
            return _signal("first_expensive_turn", turn, usd(turn.cost), usd(round(usual)), text)
    return None


def _delegation(own: Sequence[TurnRow], delegated: Sequence[TurnRow]) -> Signal | None:
    top = max(own, key=lambda turn: turn.cost or 0, default=None)
    if top is None or not top.cost or top.started_ms is None:
        return None
    since, until = top.started_ms - BEFORE_MS, top.started_ms
    work = [turn for turn in delegated if turn.calls and since <= (turn.started_ms or 0) < until]
    if not work:
        return None
    cost = sum(turn.cost or 0 for turn in work)
    turns = many(len(work), "turn")
    text = f"{turns} of subagents or guardians ({_dollars(cost)}) began within 10 minutes before the costliest turn."
    return _signal("delegation_before_spike", top, usd(cost), None, text)


def _jump(calls: Sequence[Step]) -> Signal | None:
    before, call = max(pairwise(calls), key=lambda pair: pair[1].input - pair[0].input, default=(None, None))
    if before is None or call is None or call.input - before.input < JUMP_TOKENS:
        return None
    text = f"The largest jump: input rose from {before.input:,} to {call.input:,} tokens between two calls."
    return _signal("largest_jump", call, call.input, before.input, text)


def _trends(calls: Sequence[Step]) -> list[Signal | None]:
    """The last third of the calls against the first."""
    if len(calls) < TREND_CALLS:
        return []
    third = len(calls) // 3
    first, last = calls[:third], calls[-third:]
    sizes, cached = ([sum(getattr(c, name) for c in part) for part in (first, last)] for name in ("input", "cached"))
    shares = [round(part / size, 4) if size else 0.0 for part, size in zip(cached, sizes, strict=True)]
    means = [round(size / third) for size in sizes]
    found: list[Signal | None] = []
    if abs(shares[1] - shares[0]) >= CACHE_CHANGE:
        text = f"The cached share of input went from {shares[0]:.0%} in the first third of calls to {shares[1]:.0%}."
        found.append(_signal("cache_trend", last[0], shares[1], shares[0], text))
    if max(means) >= CONTEXT_TIMES * min(means) and max(means):
        text = f"Mean input a call went from {means[0]:,} tokens in the first third of calls to {means[1]:,}."
        found.append(_signal("context_trend", last[0], means[1], means[0], text))
    return found


def _compactions(calls: Sequence[Step]) -> Signal | None:
    done = [(call, after) for call, after in pairwise(calls) if call.compaction]
    if not done:
        return None
    before, left = (sum(pair[at].input for pair in done) for at in (0, 1))
    text = f"{many(len(done), 'compaction')} took {max(0, before - left):,} tokens off the next call's input."
    return _signal("compactions", done[0][0], left, before, text)


def _signal(name: str, at: Step | TurnRow, value: float | None, previous: float | None, text: str) -> Signal:
    when, call, turn = (at.time_ms, call_id(at.uid), at.turn) if isinstance(at, Step) else (at.started_ms, None, at.key)
    return Signal(signal=name, at=iso(when), call_id=call, turn_id=turn, value=value, previous=previous, text=text)


def _dollars(nano: float) -> str:
    return f"${nano / 1e9:,.{2 if nano >= 1e9 else 4}f}"
