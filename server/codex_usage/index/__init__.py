"""The SQLite index: calls in, typed rows out. The only room that speaks SQL."""

from codex_usage.index.database import Index, empty, open_index, remove
from codex_usage.index.queries import CallRow, Filters, GroupRow, Quality, Scope, ThreadRow
from codex_usage.index.refresh import Progress, Refreshed, coverage, patience, refresh

__all__ = [
    "CallRow",
    "Filters",
    "GroupRow",
    "Index",
    "Progress",
    "Quality",
    "Refreshed",
    "Scope",
    "ThreadRow",
    "coverage",
    "empty",
    "open_index",
    "patience",
    "refresh",
    "remove",
]
