"""What reading a log gives: every call once, under a 63-bit id that is the same on every re-read and every machine."""

from __future__ import annotations

from hashlib import blake2b
from struct import pack
from typing import Generic, TypeVar

import msgspec

from codex_usage.logs import BrokenLog
from codex_usage.logs.reader import LineReader
from codex_usage.model import Call, Counted, LogFile, Tokens

State = TypeVar("State")


class Rows(Generic[State]):
    """The rows of one reading of a log; `state` is what must survive until the next one."""

    def __init__(self, file: LogFile, state: bytes, kind: type[State]) -> None:
        self.file = file
        self.state = msgspec.msgpack.decode(state, type=kind) if state else kind()
        self.out = Counted(offset=0, state=b"")
        self.calls: dict[int, Call] = {}

    def skip(self, kind: str) -> None:
        """Count a line that could not be taken in; told as data quality."""
        self.out.skip(kind)

    def read(self, decoder: LineReader, offset: int) -> Counted:
        """Let a decoder tell what stands from `offset` on. Raises OSError when nothing could be read; a damaged
        container is told in `skipped`, and what came before it is counted."""
        try:
            decoder.read(self.file.path, offset)
        except BrokenLog:
            self.skip("broken_container")
        self.out.offset = decoder.offset
        self.out.state = msgspec.msgpack.encode(self.state)
        self.out.calls = list(self.calls.values())
        return self.out


def response_uid(response_id: str) -> int:
    """Id of a response that the log names."""
    return _hash(response_id.encode("utf-8", "surrogatepass"))


def count_uid(thread_id: str, mark: str, total: Tokens, last: Tokens) -> int:
    """Id of a response known only by its thread, a mark of its place (time or turn) and its numbers."""
    numbers = pack("<10q", *total, *last)
    return _hash(f"{thread_id}|{mark}|".encode("utf-8", "surrogatepass") + numbers)


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big") >> 1
