"""Blocks of whole lines, whatever the file: nothing is lost, nothing is seen twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_usage.logs import BrokenLog, head_hash, reader, tail_hash
from codex_usage.logs.reader import Block, LastLine, LongLine, read_blocks


def pieces(path: Path, offset: int = 0) -> tuple[bytes, int]:
    """(all bytes of blocks and the last line, where they end). A long line shows as its place and length."""
    out, end = b"", offset
    for piece in read_blocks(str(path), offset):
        if isinstance(piece, Block):
            assert piece.base == end
            assert piece.data[piece.end - 1] == 10
            out += piece.data[: piece.end]
            end += piece.end
        elif isinstance(piece, LongLine):
            assert piece.position == end
            out += b"<%d>" % (piece.end - piece.position)
            end = piece.end
        elif isinstance(piece, LastLine):
            assert piece.position == end
            out += piece.data
            end += len(piece.data)
    return out, end


@given(lines=st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=30), data=st.data())
@settings(deadline=None)
def test_every_byte_from_any_offset_comes_out_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("reader") / "log.jsonl"
    content = b"\n".join(lines)
    path.write_bytes(content)
    offset = data.draw(st.integers(0, len(content)))
    assert pieces(path, offset) == (content[offset:], len(content))


@pytest.mark.parametrize("spare", range(-70, 71, 7))
def test_lines_about_the_size_of_the_buffer_are_whole(tmp_path: Path, spare: int) -> None:
    path = tmp_path / "log.jsonl"
    content = b"a" * (reader.CHUNK + spare) + b"\n" + b"b" * (2 * reader.CHUNK + spare) + b"\nlast"
    path.write_bytes(content)
    assert pieces(path) == (content, len(content))


def test_a_line_too_long_is_told_by_its_place_and_the_next_ones_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    long = reader.LONGEST_LINE + 5_000_000
    path.write_bytes(b"first\n" + b"a" * long + b"\nsecond\n" + b"b" * long + b"\nlast")
    told = b"<%d>" % (long + 1)
    assert pieces(path) == (b"first\n" + told + b"second\n" + told + b"last", path.stat().st_size)


def test_a_line_too_long_shows_its_head_and_tail(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"HEAD" + b"a" * (reader.LONGEST_LINE + 100) + b"TAIL\n")
    (piece,) = [piece for piece in read_blocks(str(path)) if isinstance(piece, LongLine)]
    assert bytes(piece.head).startswith(b"HEAD")
    assert bytes(piece.tail).endswith(b"TAIL")


def test_a_compressed_log_of_several_frames_is_one_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl.zst"
    compress = zstandard.ZstdCompressor().compress
    path.write_bytes(compress(b"one\n") + compress(b"two\n"))
    assert pieces(path) == (b"one\ntwo\n", 8)


def test_a_compressed_log_that_ends_in_mid_line_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(b"one\ntw"))
    with pytest.raises(BrokenLog):
        pieces(path)


def test_hashes_tell_a_rewrite_before_the_cursor_and_no_growth_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"a" * 10_000)
    marks = head_hash(path, 9_000), tail_hash(path, 9_000)
    path.write_bytes(b"a" * 20_000)
    assert (head_hash(path, 9_000), tail_hash(path, 9_000)) == marks
    path.write_bytes(b"b" + b"a" * 20_000)
    assert head_hash(path, 9_000) != marks[0]
    path.write_bytes(b"a" * 8_999 + b"b" + b"a" * 9_000)
    assert tail_hash(path, 9_000) != marks[1]
