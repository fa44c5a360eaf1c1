"""Counts every billed call of a log exactly once: logs in, `Counted` rows out (docs/explanation/counting.md)."""

from codex_usage.ledger.claude import count_transcript
from codex_usage.ledger.codex import count_rollout
from codex_usage.ledger.parents import Family, growth_of

__all__ = ["Family", "count_rollout", "count_transcript", "growth_of"]
