"""What counting one log must know of the others: which threads have a log, and what their forks copied."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from codex_usage.logs import BrokenLog, usage_sequence
from codex_usage.model import Tokens


def growth_of(thread_id: str) -> str:
    """What a log depends on that was counted against all that a thread's log held by then."""
    return f"{thread_id}+"


class Family:
    """The threads with a log on disk. `paths` maps a thread id to its first log."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = paths
        # kept as long as this view of the disk: a parent may have grown by the next refresh
        self.sequence = lru_cache(maxsize=8)(self._sequence)

    def has(self, thread_id: str | None) -> bool:
        """True when the thread's own log exists."""
        return thread_id in self._paths

    def _sequence(self, thread_id: str) -> list[tuple[int, Tokens, Tokens]] | None:
        """All token_counts of the thread's first log, or None when there is none."""
        try:
            return usage_sequence(self._paths[thread_id]) if thread_id in self._paths else None
        except (OSError, BrokenLog):
            return []
