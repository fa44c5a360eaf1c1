"""What became of each call's cache, and why: a thread's calls in order in, one label with its reason each out."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from codex_usage.answers.thresholds import DEFAULTS, Thresholds
from codex_usage.index import Index
from codex_usage.index.threadcalls import ThreadCall, pauses

#: Label -> its reason.
REASONS = {
    "first_call": "first call of its thread: nothing could be cached for it before, {cached:,} of {input:,} were",
    "warm_reuse": "{cached:,} of {input:,} input tokens came from the cache",
    "partial_miss": "{lost:,} of the {shared:,} tokens that the call before had sent too were not cached",
    "cold_resume": "{gap} after the call before, beyond the cache's {minutes:g} minutes: {lost:,} of {shared:,} tokens"
    " had to be read again",
    "uncached_spike": "{uncached:,} uncached input tokens without a pause or a switch, {lost:,} of them sent before",
    "post_compaction": "the context was shortened from {past:,} to {input:,} tokens, so its beginning is new",
    "model_switch": "the model changed from {model} to {now_model}: {lost:,} tokens had to be read again",
    "effort_switch": "the effort changed from {effort} to {now_effort}: {lost:,} tokens had to be read again",
}
_EDGES = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440)  # minutes
_NEWEST, _ENOUGH = 10_000, 10
#: What OpenAI promises at least ("5 to 10 minutes of inactivity"), and Anthropic's shorter lifetime.
_DEFAULT_MINUTES = 5.0
#: The cache holds blocks of tokens and begins at 1,024 of them; less than this is no loss.
_BLOCK = 1024


class Lifetime(NamedTuple):
    """After how many minutes without a call the cache is gone; `source` is learnt, default or thresholds.json."""

    minutes: float
    source: str


class Diagnosis(NamedTuple):
    """A call's label, and how many tokens the call `before` had sent too and that were not cached. Nothing is before
    a first call but itself."""

    label: str
    lost_tokens: int
    call: ThreadCall
    before: ThreadCall
    minutes: float

    @property
    def gap_ms(self) -> int:
        """Milliseconds since the call before."""
        return self.call.time_ms - self.before.time_ms if self.call.gap_ms is None else self.call.gap_ms

    @property
    def reason(self) -> str:
        """Why, as one sentence with numbers."""
        call, before = self.call, self.before
        return REASONS[self.label].format(
            input=call.input, cached=call.cached, uncached=max(0, call.input - call.cached), lost=self.lost_tokens,
            shared=min(before.input, call.input), past=before.input, gap=span(self.gap_ms), minutes=self.minutes,
            model=before.model, now_model=call.model, effort=before.effort or "the default",
            now_effort=call.effort or "the default",
        )  # fmt: skip


def cache_lifetime(index: Index, limits: Thresholds = DEFAULTS) -> Lifetime:
    """How long the cache lasts: the user's idle_gap_minutes, or learnt from the newest 10,000 calls.

    Calls after pauses fall into buckets of length; a bucket of at least ten calls is warm when most of them had half
    of their input cached. The lifetime is the upper edge of the last warm bucket before the first cold one (without a
    warm one, the cold one's lower edge). With no cold bucket there is too little data, and it is five minutes."""
    if limits.idle_gap_minutes is not None:
        return Lifetime(limits.idle_gap_minutes, "thresholds.json")
    found = pauses(index, _NEWEST)
    warm = None
    for low, high in zip(_EDGES, (*_EDGES[1:], float("inf")), strict=True):
        reused = [hit for gap, hit in found if low * 60_000 <= gap < high * 60_000]
        if len(reused) >= _ENOUGH:
            if 2 * sum(reused) < len(reused):
                return Lifetime(float(warm or low), "learnt")
            warm = high
    return Lifetime(_DEFAULT_MINUTES, "default")


def diagnose(calls: Sequence[ThreadCall], lifetime: Lifetime, limits: Thresholds = DEFAULTS) -> list[Diagnosis]:
    """What became of each call of a thread, oldest first. A loss of up to a tenth of what was sent before, or of one
    block, counts as none."""
    found = [Diagnosis("first_call", 0, call, call, lifetime.minutes) for call in calls[:1]]
    for before, call in pairwise(calls):
        shared = min(before.input, call.input)
        lost, label = max(0, shared - call.cached), "warm_reuse"
        spike = call.input - call.cached >= limits.high_uncached_input_tokens
        if before.compaction or 2 * call.input < before.input:
            lost, label = 0, "post_compaction"
        elif lost > max(_BLOCK, shared // 10):
            label = _loss(Diagnosis("", lost, call, before, lifetime.minutes), spike or 2 * lost >= shared)
        elif spike:
            label = "uncached_spike"
        found.append(Diagnosis(label, lost, call, before, lifetime.minutes))
    return found


def _loss(one: Diagnosis, large: bool) -> str:
    if one.gap_ms > one.minutes * 60_000:
        return "cold_resume"
    for word in ("model", "effort"):
        if getattr(one.before, word) != getattr(one.call, word):
            return f"{word}_switch"
    return "uncached_spike" if large else "partial_miss"


def span(ms: float) -> str:
    """A length of time in its fitting unit."""
    minutes = ms / 60_000
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"
