"""Counts every billed call of a log exactly once: logs in, `Counted` rows out (docs/explanation/counting.md)."""

from codex_usage.ledger.claude import count_transcript
from codex_usage.ledger.codex import count_rollout
from codex_usage.ledger.parents import BUNDLES, Family, growth_of
from codex_usage.ledger.records import UNNAMED, count_records, keep

__all__ = ["BUNDLES", "UNNAMED", "Family", "count_records", "count_rollout", "count_transcript", "growth_of", "keep"]
