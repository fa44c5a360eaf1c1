"""From where on something counts as high, low or large: the user's thresholds.json over our own numbers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from codex_usage.homes.config import ConfigFile, as_json, config_path


class Thresholds(NamedTuple):
    """Ratios and shares are 0 to 1, percents of the context window 0 to 100, the others counts or dollars."""

    low_cache_ratio: float = 0.5
    elevated_context_percent: float = 50.0
    high_context_percent: float = 75.0
    high_uncached_input_tokens: float = 50_000
    large_cumulative_tokens: float = 20_000_000
    high_reasoning_ratio: float = 0.7
    high_reasoning_tokens: float = 4_000
    low_output_tokens: float = 150
    high_cost_usd: float = 5.0
    high_guardian_share: float = 0.1
    high_abort_share: float = 0.1
    many_subagents: float = 5
    noisy_output_tokens: float = 4_000
    many_repeated_reads: float = 3
    idle_gap_minutes: float | None = None  # None: learnt from the data
    restart_tokens: float = 10_000
    habit_threads: float = 3
    least_saving_usd: float = 0.10


DEFAULTS = Thresholds()
_MOST = {"ratio": 1, "share": 1, "percent": 100}


def load_thresholds(env: Mapping[str, str] | None = None) -> tuple[Thresholds, list[str]]:
    """The thresholds in force, and a line for each thing that is wrong with the file. Never raises."""
    file = ConfigFile(config_path("thresholds.json", env), **dict.fromkeys(Thresholds._fields, Any))
    found = {}
    for name, value in file.value.items():
        most = _MOST.get(name.rpartition("_")[2], 1_000_000_000_000)
        # a bool is an int as well; a number that no decimal holds is infinite or none at all
        if type(value) in (int, Decimal) and Decimal(value).is_finite() and 0 <= value <= most:
            found[name] = float(value)
        else:
            file.warn(f"{name} must be a number from 0 to {most:,}; the built-in value holds")
    return Thresholds(**found), file.problems


def template_thresholds() -> str:
    """The text of a thresholds.json to begin with: the built-in numbers. It changes nothing."""
    comment = [
        "From where on something counts as high, low or large. Delete what you don't change; all have defaults.",
        "idle_gap_minutes null: how long the cache lasts is learnt from your own calls.",
    ]
    return as_json({"comment": comment, **DEFAULTS._asdict()}).decode()
