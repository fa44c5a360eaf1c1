"""The nouns of the product, with the glossary's names and no I/O: what the rooms hand to each other."""

from codex_usage.model.errors import BadInput, IndexBusy, IndexForeign, IndexTooNew, NoHome, UsageError
from codex_usage.model.nouns import ORIGINS, Call, Counted, LogFile, Origin, RateWindow, Thread, Tokens, Turn

__all__ = [
    "ORIGINS",
    "BadInput",
    "Call",
    "Counted",
    "IndexBusy",
    "IndexForeign",
    "IndexTooNew",
    "LogFile",
    "NoHome",
    "Origin",
    "RateWindow",
    "Thread",
    "Tokens",
    "Turn",
    "UsageError",
]
