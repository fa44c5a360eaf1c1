"""The results of questions, as every surface gets them. Field names are the JSON names of DESIGN's glossary.

Money is USD at API prices, worked out from integers and rounded to a ten-thousandth of a cent for showing;
None means that no price is known. `at_least` marks a sum over partly unpriced calls. `cost_confidence` is exact,
estimated or unpriced, `credit_confidence` is exact, inferred, override or missing: of a sum, its least sure part;
None where credits don't apply (Claude).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Result(BaseModel):
    # built when first used: a command needs a few of these, and each takes two milliseconds
    model_config = ConfigDict(frozen=True, defer_build=True)


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
    cost_confidence: str
    at_least: bool
    estimated_calls: int
    estimated_usd: float
    unpriced_calls: int
    credits: float | None
    credit_confidence: str | None
    credits_at_least: bool
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


class PerMillion(_Result):
    """Prices of a million tokens."""

    input: float
    cached_input: float
    cache_write: float | None
    output: float


class PriceNote(_Result):
    """What some calls were priced by: the model and tier as logged, the name in the price list, the source, the day
    from which it holds (None: from the first on), and why it is not exact, if so. `usd` and `credit` are rates for
    a million tokens of a call of common size; `long_context` tells of dearer ones above a number of input tokens."""

    provider: str
    model: str | None
    service_tier: str | None
    priced_as: str | None
    source: str
    since: str | None
    confidence: str
    reason: str | None
    usd: PerMillion | None
    long_context: bool
    credit_confidence: str | None
    credit_reason: str | None
    credit: PerMillion | None
    calls: int
    total_tokens: int
    cost_usd: float | None
    credits: float | None
    share: float | None


class PricingCoverage(_Result):
    """Which prices a period's calls rest on. `problems` are those of the user's own files."""

    period: PeriodInfo
    source: str
    total: Sums
    rows: list[PriceNote]
    problems: list[str]
    coverage: Coverage
    data_quality: str


class BudgetState(_Result):
    """A budget and what is spent of it so far, in `unit` (usd or credits), from `since` on; `at_least` when some
    calls have no price. `percent` of it is spent; `over` when that is more than all."""

    unit: str
    per: str
    project: str | None
    amount: float
    spent: float
    remaining: float
    percent: float
    over: bool
    at_least: bool
    since: str
    until: str


class Outlook(_Result):
    """When an allowance window runs out if things go on as they did: likely, and the range around it; None is "not
    before the reset". `chance` (0 to 1) is that of running out before it, `percent_at_reset` the use then (low,
    likely, high), `pace` 1.0 for a use that ends at 100 % just at the reset. `basis` says what it rests on."""

    likely: str | None
    earliest: str | None
    latest: str | None
    chance: float
    percent_at_reset: list[float] | None
    pace: float | None
    basis: str


class PercentWorth(_Result):
    """What one percent of a window was worth, as observed on this machine: median, and the 10th and 90th percentile.
    `points` percent points in `windows` windows were seen. Use elsewhere makes it too low."""

    usd: float | None
    usd_low: float | None
    usd_high: float | None
    credits: float | None
    credits_low: float | None
    credits_high: float | None
    points: float
    windows: int


class AllowanceWindow(_Result):
    """An allowance window as it was last seen, in the logs or in allowance.json (`source`)."""

    limit_id: str | None
    window: str
    window_minutes: int
    used_percent: float
    remaining_percent: float
    resets_at: str | None
    reset_passed: bool
    observed_at: str
    source: str
    plan_type: str | None
    outlook: Outlook | None
    one_percent: PercentWorth | None


class Impact(_Result):
    """What some usage took of a window, in percent of it: about, and the range of what one percent was worth."""

    limit_id: str | None
    window: str
    percent: float
    low: float
    high: float


class Week(_Result):
    """One complete week between two resets (`by` says where these come from: logs, setting or calendar), with the
    highest used percent that was seen in it."""

    since: str
    until: str
    by: str
    total: Sums
    used_percent: float | None


class Allowance(_Result):
    """The account's allowance: its windows, what a period or thread took of them, and the last complete weeks."""

    windows: list[AllowanceWindow]
    credits_balance: str | None
    about: str
    total: Sums
    impact: list[Impact]
    weeks: list[Week]
    zone: str
    coverage: Coverage
    data_quality: str


class Summary(_Result):
    """What was spent, and on what. `prices` are those that are not plainly the model's own; `allowance` stands in
    answers about all usage."""

    period: PeriodInfo
    total: Sums
    previous: Change | None
    by: list[str]
    rows: list[SummaryRow]
    rest_groups: int
    rest: Sums | None
    prices: list[PriceNote]
    budgets: list[BudgetState]
    allowance: list[AllowanceWindow]
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
    cost_confidence: str
    cost_reason: str | None
    credits: float | None
    credit_confidence: str | None
    credit_reason: str | None
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


class _FromTo(_Result):
    """A result whose JSON has the names `from` and `to`; the first one is a word of Python."""

    model_config = ConfigDict(frozen=True, defer_build=True, populate_by_name=True, serialize_by_alias=True)


class Span(_FromTo):
    """The days of a window, both included, and the moments between which its amount was spent."""

    start: str = Field(alias="from")
    end: str = Field(alias="to")
    zone: str
    first: str | None
    last: str | None


class From(_FromTo):
    """An amount in the baseline (as long as the period) and in the period."""

    start: float = Field(alias="from")
    end: float = Field(alias="to")
    delta: float
    percent: float | None


class Part(_Result):
    """A thread, project, model or call, and its part of a change (of a call: about)."""

    kind: str
    id: str
    label: str
    delta: float | None


class Driver(_Result):
    """One cause: its part of the change, why, and what contributes most."""

    driver: str
    delta: float
    share: float
    because: str
    top: list[Part]


class Quality(_Result):
    """What an explanation rests on. `complete` when both windows are read."""

    line: str
    complete: bool
    unpriced_calls: int
    estimated_calls: int


class Explanation(_Result):
    """Why a metric changed between a baseline and a period. The drivers, greatest first, add up to the change;
    `per_day` says that a baseline of another length was scaled to the period's."""

    headline: str
    unusual: bool
    metric: str
    period: Span
    baseline: Span
    per_day: bool
    change: From
    drivers: list[Driver]
    contributors: dict[str, list[Part]]
    data_quality: Quality
    next: list[str]


class Status(_Result):
    """Where things stand now, in one look."""

    today: Sums
    week: Sums
    month: Sums
    allowance: list[AllowanceWindow]
    credits_balance: str | None
    budgets: list[BudgetState]
    over_budget: bool
    day_ends_at: str
    zone: str
    coverage: Coverage
    data_quality: str
