"""The result of recommendations; field names are the JSON names."""

from typing import Annotated

from codex_usage.answers.results import Answer, Coverage, PeriodInfo, _Result
from codex_usage.model.privacy import By, Hint, Identity, Label, Text


class AdviceScope(_Result):
    """What a recommendation is about: a thread, a project, or (over several projects) a habit."""

    kind: Label
    id: Annotated[str, By("kind")]
    label: Annotated[str, By("kind")]


class Evidence(_Result):
    """What it rests on: threads and calls, the greatest saving first; what was observed, and the threshold for it."""

    thread_ids: list[Identity]
    call_ids: list[Identity]
    threads: int
    calls: int
    threshold: Label
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

    rule: Label
    scope: AdviceScope
    evidence: Evidence
    saving: Saving
    counterfactual: Text
    confidence: float
    counter_evidence: Text | None
    action: Text


class Recommendations(Answer):
    """What would have saved most, by saving times confidence. No dollar is claimed twice, so that savings add up;
    `examined_share` is the part of the period's cost whose calls were looked at."""

    headline: Text
    period: PeriodInfo
    rows: list[Recommendation]
    rest_rows: int
    saving_usd: float
    examined_threads: int
    examined_calls: int
    examined_share: float | None
    cache_minutes: float
    cache_minutes_source: Label
    problems: list[Text]
    coverage: Coverage
    data_quality: Text
    next: Hint
