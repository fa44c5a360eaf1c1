"""Times as logs write them, to Unix milliseconds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def _day_ms(day: bytes) -> int:
    return (date.fromisoformat(day.decode("ascii")).toordinal() - _EPOCH.toordinal()) * 86_400_000


def stamp_ms(line: bytearray, at: int) -> int:
    """Milliseconds of the 24-byte stamp `2026-11-21T20:56:14.570Z` at index `at`. ValueError if it is none."""
    text = bytes(line[at : at + 24])
    if text[23:] != b"Z":
        raise ValueError("not a stamp")
    clock = int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
    return _day_ms(text[:10]) + clock * 1000 + int(text[20:23])


def iso_ms(text: str | None) -> int | None:
    """Milliseconds of any ISO 8601 time (UTC when it names no zone), or None."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # integer arithmetic: float seconds lose a millisecond now and then
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def uuid_ms(text: str | None) -> int | None:
    """The creation time inside a UUIDv7 (RFC 9562 §5.7), or None for any other text."""
    if not text or len(text) != 36 or text[14] != "7":
        return None
    try:
        return int(text[:8] + text[9:13], 16)
    except ValueError:
        return None
