"""Decodes Claude Code transcripts: lines in, calls of a sink out.

A response is written once per content block with its usage repeated, so the sink sees a message several times.
Only lines that hold `"usage":{` outside a string are decoded (inside a string its quotes are escaped).
"""

from __future__ import annotations

from typing import Any

import msgspec

from codex_usage.logs.reader import Block, LineReader, LongLine
from codex_usage.logs.shapes import ClaudeLine

_LINE = msgspec.json.Decoder(ClaudeLine)
_BAD = (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError)


class TranscriptDecoder(LineReader):
    """Reads one transcript from an offset on and tells a sink its facts in file order: prompt, message, skip."""

    def __init__(self, sink: Any) -> None:
        self.sink = sink

    def _long(self, line: LongLine) -> None:
        if b'"assistant"' in line.head:
            self.sink.skip("long_line")

    def _complete(self, line: bytearray) -> bool:
        try:
            return bool(_LINE.decode(line).type == "assistant")
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
                self._line(memoryview(buffer)[at:stop], base + at)
            elif stop > at and buffer[at] != 123 and not buffer[at:stop].isspace():
                self.sink.skip("bad_json")
            at = stop + 1

    def _line(self, text: memoryview, position: int) -> None:
        try:
            line = _LINE.decode(text)
        except msgspec.ValidationError:
            self.sink.skip("impossible_value")
        except _BAD:
            self.sink.skip("bad_json")
        else:
            if line.type == "user":
                self.sink.prompt(line)
            elif line.type == "assistant" and line.message and line.message.usage:
                self.sink.message(position, line)
