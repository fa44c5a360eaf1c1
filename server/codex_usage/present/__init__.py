"""Turns answers into bytes: compact JSON for models, tables for people, JSON and CSV for scripts. Computes nothing."""

from codex_usage.present.compact import MOST_BYTES, fits, for_model
from codex_usage.present.export import hidden, write_csv, write_json

__all__ = ["MOST_BYTES", "fits", "for_model", "hidden", "write_csv", "write_json"]
