"""Numbers in sentences."""

from __future__ import annotations


def many(number: int, noun: str) -> str:
    """A number with its noun: 1 call, 1,234 calls."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
