"""What can be asked, as data: names, arguments and defaults. What answers is in `answers.questions`."""

from __future__ import annotations

from dataclasses import dataclass

SPAN = ("period", "since", "until")
FILTERS = ("model", "project", "effort", "provider", "origin", "thread", "confidence", "source")
PERIOD_WORDS = (
    "today", "yesterday", "last_7_days", "last_30_days", "this_week", "last_week", "this_month", "last_month",
    "this_year", "all",
)  # fmt: skip
#: What a summary can be split by, and other names of two of these.
GROUP_WORDS = (
    "model", "project", "day", "week", "month", "effort", "tier", "origin", "provider", "role", "agent", "home",
    "directory", "thread",
)  # fmt: skip
ALSO_GROUPS = {"session": "thread", "source": "home"}
TIME_WORDS = ("day", "week", "month")
_ROWS = ("order", *FILTERS, "limit", "cursor")


@dataclass(frozen=True)
class Question:
    """The arguments of a question. Without a period it is about `period` (all time for a thread); it looks back
    `days` more; `whole` is better answered when every log has been read; `limit` is how many rows it shows."""

    takes: tuple[str, ...] = ()
    period: str = "last_7_days"
    limit: int = 10
    days: int = 0
    whole: bool = False


QUESTIONS: dict[str, Question] = {
    "summary": Question((*SPAN, "by", "order", *FILTERS, "limit", "compare", "ytd"), limit=12),
    "report": Question((*SPAN, "by", "order", *FILTERS), limit=10**6, whole=True),
    "explain": Question((*SPAN, "baseline", "metric", *FILTERS), period="last_30_days", days=45, whole=True),
    "recommendations": Question((*SPAN, *FILTERS, "limit"), period="last_30_days", limit=5),
    "diagnostics": Question(("section", *SPAN, *FILTERS, "limit", "scan"), whole=True),
    "threads": Question((*SPAN, *_ROWS), limit=15),
    "session": Question(("thread",), period="all", whole=True),
    "calls": Question((*SPAN, *_ROWS), limit=20),
    "status": Question(period="this_month"),
    "allowance": Question((*SPAN, *FILTERS, "weeks", "call")),
    "pricing-coverage": Question((*SPAN, *FILTERS), period="all", whole=True),
    "call": Question(("call",), period="all"),
    "board": Question(period="all"),
    "usage": Question(("limit", "cursor"), period="all", limit=20_000),
    "export": Question((*SPAN, *FILTERS), period="all", whole=True),
}
