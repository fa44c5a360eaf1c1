"""Bounded, resumable reading of line files: a file and an offset in, blocks of whole lines out.

A block is a view on one reused buffer, so a file of any size costs a few megabytes. A line longer than
`LONGEST_LINE` is never held: its head and tail come out as a `LongLine`.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

CHUNK = 1 << 20
LONGEST_LINE = 16 << 20
_EDGE = 16 << 10
#: Room kept behind a block, so that a look a few bytes past a line's end stays inside the buffer.
_SLACK = 64
_MARK = 4096


class BrokenLog(Exception):  # noqa: N818
    """The log's container is damaged (a cut or corrupt zstd frame); what came before it was read."""


class Block(NamedTuple):
    """Whole lines `data[0:end]`, each ended by a newline; `base` is the file offset of `data[0]`."""

    data: bytearray
    end: int
    base: int


class LongLine(NamedTuple):
    """A line too long to hold: its first and last bytes, where it stands and where the next one begins."""

    head: bytearray
    tail: bytes
    position: int
    end: int


class LastLine(NamedTuple):
    """Bytes after the last newline: a line still being written, or one that ends without a newline."""

    data: bytearray
    position: int


class Cursor(NamedTuple):
    """How far a log has been read: `offset` is the end of the last line that was taken in."""

    offset: int
    open_line: bool = False


class _Source(Protocol):
    def readinto(self, buffer: memoryview, /) -> int: ...


def _open(path: str, offset: int) -> io.BufferedIOBase | io.RawIOBase:
    raw = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by whoever reads it
    if path.endswith(".zst"):
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=True)  # type: ignore[return-value]
    raw.seek(offset)
    return raw


def read_blocks(path: str, offset: int = 0) -> Iterator[Block | LongLine | LastLine]:
    """Blocks from `offset` on (compressed logs: from the start). Raises OSError and BrokenLog."""
    with _open(path, offset) as source:
        whole = yield from _blocks(source, offset)
    if not whole and path.endswith(".zst"):
        raise BrokenLog("cut short")  # the zstd reader does not tell where a frame should have ended


def _fill(source: _Source, buffer: bytearray, held: int) -> int:
    with memoryview(buffer) as view, view[held : len(buffer) - _SLACK] as room:
        try:
            return source.readinto(room) or 0
        except OSError:
            raise
        except Exception as broken:  # zstandard raises its own errors, imported only for compressed logs
            raise BrokenLog(str(broken)) from broken


_spare = threading.local()


def _blocks(source: _Source, base: int) -> Generator[Block | LongLine | LastLine, None, bool]:
    """True in the end when there were lines and the last one had its newline."""
    # one buffer serves a thread's logs one after the other: making one costs as much as reading a log
    buffer: bytearray = _spare.__dict__.pop("buffer", None) or bytearray(CHUNK)
    held = 0
    while True:
        if held == len(buffer) - _SLACK:
            if held >= LONGEST_LINE - _SLACK:
                rest, length, tail = _skip_line(source, buffer[:held])
                if length < 0:
                    return False
                yield LongLine(buffer[:_EDGE], tail, base, base + length)
                base += length
                buffer = bytearray(max(CHUNK, 2 * len(rest)))
                buffer[: len(rest)] = rest
                held = len(rest)
                if rest.find(b"\n") >= 0:
                    cut = rest.rfind(b"\n") + 1
                    yield Block(buffer, cut, base)
                    buffer[: held - cut] = buffer[cut:held]
                    held -= cut
                    base += cut
                continue
            buffer.extend(bytes(len(buffer)))
        count = _fill(source, buffer, held)
        if not count:
            break
        filled = held + count
        cut = buffer.rfind(b"\n", held, filled) + 1
        if not cut:
            held = filled
            continue
        yield Block(buffer, cut, base)
        buffer[: filled - cut] = buffer[cut:filled]
        held = filled - cut
        base += cut
    if held:
        yield LastLine(buffer[:held], base)
    if len(buffer) == CHUNK:
        _spare.buffer = buffer
    return not held and base > 0


def _skip_line(source: _Source, buffer: bytearray) -> tuple[bytes, int, bytes]:
    """Read on to the line's end without keeping it: (bytes after it, its whole length, its tail);
    length -1 when the file ends first."""
    length = len(buffer)
    tail = bytes(buffer[-_EDGE:])
    chunk = bytearray(CHUNK)
    while count := _fill(source, chunk, 0):
        stop = chunk.find(b"\n", 0, count)
        if stop >= 0:
            tail = (tail + bytes(chunk[:stop]))[-_EDGE:]
            return bytes(chunk[stop + 1 : count]), length + stop + 1, tail
        tail = (tail + bytes(chunk[:count]))[-_EDGE:]
        length += count
    return b"", -1, tail


def head_hash(path: str | Path, offset: int) -> bytes:
    """Hash of the first bytes up to `offset`: another file under the same name shows here."""
    return _hash(path, 0, min(_MARK, offset))


def tail_hash(path: str | Path, offset: int) -> bytes:
    """Hash of the bytes just before `offset`: a rewrite behind the cursor shows here."""
    start = max(0, offset - _MARK)
    return _hash(path, start, offset - start)


def _hash(path: str | Path, start: int, length: int) -> bytes:
    with open(path, "rb", buffering=0) as file:
        file.seek(start)
        return hashlib.blake2b(file.read(length), digest_size=8).digest()
