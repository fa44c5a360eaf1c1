"""Decodes Claude Code transcripts: lines in, calls of a `TranscriptSink` out.

A response is written once per content block with its usage repeated, so the sink sees a message several times.
Only lines that hold `"usage":{` outside a string are decoded (inside a string its quotes are escaped).
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from codex_usage.logs.reader import Block, Cursor, LastLine, LongLine, read_blocks
from codex_usage.logs.shapes import ClaudeLine

_LINE = msgspec.json.Decoder(ClaudeLine)
_BAD = (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError)


class TranscriptSink(Protocol):
    """Receives a transcript's facts in file order."""

    def prompt(self, line: ClaudeLine) -> None: ...
    def message(self, position: int, line: ClaudeLine) -> None: ...
    def skip(self, kind: str) -> None: ...


class TranscriptDecoder:
    """Reads one transcript from a cursor on and tells a sink what stands there."""

    def __init__(self, sink: TranscriptSink, open_line: bool = False) -> None:
        self.sink = sink
        self.cursor = Cursor(0, open_line)

    def read(self, path: str, offset: int) -> Cursor:
        """Take in every whole line from `offset` on. Raises OSError and BrokenLog."""
        end = offset
        for piece in read_blocks(path, offset):
            if isinstance(piece, Block):
                self._block(piece)
                end = piece.base + piece.end
                self.cursor = Cursor(end)
            elif isinstance(piece, LongLine):
                if b'"assistant"' in piece.head:
                    self.sink.skip("long_line")
                end = piece.end
                self.cursor = Cursor(end)
            elif self._complete(piece):
                self._block(Block(piece.data + b"\n", len(piece.data) + 1, piece.position))
                self.cursor = Cursor(piece.position + len(piece.data), True)
        return self.cursor

    def _complete(self, piece: LastLine) -> bool:
        if not piece.data.rstrip().endswith(b"}") or len(piece.data) > 1 << 20:
            return False
        try:
            return _LINE.decode(piece.data).type == "assistant"
        except _BAD:
            return False

    def _block(self, block: Block) -> None:
        buffer, end, base = block
        find = buffer.find
        at = 0
        while at < end:
            stop = find(10, at, end)
            if find(b'"usage":{', at, stop) >= 0 or (
                find(b'"type":"user"', at, stop) >= 0 and find(b'"tool_use_id"', at, stop) < 0
            ):
                self._line(buffer, at, stop, base)
            elif stop > at and buffer[at] != 123 and not buffer[at:stop].isspace():
                self.sink.skip("bad_json")
            at = stop + 1

    def _line(self, buffer: bytearray, at: int, stop: int, base: int) -> None:
        try:
            line = _LINE.decode(memoryview(buffer)[at:stop])
        except msgspec.ValidationError:
            return self.sink.skip("impossible_value")
        except _BAD:
            return self.sink.skip("bad_json")
        if line.type == "user":
            self.sink.prompt(line)
        elif line.type == "assistant" and line.message and line.message.usage:
            self.sink.message(base + at, line)
        return None
