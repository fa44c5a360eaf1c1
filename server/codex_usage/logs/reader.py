"""Bounded, resumable reading of line files: a file and an offset in, blocks of whole lines out.

A block is a view on one reused buffer, so a file of any size costs a few megabytes. A line longer than
`LONGEST_LINE` is never held: its head and tail come out as a `LongLine`.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NamedTuple

from codex_usage.homes.platform import NO_WAIT

CHUNK = 1 << 20
LONGEST_LINE = 16 << 20
_EDGE = 16 << 10
#: Room kept behind a block, so that a look a few bytes past a line's end stays inside the buffer.
_SLACK = 64
_MARK = 4096
_LONGEST_OPEN = 1 << 20


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


_Source = io.RawIOBase | io.BufferedIOBase


def _regular(path: str, flags: int) -> int:
    """An opened file; a pipe would make us wait, and a device may have no end."""
    file = os.open(path, flags | NO_WAIT)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is not a file", path)
    return file


def _open(path: str, offset: int) -> _Source:
    raw = open(path, "rb", buffering=0, opener=_regular)  # noqa: SIM115 - closed by whoever reads it
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
    held = start = 0
    head = bytearray()  # of a line too long to hold, from `start` on, while it is stepped over
    while count := _fill(source, buffer, held):
        filled = held + count
        cut = buffer.rfind(b"\n", held, filled) + 1
        if cut and head:
            stop = buffer.find(b"\n", held) + 1
            yield LongLine(head, bytes(buffer[max(0, stop - 1 - _EDGE) : stop - 1]), start, base + stop)
            head = bytearray()
            buffer[: filled - stop] = buffer[stop:filled]
            base, cut, filled = base + stop, cut - stop, filled - stop
        if cut:
            yield Block(buffer, cut, base)
            buffer[: filled - cut] = buffer[cut:filled]
            base += cut
        held = filled - cut
        if held < len(buffer) - _SLACK:
            continue
        if not head and held < LONGEST_LINE - _SLACK:
            buffer.extend(bytes(len(buffer)))
            continue
        if not head:
            head, start = buffer[:_EDGE], base
        base += held - _EDGE
        buffer, held = buffer[held - _EDGE : held] + bytes(CHUNK - _EDGE), _EDGE
    if held and not head:
        yield LastLine(buffer[:held], base)
    if len(buffer) == CHUNK:
        _spare.buffer = buffer
    return not held and base > 0


class LineReader:
    """Reads a log's lines; what they mean is up to the class above it. `offset` tells how far it has come."""

    offset = 0

    def read(self, path: str, offset: int) -> None:
        """Take in every whole line from `offset` on. Raises OSError and BrokenLog; what came before counts."""
        self.offset = offset
        for piece in read_blocks(path, offset):
            if isinstance(piece, Block):
                self._block(piece)
                self.offset = piece.base + piece.end
            elif isinstance(piece, LongLine):
                self._long(piece)
                self.offset = piece.end
            elif len(piece.data) <= _LONGEST_OPEN and piece.data.rstrip().endswith(b"}") and self._complete(piece.data):
                self._block(Block(piece.data + b"\n", len(piece.data) + 1, piece.position))
                self.offset = piece.position + len(piece.data)

    def _block(self, block: Block) -> None:
        raise NotImplementedError

    def _long(self, line: LongLine) -> None:
        raise NotImplementedError

    def _complete(self, line: bytearray) -> bool:
        """Is a last line without newline whole, and one that counting needs?"""
        raise NotImplementedError


def head_hash(path: str | Path, offset: int) -> bytes:
    """Hash of the first bytes up to `offset`: another file under the same name shows here."""
    return _hash(path, 0, min(_MARK, offset))


def tail_hash(path: str | Path, offset: int) -> bytes:
    """Hash of the bytes just before `offset`: a rewrite behind the cursor shows here."""
    start = max(0, offset - _MARK)
    return _hash(path, start, offset - start)


def _hash(path: str | Path, start: int, length: int) -> bytes:
    with open(path, "rb", buffering=0, opener=_regular) as file:
        file.seek(start)
        return hashlib.blake2b(file.read(length), digest_size=8).digest()
