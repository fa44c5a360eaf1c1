"""The recorded cases: homes that real Codex wrote, with every call the provider billed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from codex_usage.homes import Listing, list_logs
from codex_usage.ledger import Family, count_rollout
from codex_usage.model import Call

CASES = Path(__file__).resolve().parents[1] / "cases" / "codex"

#: model, input, cached, output, reasoning
Row = tuple[str | None, int, int, int, int]


def case_folders() -> list[Path]:
    """Every complete case, by name."""
    return sorted(folder for folder in CASES.iterdir() if (folder / "expected.json").exists())


def billed(case: Path) -> tuple[Counter[Row], Counter[Row]]:
    """What the provider billed, and the part of it that the home can show."""
    calls = json.loads((case / "expected.json").read_text(encoding="utf-8"))["calls"]

    def row(call: dict[str, Any]) -> Row:
        return (call["model"], call["input"], call["cached"], call["output"], call["reasoning"])

    return Counter(map(row, calls)), Counter(row(call) for call in calls if call["recoverable"])


def listed(home: Path) -> Listing:
    """The logs of one Codex home."""
    return list_logs((home,), ())


def count_home(home: Path) -> list[Call]:
    """Every call of a Codex home, each uid once, without an index."""
    listing = listed(home)
    family = Family(listing.thread_paths())
    calls: dict[int, Call] = {}
    for name in sorted(listing.files):
        for call in count_rollout(listing.files[name], 0, b"", family).calls:
            other = calls.get(call.uid)
            if other is None or (other.recovered and not call.recovered):
                calls[call.uid] = call
    return list(calls.values())


def rows_of(calls: Iterable[Call]) -> Counter[Row]:
    """Calls as the ledger has them."""
    return Counter((c.model, c.tokens.input, c.tokens.cached, c.tokens.output, c.tokens.reasoning) for c in calls)


def differences(case: Path, counted: Counter[Row]) -> tuple[Counter[Row], Counter[Row]]:
    """(counted but not billed, billed and shown but not counted). Logs before 0.36 name no model."""
    every, shown = billed(case)
    if any(row[0] is None for row in counted):
        counted, every, shown = (_without_model(rows) for rows in (counted, every, shown))
    return counted - every, shown - counted


def _without_model(rows: Counter[Row]) -> Counter[Row]:
    total: Counter[Row] = Counter()
    for row, count in rows.items():
        total[(None, *row[1:])] += count
    return total
