"""What would have saved most: rules find calls and say what tokens they could have had, one scorer prices that.

The saving of a call is its cost minus what its own rate asks for the other tokens, so nothing is guessed per token.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from codex_usage.answers.advice_results import AdviceScope, Evidence, Recommendation, Recommendations, Saving
from codex_usage.answers.advice_rules import RULES, Case, Change, Found, Rule, k
from codex_usage.answers.calls import call_id
from codex_usage.answers.context import Context, asking, usd
from codex_usage.answers.diagnosis import Lifetime, cache_lifetime, diagnose
from codex_usage.answers.periods import Period
from codex_usage.answers.threads import short_id
from codex_usage.answers.thresholds import Thresholds, load_thresholds
from codex_usage.index import Filters, Scope, facts, queries
from codex_usage.index.threadcalls import ThreadCall, dear_threads, thread_calls
from codex_usage.model import Tokens
from codex_usage.model.words import many

#: How much is looked at: threads, calls of one, calls of all.
MOST_THREADS, MOST_OF_ONE, MOST_CALLS = 100, 600, 3000
_LIGHT = ("minimal", "low", "medium")
_ENOUGH = 20  # calls at a lighter effort from which to learn how much these think
_UNSCANNED = "; diagnostics has not scanned tools' outputs yet"
_PAUSE = "idle_gap_minutes"  # the threshold whose value may be learnt


def recommendations(
    context: Context, period: Period, filters: Filters | None = None, limit: int = 10
) -> Recommendations:
    """What would have saved most in a period, the greatest saving times confidence first. Raises BadInput.

    The dearest threads are examined, at most 3,000 calls. Rules about outputs and reads tell nothing where diagnostics
    has never scanned the bodies; the answer's `data_quality` says so."""
    limits, problems = load_thresholds()
    with asking(context, period, filters) as (scope, filters, total, about):
        lifetime = cache_lifetime(context.index, limits)
        cases = _cases(context, scope, filters, limits, lifetime)
        rates = queries.rates(context.index)
        scored = [_score(rule, case, found, rates) for rule in RULES for case in cases
                  if (found := rule.find(case))]  # fmt: skip
        kept = _habits(_without_overlap(scored, limits), limits)
        rows = [_row(group, total.cost) for group in kept[:limit]]
        counted = [call.cost or 0 for case in cases for call in case.calls if call.counted]
        saved = sum(one.cost for group in kept for one in group)
        looked = f"in the {many(len(cases), 'thread')} examined"
        headline = f"Nothing to recommend: no rule found a saving worth naming {looked}."
        if kept:
            headline = f"{many(len(kept), 'change')} would have saved about ${saved / 1e9:,.2f} of"
            headline += f" ${total.cost / 1e9:,.2f} ({100 * saved / total.cost:.0f} %)."
        first = next((row.scope.id for row in rows if row.scope.kind == "thread"), None)
        return Recommendations(
            headline=headline, period=about["period"], coverage=about["coverage"], rows=rows, problems=problems,
            rest_rows=len(kept) - len(rows), saving_usd=usd(saved) or 0.0, examined_threads=len(cases),
            examined_calls=len(counted), examined_share=round(sum(counted) / total.cost, 4) if total.cost else None,
            cache_minutes=lifetime.minutes, cache_minutes_source=lifetime.source,
            data_quality=about["data_quality"] + ("" if facts.scanned(context.index) else _UNSCANNED),
            next=f"usage_calls with thread={short_id(first)}" if first else "usage_threads with order=cost",
        )  # fmt: skip


def _cases(context: Context, scope: Scope, filters: Filters, limits: Thresholds, lifetime: Lifetime) -> list[Case]:
    """The dearest threads with their calls, and the threads they caused."""
    cases: dict[str, Case] = {}
    light = defaultdict(list)
    usual: dict[str, float] = {}  # all cases share it; it is known when all are read
    left = MOST_CALLS
    for head in dear_threads(context.index, scope, filters, MOST_THREADS):
        if left > 1:
            skipped, calls = thread_calls(context.index, head.key, scope, filters, min(left, MOST_OF_ONE))
            diagnoses = diagnose(calls, lifetime, limits)
            found = facts.outputs(context.index, head.uuid, calls[0].time_ms, int(4 * limits.noisy_output_tokens))
            cases[head.uuid] = Case(head, skipped, calls, diagnoses, limits, lifetime, usual, found)
            left -= len(calls)
            for call in calls:
                if call.effort in _LIGHT:
                    light[call.model].append(call.reasoning)
    usual |= {model: sum(each) / len(each) for model, each in light.items() if len(each) >= _ENOUGH}
    for case in cases.values():
        if case.head.parent in cases:
            cases[case.head.parent].children.append(case)
    return list(cases.values())


# -- scores ------------------------------------------------------------------------------------------------


class _Priced(NamedTuple):
    """A call with what its change would have saved, in nanos and tokens."""

    call: ThreadCall
    change: Change
    cost: int
    credits: int
    tokens: int


class _Scored(NamedTuple):
    """A finding with its price."""

    rule: Rule
    case: Case
    found: Found
    priced: list[_Priced]
    confidence: float

    @property
    def cost(self) -> int:
        """Nano-dollars saved."""
        return sum(one.cost for one in self.priced)

    @property
    def score(self) -> float:
        """What ranks it."""
        return self.cost * self.confidence


def _score(rule: Rule, case: Case, found: Found, rates: Mapping[int, queries.StoredRate]) -> _Scored:
    """A price or a lifetime that is no sure knowledge takes a fifth of the confidence."""
    priced = [_price(call, change, rates[call.rate]) for call, change in found.changes if call.counted]
    exact = sum(one.cost for one in priced if rates[one.call.rate].rate.confidence == "exact")
    unsure = 2 * exact < sum(one.cost for one in priced)
    unsure |= rule.threshold == _PAUSE and case.lifetime.source == "default"
    return _Scored(rule, case, found, priced, round(rule.confidence * (0.8 if unsure else 1.0), 2))


def _price(call: ThreadCall, change: Change, stored: queries.StoredRate) -> _Priced:
    """A call without a price saves no dollars."""
    rate, tokens = stored.rate, call.tokens
    if isinstance(change, str):
        plain = msgspec.structs.replace(rate, credits=rate.plain_credits or rate.credits).credited(tokens) or 0
        credit = (call.credits or 0) - plain if change == "tier_cost" and call.credits else 0
        return _Priced(call, change, getattr(call, change), credit, 0)
    cost = 0 if call.cost is None else call.cost - (rate.cost(change, call.cache_write_1h) or 0)
    credit = 0 if call.credits is None else call.credits - (rate.credited(change) or 0)
    fewer = tokens.input + tokens.output - change.input - change.output
    return _Priced(call, change, cost, credit, fewer or change.cached - tokens.cached)


def _without_overlap(scored: Iterable[_Scored], limits: Thresholds) -> list[_Scored]:
    """The findings, each with the calls on which no other one's saving times confidence is greater. One that is left
    with less than `least_saving_usd` is dropped, the least first, and its calls go to the next best."""
    found, claims = list(scored), defaultdict[int, list[tuple[float, int, _Priced]]](list)
    for number, one in enumerate(found):
        for part in one.priced:
            claims[part.call.uid].append((part.cost * one.confidence, -number, part))
    own = defaultdict[int, list[_Priced]](list)
    for claim in claims.values():
        claim.sort(key=lambda one: one[:2])
        own[-claim[-1][1]].append(claim[-1][2])
    dropped = set[int]()
    for number in sorted(range(len(found)), key=lambda number: sum(part.cost for part in own[number])):
        if sum(part.cost for part in own[number]) < max(1, limits.least_saving_usd * 1e9):
            dropped.add(number)
            for part in own[number]:
                claim = claims[part.call.uid]
                while claim and -claim[-1][1] in dropped:
                    claim.pop()
                if claim:
                    own[-claim[-1][1]].append(claim[-1][2])
    return [one._replace(priced=own[number]) for number, one in enumerate(found) if number not in dropped]


def _habits(scored: Iterable[_Scored], limits: Thresholds) -> list[list[_Scored]]:
    """Findings of one rule together where enough threads share it, by score."""
    by_rule = defaultdict(list)
    for one in scored:
        by_rule[one.rule.name].append(one)
    groups = []
    for same in by_rule.values():
        groups += [same] if len(same) >= max(2, limits.habit_threads) else [[one] for one in same]
    return sorted(groups, key=lambda group: -sum(one.score for one in group))


def _row(group: list[_Scored], total: int) -> Recommendation:
    """One or several findings of a rule, the best first, as they are told."""
    rule, case, found, priced, _ = group[0]
    cost = sum(one.cost for one in group)
    parts = sorted((part for one in group for part in one.priced), key=lambda part: -part.cost)
    value = case.lifetime.minutes if rule.threshold == _PAUSE else getattr(case.limits, rule.threshold)
    after = [part.change.input if isinstance(part.change, Tokens) else part.call.input for part in priced]
    told = rule.told.format(
        count=many(len(priced), "call"), tokens=k(sum(part.tokens for part in priced)),
        before=k(sum(part.call.input for part in priced) / len(priced)), after=k(sum(after) / len(priced)),
        **found.words,
    )  # fmt: skip
    scope = AdviceScope(kind="habit", id=rule.name, label=rule.name)
    if len(group) == 1:
        scope = AdviceScope(kind="thread", id=case.head.uuid, label=case.head.name or short_id(case.head.uuid))
    elif len({one.case.head.project for one in group}) == 1:
        scope = AdviceScope(kind="project", id=case.head.project, label=case.head.project)
    known = any(part.call.credits is not None for part in parts)
    evidence = Evidence(
        thread_ids=[one.case.head.uuid for one in group[:5]], call_ids=[call_id(part.call.uid) for part in parts[:3]],
        threads=len(group), calls=len(parts), threshold=rule.threshold, threshold_value=value,
        observed=round(found.observed, 4),
    )  # fmt: skip
    saving = Saving(
        cost_usd=usd(cost) or 0.0, credits=usd(sum(part.credits for part in parts)) if known else None,
        tokens=sum(part.tokens for part in parts), share=round(cost / total, 4) if total else 0.0,
    )  # fmt: skip
    return Recommendation(
        rule=rule.name, scope=scope, evidence=evidence, saving=saving,
        counterfactual=told if len(group) == 1 else f"in {len(group)} threads; in the first, {told}",
        confidence=round(sum(one.score for one in group) / cost, 2), counter_evidence=rule.counter, action=rule.action,
    )  # fmt: skip
