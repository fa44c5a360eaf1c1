"""Every figure shown anywhere is worked out here: a question in, a pydantic result out, the same for all surfaces.

What few questions need is not loaded here: `explain`, `recommend`, `diagnostics`, `board`, `call`."""

from codex_usage.answers.allowance import allowance
from codex_usage.answers.calls import EXPORT_COLUMNS, calls, export_rows
from codex_usage.answers.context import Context, make_context
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
from codex_usage.answers.summary import pinned_prices, pricing_coverage, summary
from codex_usage.answers.threads import ORDER_WORDS, session, threads
from codex_usage.model.questions import GROUP_WORDS

__all__ = [
    "EXPORT_COLUMNS", "GROUP_WORDS", "ORDER_WORDS", "CallLine", "Calls", "Context", "Coverage", "Explanation",
    "Session", "Status", "Summary", "Sums", "ThreadLine", "Threads", "allowance", "calls", "export_rows",
    "make_context", "pinned_prices", "pricing_coverage", "session", "status", "summary", "threads",
]  # fmt: skip
