"""The results of questions, as every surface gets them. Field names are the JSON names of DESIGN's glossary.

Money is USD at API prices, worked out from integers and rounded to a ten-thousandth of a cent for showing;
None means that no price is known. `at_least` marks a sum over partly unpriced calls. `cost_confidence` is exact,
estimated or unpriced, `credit_confidence` is exact, inferred, override or missing: of a sum, its least sure part;
None where credits don't apply (Claude).
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from codex_usage.model.privacy import By, Hint, Identity, Label, Name, Path, Project, Text

if TYPE_CHECKING:
    _Made = BaseModel
else:

    class _Unchecked(type(BaseModel)):
        def __call__(cls, **values):
            return cls.model_construct(None, **values)

    class _Made(BaseModel, metaclass=_Unchecked):
        """Made of values that mypy has checked: to build pydantic's own checks takes longer than most answers. Tests
        read every answer back strictly."""

        model_config = ConfigDict(defer_build=True)


class _Result(_Made):
    # what is needed of them, to write JSON, is built when first used
    model_config = ConfigDict(frozen=True, defer_build=True, populate_by_name=True, serialize_by_alias=True)


class Answer(_Result):
    """A whole answer. What `present.privacy` hid of it is told by its mode."""

    privacy_mode: Label = "normal"


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
    cost_confidence: Label
    at_least: bool
    estimated_calls: int
    estimated_usd: float
    unpriced_calls: int
    credits: float | None
    credit_confidence: Label | None
    credits_at_least: bool
    compactions: int


class PeriodInfo(_Result):
    """The span an answer is about: its days (both included) or moments, and the zone of its days."""

    label: Label
    first: Label | None
    last: Label | None
    zone: Label


class Coverage(_Result):
    """How far the index reaches. When incomplete, every call after `since` is counted; `busy` means that another
    process is reading new logs just now."""

    complete: bool
    busy: bool
    since: Label | None
    pending_files: int
    pending_bytes: int
    newest_call: Label | None


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

    labels: list[Annotated[str, By("by")]]
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

    provider: Label
    model: Label | None
    service_tier: Label | None
    priced_as: Label | None
    source: Text
    since: Label | None
    confidence: Label
    reason: Text | None
    usd: PerMillion | None
    long_context: bool
    credit_confidence: Label | None
    credit_reason: Text | None
    credit: PerMillion | None
    calls: int
    total_tokens: int
    cost_usd: float | None
    credits: float | None
    share: float | None


class PricingCoverage(Answer):
    """Which prices a period's calls rest on. `problems` are those of the user's own files."""

    period: PeriodInfo
    source: Text
    total: Sums
    rows: list[PriceNote]
    problems: list[Text]
    coverage: Coverage
    data_quality: Text


class BudgetState(_Result):
    """A budget and what is spent of it so far, in `unit` (usd or credits), from `since` on; `at_least` when some
    calls have no price. `percent` of it is spent; `over` when that is more than all."""

    unit: Label
    per: Label
    project: Project | None
    amount: float
    spent: float
    remaining: float
    percent: float
    over: bool
    at_least: bool
    since: Label
    until: Label


class Outlook(_Result):
    """When an allowance window runs out if things go on as they did: likely, and the range around it; None is "not
    before the reset". `chance` (0 to 1) is that of running out before it, `percent_at_reset` the use then (low,
    likely, high), `pace` 1.0 for a use that ends at 100 % just at the reset. `basis` says what it rests on."""

    likely: Label | None
    earliest: Label | None
    latest: Label | None
    chance: float
    percent_at_reset: list[float] | None
    pace: float | None
    basis: Text


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

    limit_id: Label | None
    window: Label
    window_minutes: int
    used_percent: float
    remaining_percent: float
    resets_at: Label | None
    reset_passed: bool
    observed_at: Label
    source: Label
    plan_type: Label | None
    outlook: Outlook | None
    one_percent: PercentWorth | None


class Impact(_Result):
    """What some usage took of a window, in percent of it: about, and the range of what one percent was worth."""

    limit_id: Label | None
    window: Label
    percent: float
    low: float
    high: float


class Week(_Result):
    """One complete week between two resets (`by` says where these come from: logs, setting or calendar), with the
    highest used percent that was seen in it."""

    since: Label
    until: Label
    by: Label
    total: Sums
    used_percent: float | None


class Allowance(Answer):
    """The account's allowance: its windows, what a period or thread took of them, and the last complete weeks."""

    windows: list[AllowanceWindow]
    credits_balance: Label | None
    about: Text
    total: Sums
    impact: list[Impact]
    weeks: list[Week]
    zone: Label
    coverage: Coverage
    data_quality: Text


class Year(_Result):
    """The year so far; sessions are threads that a user began, `days` those with calls, `average_usd` is for each of
    them."""

    total: Sums
    days: int
    sessions: int
    highest_day: Label | None
    highest_usd: float | None
    average_usd: float | None


class Summary(Answer):
    """What was spent, and on what. `prices` are those that are not plainly the model's own; `allowance` stands in
    answers about all usage, `ytd` where it was asked for."""

    period: PeriodInfo
    total: Sums
    previous: Change | None
    by: list[Label]
    rows: list[SummaryRow]
    rest_groups: int
    rest: Sums | None
    prices: list[PriceNote]
    budgets: list[BudgetState]
    allowance: list[AllowanceWindow]
    ytd: Year | None = None
    coverage: Coverage
    data_quality: Text
    next: Hint


class ThreadLine(_Result):
    """A thread within a period."""

    thread_id: Identity
    short_id: Identity
    name: Name | None
    provider: Label
    role: Label
    source: Label | None
    originator: Label | None
    project: Project | None
    cwd: Path | None
    branch: Name | None
    parent_thread_id: Identity | None
    forked_from: Identity | None
    segments: int
    models: list[Label]
    first_call: Label
    last_call: Label
    sums: Sums
    share: float | None


class Threads(Answer):
    """The top threads of a period."""

    period: PeriodInfo
    order: Label
    total: Sums
    rows: list[ThreadLine]
    rest_threads: int
    rest_cost_usd: float | None
    coverage: Coverage
    data_quality: Text
    next: Hint
    cursor: Label | None


class RateLimit(_Result):
    """What a log said of an allowance window right after a call."""

    limit_id: Label | None
    window_minutes: int
    used_percent: float
    resets_at: Label | None


class CallLine(_Result):
    """One model call. `rate_limits` is the snapshot that its response brought."""

    call_id: Identity
    timestamp: Label
    provider: Label
    model: Label | None
    effort: Label | None
    service_tier: Label | None
    thread_id: Identity
    turn_id: Identity | None
    parent_thread_id: Identity | None
    role: Label
    project: Project | None
    cwd: Path | None
    origin: Label
    origin_reason: Label
    origin_confidence: Label
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
    cost_confidence: Label
    cost_reason: Text | None
    credits: float | None
    credit_confidence: Label | None
    credit_reason: Text | None
    rate_limits: list[RateLimit] = []


class Calls(Answer):
    """Single calls of a period or thread."""

    period: PeriodInfo
    order: Label
    total: Sums
    rows: list[CallLine]
    rest_calls: int
    coverage: Coverage
    data_quality: Text
    next: Hint
    cursor: Label | None


class Span(_Result):
    """The days of a window, both included, and the moments between which its amount was spent. In JSON it begins with
    `from` and `to`, the first of which is a word of Python."""

    start: Label = Field(alias="from")
    end: Label = Field(alias="to")
    zone: Label
    first: Label | None
    last: Label | None


class From(_Result):
    """An amount in the baseline (as long as the period) and in the period."""

    start: float = Field(alias="from")
    end: float = Field(alias="to")
    delta: float
    percent: float | None


class Part(_Result):
    """A thread, project, model or call, and its part of a change (of a call: about)."""

    kind: Label
    id: Annotated[str, By("kind")]
    label: Annotated[str, By("kind")]
    delta: float | None


class Driver(_Result):
    """One cause: its part of the change, why, and what contributes most."""

    driver: Label
    delta: float
    share: float
    because: Text
    top: list[Part]


class Quality(_Result):
    """What an explanation rests on. `complete` when both windows are read."""

    line: Text
    complete: bool
    unpriced_calls: int
    estimated_calls: int


class Explanation(Answer):
    """Why a metric changed between a baseline and a period. The drivers, greatest first, add up to the change;
    `per_day` says that a baseline of another length was scaled to the period's."""

    headline: Text
    unusual: bool
    metric: Label
    period: Span
    baseline: Span
    per_day: bool
    change: From
    drivers: list[Driver]
    contributors: dict[Label, list[Part]]
    data_quality: Quality
    next: list[Hint]


class Status(Answer):
    """Where things stand now, in one look."""

    today: Sums
    week: Sums
    month: Sums
    allowance: list[AllowanceWindow]
    credits_balance: Label | None
    budgets: list[BudgetState]
    over_budget: bool
    day_ends_at: Label
    zone: Label
    coverage: Coverage
    data_quality: Text
