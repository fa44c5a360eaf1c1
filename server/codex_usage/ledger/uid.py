"""Stable 63-bit ids of calls: the same response has the same id on every re-read and every machine."""

from __future__ import annotations

from hashlib import blake2b
from struct import pack

from codex_usage.model import Tokens


def response_uid(response_id: str) -> int:
    """Id of a response that the log names."""
    return _hash(response_id.encode("utf-8", "surrogatepass"))


def count_uid(thread_id: str, mark: str, total: Tokens, last: Tokens) -> int:
    """Id of a response known only by its thread, a mark of its place (time or turn) and its numbers."""
    numbers = pack("<10q", *total, *last)
    return _hash(f"{thread_id}|{mark}|".encode("utf-8", "surrogatepass") + numbers)


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big") >> 1
