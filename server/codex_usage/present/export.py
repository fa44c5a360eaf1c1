"""Calls as files: rows in, JSON or CSV text out, one row at a time so that a million fit in little memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from typing import IO, Any

_RISKY = ("=", "+", "-", "@", "\t", "\r")


def write_json(rows: Iterable[dict[str, Any]], out: IO[str]) -> int:
    """A JSON array of calls; returns their number."""
    count = 0
    out.write("[")
    for row in rows:
        out.write(",\n " if count else "\n ")
        out.write(json.dumps(row, separators=(",", ":"), ensure_ascii=True))
        count += 1
    out.write("\n]\n" if count else "]\n")
    return count


def write_csv(rows: Iterable[dict[str, Any]], columns: Sequence[str], out: IO[str]) -> int:
    """A CSV table with a header; text that a spreadsheet would run as a formula is made harmless."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([_harmless(row[name]) for name in columns])
        count += 1
    return count


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_RISKY):
        return "'" + value
    return "" if value is None else value
