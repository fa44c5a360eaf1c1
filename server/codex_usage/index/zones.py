"""Days as people live them: milliseconds in, local day numbers out (days since 1970-01-01)."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from codex_usage.homes.platform import is_posix
from codex_usage.model import BadInput

_EPOCH = date(1970, 1, 1).toordinal()
_STEP_MS = 900_000  # zone offsets change at quarters of an hour


def zone_of(name: str | None) -> tuple[str, tzinfo]:
    """(name, zone) for an IANA name, or the machine's own zone for None. Raises BadInput."""
    own = name is None
    if name is None:
        name = os.environ.get("TZ", "").lstrip(":") or _machine_zone()
    if name in ("UTC", "Etc/UTC", "Z"):
        return "UTC", UTC
    try:
        return name, ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if own or name.startswith("local"):
            offset = datetime.now().astimezone().utcoffset() or timedelta(0)
            return f"local{offset}", timezone(offset)
        raise BadInput(f"Unknown time zone {name!r}; use a name such as Europe/Berlin.") from None


def _machine_zone() -> str:
    try:
        target = Path("/etc/localtime").resolve()
        parts = target.parts
        if "zoneinfo" in parts:
            return "/".join(parts[parts.index("zoneinfo") + 1 :])
        if target.exists() and (text := Path("/etc/timezone")).exists():
            return text.read_text(encoding="utf-8").strip()
    except OSError:
        pass
    return "UTC" if is_posix() and not Path("/etc/localtime").exists() else "local"


class Days:
    """Local day numbers of times, remembered per quarter of an hour."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._known: dict[int, int] = {}

    def of(self, time_ms: int) -> int:
        """The local day that a moment falls on."""
        quarter = time_ms // _STEP_MS
        day = self._known.get(quarter)
        if day is None:
            try:
                moment = datetime.fromtimestamp(quarter * 900, self.zone)
                day = moment.toordinal() - _EPOCH
            except (OverflowError, ValueError, OSError):
                day = 0
            self._known[quarter] = day
        return day


def day_date(day: int) -> date:
    """The calendar date of a day number."""
    return date.fromordinal(day + _EPOCH)


def date_day(value: date) -> int:
    """The day number of a calendar date."""
    return value.toordinal() - _EPOCH
