"""Answers as files: rows in, JSON, CSV or Parquet out, a few at a time so that a million fit in little memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import IO, Any, get_args

from pydantic import BaseModel

from codex_usage.answers import CallLine, Summary, Sums

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


def write_parquet(rows: Iterable[dict[str, Any]], out: IO[bytes]) -> int:
    """A Parquet file of calls, with times as such; returns their number. Needs pyarrow."""
    import pyarrow  # type: ignore[import-untyped,import-not-found,unused-ignore]
    from pyarrow.parquet import ParquetWriter  # type: ignore[import-untyped,import-not-found,unused-ignore]

    kinds = {int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    types = {name: {kinds[part] for part in (field.annotation, *get_args(field.annotation)) if part in kinds}
             for name, field in CallLine.model_fields.items() if name != "rate_limits"}  # fmt: skip
    texts = pyarrow.schema([(name, next(iter(kind), pyarrow.string())) for name, kind in types.items()])
    time = pyarrow.field("timestamp", pyarrow.timestamp("ms", "UTC"))
    schema, calls, count = texts.set(texts.get_field_index("timestamp"), time), iter(rows), 0
    with ParquetWriter(out, schema, compression="zstd") as writer:
        while some := list(islice(calls, 20_000)):
            writer.write_table(pyarrow.Table.from_pylist(some, schema=texts).cast(schema))
            count += len(some)
    return count


def write_summary(answer: Summary, kind: str, out: IO[str]) -> None:
    """The rows of a summary as csv, or the whole of it as json, markdown or a table."""
    if kind == "csv":
        rows = ({**dict(zip(answer.by, row.labels, strict=True)), **row.sums.model_dump(), "share": row.share}
                for row in answer.rows)  # fmt: skip
        write_csv(rows, [*answer.by, *Sums.model_fields, "share"], out)
    elif kind == "json":
        out.write(f"{answer.model_dump_json(indent=2)}\n")
    else:
        from codex_usage.present import terminal

        terminal.show(answer, out) if kind == "table" else out.write(terminal.markdown(answer))


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_RISKY):
        return "'" + value
    return "" if value is None else value
