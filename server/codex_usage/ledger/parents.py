"""What counting one log must know of the others: which threads have a log, and what their forks copied."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path

from codex_usage.logs import BrokenLog, usage_sequence
from codex_usage.logs.records import vias
from codex_usage.model.nouns import VIAS, Tokens, kind_of

#: What a record depends on that counts only where no bundle shows its thread better.
BUNDLES = "~bundles"


def growth_of(thread_id: str) -> str:
    """What a log depends on that was counted against all that a thread's log held by then."""
    return f"{thread_id}+"


class Family:
    """The threads with a log or our own record on disk. `paths` maps a thread id to the first of them by name, and a
    bundle's name to it."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = paths
        # kept as long as this view of the disk: a parent may have grown by the next refresh
        self.sequence = lru_cache(maxsize=8)(self._sequence)
        self.vias = lru_cache(maxsize=None)(vias)

    def has(self, thread_id: str | None) -> bool:
        """True when the thread's own log exists."""
        return thread_id in self._paths

    def best(self, thread_id: str) -> int:
        """What shows a thread best, as its place in VIAS; behind all of them for one that nothing shows."""
        path = self._paths.get(thread_id)
        own = VIAS.index(kind_of(Path(path).name) or "log") if path else len(VIAS)
        return min(own, self._bundled.get(thread_id, own))

    @cached_property
    def _bundled(self) -> dict[str, int]:
        """The threads of all bundles, and what shows each best."""
        found: dict[str, int] = {}
        for path in (path for name, path in self._paths.items() if kind_of(name) == "bundle"):
            for thread, via in self.vias(path).items():
                found[thread] = min(via, found.get(thread, via))
        return found

    def _sequence(self, thread_id: str) -> list[tuple[int, Tokens, Tokens]] | None:
        """All token_counts of the thread's first log, or None when there is none."""
        path = self._paths.get(thread_id)
        try:
            return None if path is None or kind_of(Path(path).name) else usage_sequence(path)
        except (OSError, BrokenLog):
            return []
