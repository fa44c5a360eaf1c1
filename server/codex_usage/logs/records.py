"""Our own records of what other sources showed: lines of JSON, the first says whose they are, each other one holds one
noun. A file of them holds no more than the index does: numbers, ids, labels and folders, nothing that was said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Literal

import msgspec

from codex_usage.homes.config import replacing
from codex_usage.logs.reader import Block, LongLine, read_blocks
from codex_usage.logs.rollout import BAD
from codex_usage.model.nouns import VIAS, Call, Folder, RateWindow, Thread, Turn

VERSION = 1


class Seen(msgspec.Struct):
    """Everything that one stream said of a thread; `skipped` counts by kind what was left out, and why."""

    thread: Thread
    calls: list[Call] = msgspec.field(default_factory=list)
    turns: list[Turn] = msgspec.field(default_factory=list)
    windows: list[RateWindow] = msgspec.field(default_factory=list)
    skipped: dict[str, int] = msgspec.field(default_factory=dict)


class Header(msgspec.Struct):
    """The first line. `id` is that of the machine and its homes, of a bundle; `made_ms` is when the file was made,
    `calls` how many follow."""

    codex_usage: int
    kind: Literal["terminal", "app-server", "bundle"]
    source: str
    made_ms: int
    calls: int
    id: str = ""


class Record(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Any other line: one of these. `via` says what showed the thread."""

    thread: Thread | None = None
    via: Literal["log", "app-server", "terminal"] = "log"
    folder: Folder | None = None
    turn: Turn | None = None
    window: RateWindow | None = None
    call: Call | None = None
    skipped: dict[str, int] | None = None


#: The nouns that a line may hold; a list of them has the same name with an s.
NOUNS = ("thread", "folder", "turn", "window", "call")
HEADER = msgspec.json.Decoder(Header)
RECORD = msgspec.json.Decoder(Record)


def write_records(path: Path, header: Header, records: Iterable[Record]) -> None:
    """Replace a file at once. Raises BadInput."""
    with replacing(path) as file:
        file.writelines(msgspec.json.encode(one) + b"\n" for one in chain([header], records))


def lines(path: str, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Each line from `offset` on, and where it ends; one that is too long to hold is empty. Raises OSError."""
    for piece in read_blocks(path, offset):
        if isinstance(piece, LongLine):
            yield piece.end, b""
            continue
        at, end = (piece.base, piece.end) if isinstance(piece, Block) else (piece.position, None)
        for line in bytes(piece.data[:end]).splitlines(keepends=True):
            at += len(line)
            yield at, line


def vias(path: str) -> dict[str, int]:
    """The threads that a bundle begins with, and what showed each, as its place in VIAS."""
    found: dict[str, int] = {}
    with suppress(OSError, *BAD):
        for _, line in islice(lines(path), 1, None):
            if (thread := (record := RECORD.decode(line)).thread) is None:
                break
            found[thread.id] = VIAS.index(record.via)
    return found
