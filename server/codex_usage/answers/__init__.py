"""Every figure shown anywhere is worked out here: a question in, a pydantic result out, the same for all surfaces."""

from codex_usage.answers.advice_results import Recommendations
from codex_usage.answers.allowance import allowance
from codex_usage.answers.calls import EXPORT_COLUMNS, calls, export_rows
from codex_usage.answers.context import Context, make_context
from codex_usage.answers.explain import explain
from codex_usage.answers.recommend import recommendations
from codex_usage.answers.results import (
    CallLine,
    Calls,
    Coverage,
    Explanation,
    Status,
    Summary,
    Sums,
    ThreadLine,
    Threads,
)
from codex_usage.answers.status import status
from codex_usage.answers.story_results import Session
from codex_usage.answers.summary import GROUP_WORDS, pinned_prices, pricing_coverage, summary
from codex_usage.answers.threads import ORDER_WORDS, session, threads

__all__ = [
    "EXPORT_COLUMNS", "GROUP_WORDS", "ORDER_WORDS", "CallLine", "Calls", "Context", "Coverage", "Explanation",
    "Recommendations", "Session", "Status", "Summary", "Sums", "ThreadLine", "Threads", "allowance", "calls", "explain",
    "export_rows", "make_context", "pinned_prices", "pricing_coverage", "recommendations", "session",
    "status", "summary", "threads",
]  # fmt: skip
