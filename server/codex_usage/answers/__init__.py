"""Every figure shown anywhere is worked out here: a question in, a pydantic result out, the same for all surfaces."""

from codex_usage.answers.advice_results import Recommendations
from codex_usage.answers.allowance import allowance
from codex_usage.answers.calls import EXPORT_COLUMNS, calls, export_rows
from codex_usage.answers.context import Context, make_context
from codex_usage.answers.explain import METRICS, explain
from codex_usage.answers.periods import Period, parse_period
from codex_usage.answers.pricing import pinned_prices, pricing_coverage
from codex_usage.answers.recommend import recommendations
from codex_usage.answers.results import (
    CallLine,
    Calls,
    Coverage,
    Explanation,
    Status,
    Summary,
    SummaryRow,
    Sums,
    ThreadLine,
    Threads,
)
from codex_usage.answers.session import session
from codex_usage.answers.status import status
from codex_usage.answers.story_results import Session
from codex_usage.answers.summary import GROUP_WORDS, summary
from codex_usage.answers.threads import ORDER_WORDS, threads

__all__ = [
    "EXPORT_COLUMNS",
    "GROUP_WORDS",
    "METRICS",
    "ORDER_WORDS",
    "CallLine",
    "Calls",
    "Context",
    "Coverage",
    "Explanation",
    "Period",
    "Recommendations",
    "Session",
    "Status",
    "Summary",
    "SummaryRow",
    "Sums",
    "ThreadLine",
    "Threads",
    "allowance",
    "calls",
    "explain",
    "export_rows",
    "make_context",
    "parse_period",
    "pinned_prices",
    "pricing_coverage",
    "recommendations",
    "session",
    "status",
    "summary",
    "threads",
]
