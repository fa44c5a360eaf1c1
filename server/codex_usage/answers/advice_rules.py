"""The rules of recommendations, as data: a threshold, how far it is to be believed, a finder, and sentences.

A finder looks at one thread and says which calls could have had which other tokens; recommend.py prices that.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from codex_usage.answers.diagnosis import Diagnosis, Lifetime, span
from codex_usage.answers.thresholds import Thresholds
from codex_usage.index.facts import Output
from codex_usage.index.threadcalls import ThreadCall, ThreadHead
from codex_usage.model import Tokens
from codex_usage.model.words import many

_WINDOW = 200_000  # Claude's standard one; its logs name none
_BYTES = 4  # of a tool's output, a token
_SAME_BYTES = 64  # an output's head differs by its times
_HEAVY = ("high", "xhigh", "max")

#: What a call could have been: other tokens, or these at the standard tier or in a common context.
Change = Tokens | str
Changes = list[tuple[ThreadCall, Change]]


@dataclass(frozen=True)
class Case:
    """A thread as the rules see it. `skipped` calls came before these; `usual`: model -> reasoning tokens of a call at
    a lighter effort; `outputs`: call uid -> what its tools put into the context, if that has been scanned."""

    head: ThreadHead
    skipped: int
    calls: list[ThreadCall]
    diagnoses: list[Diagnosis]
    limits: Thresholds
    lifetime: Lifetime
    usual: Mapping[str, float]
    outputs: Mapping[int, list[Output]]
    children: list[Case] = field(default_factory=list)

    @property
    def fresh(self) -> tuple[int, int]:
        """(input, cached) tokens of a first call of a new thread for the same work: as this one began, with room for
        a summary."""
        first = self.calls[0] if not self.skipped else min(self.calls, key=lambda call: call.input)
        return max(first.input, int(self.limits.restart_tokens)), first.cached

    @property
    def parts(self) -> list[tuple[int, int]]:
        """(start, stop) of the stretches of calls between compactions."""
        cuts = [0, *(at for at, one in enumerate(self.diagnoses) if one.label == "post_compaction")]
        return list(zip(cuts, [*cuts[1:], len(self.calls)], strict=True))


class Found(NamedTuple):
    """What a rule found in a thread: the observed value, other tokens for some calls, words for its sentence."""

    observed: float
    changes: Changes
    words: dict[str, Any]


class Rule(NamedTuple):
    """A rule as data. `told` may name {count} calls, their mean input {before} and {after}, {tokens} in all, and what
    its finder says."""

    name: str
    threshold: str
    confidence: float
    find: Callable[[Case], Found | None]
    told: str
    counter: str | None
    action: str


def k(tokens: float) -> str:
    """A number of tokens for a sentence: 9500, 38k, 1.2M."""
    if tokens >= 999_500:
        return f"{tokens / 1e6:.1f}M"
    return f"{tokens / 1e3:.0f}k" if tokens >= 10_000 else f"{tokens:.0f}"


def _shorter(case: Case, at: int, stop: int, fresh: tuple[int, int]) -> Changes:
    """Calls at..stop as they would be had call `at` begun with a fresh context: what was cut off had been cached, as
    far as the call's cache reached."""
    cut = max(0, case.calls[at].input - fresh[0])
    changes: Changes = [(case.calls[at], case.calls[at].sending(fresh[0], min(fresh)))]
    for call in case.calls[at + 1 : stop]:
        size = max(call.input - cut, min(fresh[0], call.input))
        changes.append((call, call.sending(size, max(0, call.cached - cut))))
    return changes if cut else []


def _bloat(case: Case, compacted: bool) -> Found | None:
    """Stretches that filled the context: restarted at the first turn, or compacted at the first call, that began with
    an elevated use."""
    changes, points, peak = [], [], 0.0
    for start, stop in case.parts:
        use = [100 * call.input / (call.context_window or _WINDOW) for call in case.calls[start:stop]]
        if (stop < len(case.calls)) != compacted or max(use) < case.limits.high_context_percent:
            continue
        early = (
            at for at in range(max(start, 1), stop)
            if use[at - start] >= case.limits.elevated_context_percent and (compacted or case.calls[at].turn_first)
        )  # fmt: skip
        if at := next(early, None):
            after = (case.calls[stop].input, case.calls[stop].cached) if compacted else case.fresh
            changes += _shorter(case, at, stop, after)
            points.append(str(case.skipped + at))
            peak = max(peak, *use)
    return Found(peak, changes, {"at": ", ".join(points[:3])})


def _large(case: Case) -> Found | None:
    size = sum(call.input + call.output for call in case.calls)
    turns = [at for at, call in enumerate(case.calls) if at and call.turn_first]
    if size < case.limits.large_cumulative_tokens or not turns:
        return None
    at = min(turns, key=lambda turn: abs(2 * turn - len(case.calls)))
    stop = next(stop for _, stop in case.parts if stop > at)
    return Found(size, _shorter(case, at, stop, case.fresh), {"at": case.skipped + at})


def _missed(case: Case, *labels: str) -> Changes:
    """Calls of some labels with what they lost taken from the cache."""
    found = [one for one in case.diagnoses if one.label in labels]
    return [(one.call, one.call.sending(one.call.input, one.call.cached + one.lost_tokens)) for one in found]


def _had_a_cache(case: Case) -> bool:
    """False for a thread whose ten calls or more never read from the cache: no pause and no switch has lost it."""
    return len(case.calls) < 10 or any(call.cached for call in case.calls)


def _cold(case: Case) -> Found | None:
    longest = max((one.gap_ms for one in case.diagnoses if one.label == "cold_resume"), default=0)
    words = {"gap": span(longest), "minutes": f"{case.lifetime.minutes:g}"}
    return Found(longest / 60_000, _missed(case, "cold_resume"), words) if _had_a_cache(case) else None


def _switched(case: Case) -> Found | None:
    changes = _missed(case, "model_switch", "effort_switch")
    return Found(len(changes), changes, {}) if _had_a_cache(case) else None


def _low_reuse(case: Case) -> Found | None:
    own = [one.call for one in case.diagnoses if one.label not in ("first_call", "post_compaction")]
    ratio = sum(call.cached for call in own) / (sum(call.input for call in own) or 1)
    if ratio >= case.limits.low_cache_ratio:
        return None
    return Found(ratio, _missed(case, "partial_miss", "uncached_spike"), {"ratio": f"{100 * ratio:.0f}"})


def _think_less(call: ThreadCall, reasoning: float) -> tuple[ThreadCall, Change]:
    thought = min(call.reasoning, call.output)
    less = max(0, thought - round(reasoning))
    return call, call.tokens._replace(output=call.output - less, reasoning=thought - less)


def _reasoning(case: Case) -> Found | None:
    limits, usual = case.limits, median(call.reasoning for call in case.calls)
    least = max(limits.high_reasoning_tokens, 4 * usual)
    high = [call for call in case.calls if call.reasoning >= max(least, limits.high_reasoning_ratio * call.output)]
    if len(case.calls) < 5 or not high:
        return None
    most = max(call.reasoning for call in high)
    return Found(most, [_think_less(call, usual) for call in high], {"most": k(most), "usual": k(usual)})


def _effort(case: Case) -> Found | None:
    limits, calls = case.limits, [call for call in case.calls if call.effort in _HEAVY]
    output, thought = sum(call.output for call in calls), sum(call.reasoning for call in calls)
    little = output and (output - thought) / len(calls) < limits.low_output_tokens
    if not little or thought < limits.high_reasoning_ratio * output:
        return None
    changes = [_think_less(call, case.usual.get(call.model, call.reasoning / 2)) for call in calls]
    basis = "as your calls at a lighter effort do" if calls[0].model in case.usual else "half as much"
    return Found(thought / output, changes, {"effort": calls[0].effort, "basis": basis})


def _low_output(case: Case) -> Found | None:
    """Of each two calls in a row of one turn that write little, the second need not have read its context again."""
    most, usual = case.limits.low_output_tokens, median(call.output for call in case.calls)
    if case.head.cost < case.limits.high_cost_usd * 1e9 or usual >= most:
        return None
    changes: Changes = []
    joined = False
    for before, call in pairwise(case.calls):
        small = call.turn == before.turn and max(call.output, before.output) < most
        joined = small and not joined and not before.compaction and not call.compaction
        if joined:
            changes.append((call, call.sending(max(0, call.input - call.cached), 0)))
    return Found(usual, changes, {"output": round(usual)})


def _added(case: Case, word: str) -> Found | None:
    """Calls to which a tier or a long context added cost."""
    changes: Changes = [(call, word) for call in case.calls if getattr(call, word) > 0]
    return Found(sum(getattr(call, word) for call, _ in changes if call.counted) / 1e9, changes, {})


def _fanout(case: Case) -> Found | None:
    firsts = [child.calls[0] for child in case.children if child.head.role == "subagent" and not child.skipped]
    changes: Changes = [(call, Tokens(output=call.output, reasoning=call.reasoning)) for call in firsts]
    found = Found(len(firsts), changes, {"number": len(firsts)})
    return found if len(firsts) >= case.limits.many_subagents else None


def _guardian(case: Case) -> Found | None:
    guards = [child for child in case.children if child.head.role == "guardian"]
    whole = sum(each.head.cost for each in (case, *case.children))
    part = sum(child.head.cost for child in guards) / (whole or 1)
    found = Found(part, [(call, Tokens()) for each in guards for call in each.calls], {"part": f"{100 * part:.0f}"})
    return found if part >= case.limits.high_guardian_share else None


def _aborted(case: Case) -> Found | None:
    calls = [call for call in case.calls if call.counted and call.outcome in ("aborted", "failed")]
    part = sum(call.cost or 0 for call in calls) / (case.head.cost or 1)
    words = {"turns": many(len({call.turn for call in calls}), "turn")}
    found = Found(part, [(call, Tokens()) for call in calls], words)
    return found if part >= case.limits.high_abort_share else None


def _lighter(case: Case, cuts: Mapping[int, float]) -> Changes:
    """Calls as they would be had some calls' outputs been so many tokens smaller: the next call would have sent less
    anew (no more than it grew by), and those up to a compaction would have carried less from the cache."""
    changes: Changes = []
    for start, stop in case.parts:
        carried = 0
        for before, call in pairwise(case.calls[start:stop]):
            new = min(round(cuts.get(before.uid, 0)), max(0, call.input - before.input))
            size = max(0, call.input - carried - new)
            if carried or new:
                changes.append((call, call.sending(size, max(0, call.cached - carried))))
            carried += new
    return changes


def _noisy(case: Case) -> Found | None:
    most, longest, cuts, tools = case.limits.noisy_output_tokens, 0.0, Counter[int](), Counter[str]()
    for call in case.calls:
        for output in case.outputs.get(call.uid, ()):
            longest = max(longest, output.bytes / _BYTES)
            if (excess := round(output.bytes / _BYTES - most)) > 0:
                cuts[call.uid] += excess
                tools[output.tool] += excess
    words = {"most": k(most), "tool": max(tools, key=tools.__getitem__, default=""), "longest": k(longest)}
    return Found(longest, _lighter(case, cuts), words) if cuts else None


def _reread(case: Case) -> Found | None:
    """A file's output of the same size again, with no change of it and no compaction in between."""
    cuts, files, count = Counter[int](), set[str](), 0
    for start, stop in case.parts:
        sizes = defaultdict[str | None, list[int]](list)
        for call in case.calls[start:stop]:
            for _, work, file, size in case.outputs.get(call.uid, ()):
                if work == "write":
                    sizes.pop(file, None)
                elif work == "read" and file and size:
                    if any(abs(size - other) <= _SAME_BYTES for other in sizes[file]):
                        cuts[call.uid] += size // _BYTES
                        files.add(file)
                        count += 1
                    sizes[file].append(size)
    words = {"again": many(count, "time"), "files": many(len(files), "file")}
    return Found(count, _lighter(case, cuts), words) if count >= max(1, case.limits.many_repeated_reads) else None


_CARRIED = "its {count} from there on would have carried {after} instead of {before} tokens on average"
RULES = (
    Rule("context_bloat", "high_context_percent", 0.7, lambda case: _bloat(case, compacted=False),
         f"had this thread been restarted after call {{at}}, {_CARRIED}",
         "what the calls before had found out must be in the summary that the new thread begins with",
         "Start a new thread with a short summary once the context is half full and the task changes."),
    Rule("late_compaction", "high_context_percent", 0.6, lambda case: _bloat(case, compacted=True),
         f"had this thread been compacted after call {{at}}, {_CARRIED}",
         "each compaction forgets details, and an earlier one may make another necessary",
         "Use /compact between two steps of the work, or lower model_auto_compact_token_limit."),
    Rule("cold_resume", "idle_gap_minutes", 0.6, _cold,
         "had {count} come within the cache's {minutes} minutes, {tokens} tokens would have been cached; the longest"
         " pause was {gap}", "a pause is often not a choice",
         "Finish a piece of work before a long pause, and begin a new thread with a summary after it."),
    Rule("cache_broken", "least_saving_usd", 0.7, _switched,
         "had model and effort stayed the same at {count}, {tokens} tokens would have been cached",
         "the switch may have been worth its price",
         "Choose model and effort at a thread's start; switch in a new one."),
    Rule("low_cache_reuse", "low_cache_ratio", 0.4, _low_reuse,
         "had {count} found in the cache what the call before had sent, {tokens} more tokens would have been cached;"
         " {ratio} % of the thread's input was", "the provider may have dropped the cache on its own",
         "Look for what changes the beginning of the prompt: tools, MCP servers, instructions, or a router between."),
    Rule("reasoning_spike", "high_reasoning_tokens", 0.4, _reasoning,
         "had {count} reasoned as long as this thread's usual call ({usual} tokens; the longest took {most}), {tokens}"
         " output tokens less would have been written",
         "a hard step may need that much thinking", "Split such a step, or lower the effort for it."),
    Rule("heavy_effort", "high_reasoning_ratio", 0.4, _effort,
         "had {count} at effort {effort} reasoned {basis}, {tokens} output tokens less would have been written",
         "a lighter effort may need more attempts", "Use a lighter effort, or a smaller model, for work like this."),
    Rule("low_output", "low_output_tokens", 0.3, _low_output,
         "had each two small steps in a row been one, {count} need not have read {tokens} tokens of context again; the"
         " median call wrote {output} tokens", "steps that depend on each other can't be joined",
         "Ask for several commands or reads in one step, or give a script for what repeats."),
    Rule("fast_tier", "least_saving_usd", 0.9, lambda case: _added(case, "tier_cost"),
         "had {count} run at the standard tier, the same tokens would have cost less",
         "answers would have come later", "Switch fast mode off where nobody waits."),
    Rule("long_context", "least_saving_usd", 0.7, lambda case: _added(case, "long_cost"),
         "had {count} stayed below the size from which a long context costs more, the same tokens would have cost less",
         None, "Compact or restart before the context reaches the dearer size."),
    Rule("subagent_fanout", "many_subagents", 0.4, _fanout,
         "had this thread done the work of its {number} subagents itself, their first calls need not have read {tokens}"
         " tokens to begin with", "subagents keep their finds out of the parent's context, and work side by side",
         "Give fewer subagents more of the work each, with a short brief."),
    Rule("guardian_overhead", "high_guardian_share", 0.5, _guardian,
         "had rules allowed these commands, {count} of automatic review ({part} % of this work's cost) would not have"
         " been made", "a review guards against harm that no rule foresees",
         "Allow the commands you trust by a rule, so that they need no review."),
    Rule("retry_abort", "high_abort_share", 0.3, _aborted,
         "had {turns} that failed or were stopped not been begun, {count} would not have been made",
         "part of that work may have been kept",
         "Say what to leave alone before a turn, and mend what makes turns fail."),
    Rule("noisy_output", "noisy_output_tokens", 0.5, _noisy,
         "had outputs above {most} tokens been cut to that, {count} would have carried {after} instead of {before}"
         " tokens on average; {tool} gave most, the longest was {longest}", "what was cut off may have been needed",
         "Let commands print less: quiet options, filters, a tail; or lower tool_output_token_limit."),
    Rule("repeated_reads", "many_repeated_reads", 0.5, _reread,
         "had {files} not been read again {again} without a change, {count} would have carried {after} instead of"
         " {before} tokens on average", "another part of the same length may have been read",
         "Have what matters of such files noted in AGENTS.md, or name the lines to read."),
    Rule("large_thread", "large_cumulative_tokens", 0.5, _large,
         f"had this thread been split after call {{at}}, {_CARRIED}",
         "the second half may need more of the first than a summary holds", "Use a thread for one task."),
)  # fmt: skip
