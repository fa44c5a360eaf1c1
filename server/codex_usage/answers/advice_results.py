"""The result of recommendations; field names are the JSON names."""

from __future__ import annotations

from codex_usage.answers.results import Coverage, PeriodInfo, _Result


class AdviceScope(_Result):
    """What a recommendation is about: a thread, a project, or (over several projects) a habit."""

    kind: str
    id: str
    label: str


class Evidence(_Result):
    """What it rests on: threads and calls, the greatest saving first; what was observed, and the threshold for it."""

    thread_ids: list[str]
    call_ids: list[str]
    threads: int
    calls: int
    threshold: str
    threshold_value: float
    observed: float


class Saving(_Result):
    """What the counterfactual would have saved. `tokens` would not have been sent or written or, where only the cache
    is concerned, would have come from it."""

    cost_usd: float
    credits: float | None
    tokens: int
    share: float


class Recommendation(_Result):
    """One thing to do, with its grounds. `confidence` (0 to 1) is how far the counterfactual is to be believed."""

    rule: str
    scope: AdviceScope
    evidence: Evidence
    saving: Saving
    counterfactual: str
    confidence: float
    counter_evidence: str | None
    action: str


class Recommendations(_Result):
    """What would have saved most, by saving times confidence. No dollar is claimed twice, so that savings add up;
    `examined_share` is the part of the period's cost whose calls were looked at."""

    headline: str
    period: PeriodInfo
    rows: list[Recommendation]
    rest_rows: int
    saving_usd: float
    examined_threads: int
    examined_calls: int
    examined_share: float | None
    cache_minutes: float
    cache_minutes_source: str
    problems: list[str]
    coverage: Coverage
    data_quality: str
    next: str
