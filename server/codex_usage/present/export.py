"""Calls as files: rows in, JSON or CSV text out, one row at a time so that a million fit in little memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import IO, Any

from pydantic import BaseModel

from codex_usage.answers import CallLine

_RISKY = ("=", "+", "-", "@", "\t", "\r")


class _Lines(BaseModel):
    rows: list[CallLine]


def hidden(rows: Iterator[dict[str, Any]], private: Callable[[Any], Any]) -> Iterator[dict[str, Any]]:
    """The rows of calls as a privacy mode shows them, some hundreds at a time."""
    while some := list(islice(rows, 500)):
        lines = _Lines.model_construct(rows=[CallLine.model_construct(**row) for row in some])
        for row, line in zip(some, private(lines).rows, strict=True):
            yield {name: getattr(line, name) for name in row}


def write_json(rows: Iterable[dict[str, Any]], out: IO[str]) -> int:
    """A JSON array of calls; returns their number."""
    count = 0
    out.write("[")
    for count, row in enumerate(rows, 1):
        out.write(",\n " if count > 1 else "\n ")
        out.write(json.dumps(row, separators=(",", ":"), ensure_ascii=True))
    out.write("\n]\n" if count else "]\n")
    return count


def write_csv(rows: Iterable[dict[str, Any]], columns: Sequence[str], out: IO[str]) -> int:
    """A CSV table with a header; text that a spreadsheet would run as a formula is made harmless."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 (their number)
        writer.writerow([_harmless(row[name]) for name in columns])
    return count


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_RISKY):
        return "'" + value
    return "" if value is None else value
