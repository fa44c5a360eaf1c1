"""Times as logs write them, to Unix milliseconds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


#: Milliseconds of the minutes met lately; lines stand close together in time.
_minutes: dict[bytes, int] = {}


def stamp_ms(line: bytearray, at: int) -> int:
    """Milliseconds of the 24-byte stamp `2026-11-21T20:56:14.570Z` at index `at`. ValueError if it is none."""
    text = bytes(line[at : at + 24])
    if text[23:] != b"Z":
        raise ValueError("not a stamp")
    minute = _minutes.get(text[:16])
    return (_minute_ms(text[:16]) if minute is None else minute) + int(text[17:19]) * 1000 + int(text[20:23])


def _minute_ms(minute: bytes) -> int:
    day = date.fromisoformat(minute[:10].decode("ascii")).toordinal() - _EPOCH.toordinal()
    found = (day * 1440 + int(minute[11:13]) * 60 + int(minute[14:16])) * 60_000
    if len(_minutes) > 10_000:
        _minutes.clear()
    _minutes[minute] = found
    return found


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
