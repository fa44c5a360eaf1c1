"""What the page gets: sums by day and setting, and calls as columns. Texts stand once, in lists; columns hold their
places in them (-1: none). Money is in nano-dollars and nano-credits, so that sums of it stay exact."""

from codex_usage.answers.results import Answer, Coverage, Year, _Result
from codex_usage.model.privacy import Identity, Label, Name, Path, Project, Text

Numbers = list[int]
Gaps = list[int | None]


class Cube(_Result):
    """One row for a day and a combination of settings. `saved` is what the cache saved at the price of a call of common
    size: cached tokens cost less, those written to it may cost more."""

    day: Numbers
    provider: Numbers
    model: Numbers
    effort: Numbers
    tier: Numbers
    project: Numbers
    origin: Numbers
    confidence: Numbers
    calls: Numbers
    turns: Numbers
    input: Numbers
    cached: Numbers
    cache_write: Numbers
    output: Numbers
    reasoning: Numbers
    cost: Numbers
    credits: Numbers
    compactions: Numbers
    saved: Numbers


class TurnDays(_Result):
    """Turns by day; durations in milliseconds."""

    day: Numbers
    turns: Numbers
    completed: Numbers
    failed: Numbers
    median_ms: Gaps
    p95_ms: Gaps
    first_token_ms: Gaps


class Board(Answer):
    """Everything at once, by day (days since 1970-01-01 in `zone`)."""

    zone: Label
    models: list[Label]
    efforts: list[Label]
    tiers: list[Label]
    projects: list[Project]
    providers: list[Label]
    origins: list[Label]
    confidences: list[Label]
    cube: Cube
    turns: TurnDays
    threads_day: Numbers
    threads: Numbers
    ytd: Year
    coverage: Coverage
    data_quality: Text


class ThreadColumns(_Result):
    """The threads of some calls."""

    id: list[Identity]
    name: list[Name | None]
    project: Numbers
    provider: Numbers
    role: list[Label]
    parent: Numbers
    agent: list[Name | None]
    branch: list[Name | None]
    cwd: Numbers
    source: list[Label | None]
    archived: Numbers


class CallColumns(_Result):
    """Calls, newest first; `time` in milliseconds since 1970, flags: 1 compaction, 2 recovered."""

    id: list[Identity]
    time: Numbers
    thread: Numbers
    turn: Numbers
    model: Numbers
    effort: Numbers
    tier: Numbers
    project: Numbers
    cwd: Numbers
    origin: Numbers
    rate: Numbers
    confidence: Numbers
    credit_confidence: Numbers
    input: Numbers
    cached: Numbers
    cache_write: Numbers
    output: Numbers
    reasoning: Numbers
    window: Gaps
    duration: Gaps
    gap: Gaps
    flags: Numbers
    cost: Gaps
    credits: Gaps


class Usage(Answer):
    """A page of calls out of `total`, from `offset` on."""

    total: int
    offset: int
    models: list[Label]
    efforts: list[Label]
    tiers: list[Label]
    projects: list[Project]
    tags: list[list[Name]]
    providers: list[Label]
    origins: list[Label]
    origin_reasons: list[Label]
    origin_confidences: list[Label]
    cwds: list[Path]
    turns: list[Identity]
    confidences: list[Label]
    credit_confidences: list[Label]
    cost_reasons: list[Text | None]
    credit_reasons: list[Text | None]
    threads: ThreadColumns
    calls: CallColumns
