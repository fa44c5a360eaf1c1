"""Reads logs of every producer. Nothing outside this room knows what a log looks like.

Files come in; calls of a sink's methods come out: one call per fact that
counting needs. Message and tool bodies are stepped over, never decoded.
"""

from codex_usage.logs.claude import TranscriptDecoder
from codex_usage.logs.reader import BrokenLog, head_hash, tail_hash
from codex_usage.logs.rollout import RolloutDecoder, Span, usage_sequence
from codex_usage.logs.times import iso_ms, uuid_ms

__all__ = [
    "BrokenLog",
    "RolloutDecoder",
    "Span",
    "TranscriptDecoder",
    "head_hash",
    "iso_ms",
    "tail_hash",
    "usage_sequence",
    "uuid_ms",
]
