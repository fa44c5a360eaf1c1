"""The results of questions, as every surface gets them. Field names are the JSON names of DESIGN's glossary.

Money is USD at API prices, worked out from integers and rounded to a ten-thousandth of a cent for showing;
None means that no price is known. `at_least` marks a sum over partly unpriced calls.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)


class Sums(_Result):
    """Sums over a group of calls."""

    calls: int
    turns: int
    threads: int
    input_tokens: int
    cached_input_tokens: int
    uncached_input_tokens: int
    cache_write_input_tokens: int
    output_tokens: int
    reasoning_output_tokens: int
    total_tokens: int
    cache_ratio: float | None
    cost_usd: float | None
    at_least: bool
    unpriced_calls: int
    compactions: int


class PeriodInfo(_Result):
    """The span an answer is about: its days (both included) or moments, and the zone of its days."""

    label: str
    first: str | None
    last: str | None
    zone: str


class Coverage(_Result):
    """How far the index reaches. When incomplete, every call after `since` is counted; `busy` means that another
    process is reading new logs just now."""

    complete: bool
    busy: bool
    since: str | None
    pending_files: int
    pending_bytes: int
    newest_call: str | None


class Change(_Result):
    """A period against the one before it of the same length."""

    period: PeriodInfo
    cost_usd: float | None
    total_tokens: int
    calls: int
    cost_delta_usd: float | None
    cost_percent: float | None
    tokens_percent: float | None


class SummaryRow(_Result):
    """One group: its labels (one for each grouping word), sums and share of the total's cost (or tokens)."""

    labels: list[str]
    sums: Sums
    share: float | None


class Summary(_Result):
    """What was spent, and on what."""

    period: PeriodInfo
    total: Sums
    previous: Change | None
    by: list[str]
    rows: list[SummaryRow]
    rest_groups: int
    rest: Sums | None
    price_matches: dict[str, str]
    unpriced_models: list[str]
    coverage: Coverage
    data_quality: str
    next: str


class ThreadLine(_Result):
    """A thread within a period."""

    thread_id: str
    short_id: str
    name: str | None
    provider: str
    role: str
    source: str | None
    originator: str | None
    project: str | None
    cwd: str | None
    branch: str | None
    parent_thread_id: str | None
    forked_from: str | None
    segments: int
    models: list[str]
    first_call: str
    last_call: str
    sums: Sums
    share: float | None


class Threads(_Result):
    """The top threads of a period."""

    period: PeriodInfo
    order: str
    total: Sums
    rows: list[ThreadLine]
    rest_threads: int
    rest_cost_usd: float | None
    coverage: Coverage
    data_quality: str
    next: str
    cursor: str | None


class RateLimit(_Result):
    """What a log said of an allowance window right after a call."""

    limit_id: str | None
    window_minutes: int
    used_percent: float
    resets_at: str | None


class CallLine(_Result):
    """One model call. `rate_limits` is the snapshot that its response brought."""

    call_id: str
    timestamp: str
    provider: str
    model: str | None
    effort: str | None
    service_tier: str | None
    thread_id: str
    turn_id: str | None
    parent_thread_id: str | None
    role: str
    project: str | None
    cwd: str | None
    origin: str
    origin_reason: str
    origin_confidence: str
    input_tokens: int
    cached_input_tokens: int
    uncached_input_tokens: int
    cache_write_input_tokens: int
    output_tokens: int
    reasoning_output_tokens: int
    total_tokens: int
    cache_ratio: float | None
    context_window: int | None
    context_use: float | None
    duration_ms: int | None
    gap_ms: int | None
    compaction: bool
    recovered: bool
    cost_usd: float | None
    rate_limits: list[RateLimit] = []


class Calls(_Result):
    """Single calls of a period or thread."""

    period: PeriodInfo
    order: str
    total: Sums
    rows: list[CallLine]
    rest_calls: int
    coverage: Coverage
    data_quality: str
    next: str
    cursor: str | None


class Relative(_Result):
    """A thread that another one caused; `link` is logged or inferred."""

    thread_id: str
    role: str
    link: str
    calls: int
    cost_usd: float | None


class Session(_Result):
    """One thread as a whole, with what it caused."""

    thread: ThreadLine
    children: list[Relative]
    with_children_usd: float | None
    models: list[SummaryRow]
    zone: str
    turn_outcomes: dict[str, int]
    turn_ms_median: int | None
    turn_ms_p95: int | None
    first_token_ms_median: int | None
    costly_calls: list[CallLine]
    coverage: Coverage
    data_quality: str


class AllowanceWindow(_Result):
    """An allowance window as the logs last showed it."""

    limit_id: str | None
    window: str
    window_minutes: int
    used_percent: float
    resets_at: str | None
    reset_passed: bool
    observed_at: str
    plan_type: str | None


class Status(_Result):
    """Where things stand now, in one look."""

    today: Sums
    week: Sums
    month: Sums
    allowance: list[AllowanceWindow]
    credits_balance: str | None
    coverage: Coverage
    data_quality: str
