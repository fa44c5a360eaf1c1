"""Spans of time as people say them: words or dates in, a `Period` with exact bounds out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from codex_usage.model import BadInput

_MEND = "use today, last_7_days, this_month, all, 2026-11-14 or 2026-11-01..2026-11-14"
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """A half-open span [start, end) in milliseconds; None is open. `first` and `last` are the days it covers,
    both included; `label` is what was asked."""

    label: str
    start_ms: int | None
    end_ms: int | None
    first: date | None
    last: date | None

    def before(self, zone: tzinfo) -> Period | None:
        """The span of the same length that ends where this one begins; None for one that is open."""
        if self.start_ms is None or self.end_ms is None:
            return None
        if self.first is not None and self.last is not None:
            length = self.last - self.first + _DAY
            if (self.first - date.min) < length + _DAY:
                return None
            return _days("previous", self.first - length, self.first - _DAY, zone)
        return Period("previous", 2 * self.start_ms - self.end_ms, self.start_ms, None, None)

    @property
    def text(self) -> str:
        """The days covered, or the label of an open span."""
        if self.first and self.last:
            return str(self.first) if self.first == self.last else f"{self.first}..{self.last}"
        return self.label


def parse_period(
    text: str | None, now: datetime, zone: tzinfo, since: str | None = None, until: str | None = None,
    week_start: int = 0,
) -> Period:  # fmt: skip
    """A period from a word, `A`, `A..B` (inclusive), or from since/until (dates inclusive, or ISO times); weeks begin
    on the weekday `week_start` (0 is Monday).

    Raises BadInput naming what is accepted.
    """
    if since or until:
        if text:
            raise BadInput("Give either a period or since/until, not both.")
        return _since_until(since, until, zone)
    asked = (text or "last_7_days").strip()
    text = asked.lower().replace(" ", "_")
    text = text.replace("-", "_") if text[:1].isalpha() else text
    today = now.astimezone(zone).date()
    if text == "all":
        return Period("all", None, None, None, None)
    if text in _NAMED:
        first, last = _NAMED[text](today, (today.weekday() - week_start) % 7 * _DAY)
        return _days(text, first, last, zone)
    if match := re.fullmatch(r"(?:last_)?(\d{1,4})(?:_)?d(?:ays?)?", text):
        return _days(text, today - (int(match[1]) - 1) * _DAY, today, zone) if int(match[1]) else _bad(text)
    if match := re.fullmatch(r"(?:last_)?(\d{1,4})(?:_)?h(?:ours?)?", text):
        end = int(now.timestamp() * 1000) + 1
        return Period(text, end - int(match[1]) * 3_600_000, end, None, None)
    if match := re.fullmatch(r"(\d{4})-(\d{2})", text):
        first = _date(f"{text}-01")
        return _days(text, first, _month_end(first), zone)
    if ".." in asked and asked != "..":
        begin, _, close = asked.partition("..")
        return _since_until(begin.strip() or None, close.strip() or None, zone)
    first = _date(text)
    return _days(text, first, first, zone)


def _bad(text: str) -> Period:
    raise BadInput(f"Unknown period {text!r}; {_MEND}.")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"Unknown period or impossible date {text!r}; {_MEND}.") from None


def _month_end(first: date) -> date:
    return (first.replace(day=28) + 4 * _DAY).replace(day=1) - _DAY


#: Word -> first and last day, of today and the days of this week that have gone by.
_NAMED: dict[str, Callable[[date, timedelta], tuple[date, date]]] = {
    "today": lambda day, _: (day, day), "yesterday": lambda day, _: (day - _DAY, day - _DAY),
    "last_7_days": lambda day, _: (day - 6 * _DAY, day), "last_30_days": lambda day, _: (day - 29 * _DAY, day),
    "this_week": lambda day, gone: (day - gone, day),
    "last_week": lambda day, gone: (day - gone - 7 * _DAY, day - gone - _DAY),
    "this_month": lambda day, _: (day.replace(day=1), day),
    "last_month": lambda day, _: ((day.replace(day=1) - _DAY).replace(day=1), day.replace(day=1) - _DAY),
    "whole_week": lambda day, gone: (day - gone, day - gone + 6 * _DAY),
    "whole_month": lambda day, _: (day.replace(day=1), _month_end(day.replace(day=1))),
    "this_year": lambda day, _: (day.replace(month=1, day=1), day),
}  # fmt: skip


def _days(label: str, first: date, last: date, zone: tzinfo) -> Period:
    try:
        return Period(label, _midnight(first, zone), _midnight(last + _DAY, zone), first, last)
    except (OverflowError, ValueError):
        raise BadInput(f"The period {label!r} is out of range; {_MEND}.") from None


def _midnight(day: date, zone: tzinfo) -> int:
    """The first moment of a day. Where midnight is skipped by a clock change it is the moment of the jump."""
    moment = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(moment.astimezone(UTC).timestamp() * 1000)


def _since_until(since: str | None, until: str | None, zone: tzinfo) -> Period:
    start, first = _bound(since, zone, False)
    end, last = _bound(until, zone, True)
    if start is not None and end is not None and end <= start:
        raise BadInput(f"The end {until} is before the start {since}; give the earlier one first.")
    whole = (since is None or first) and (until is None or last)
    return Period(f"{since or ''}..{until or ''}", start, end, first if whole else None, last if whole else None)


def _bound(text: str | None, zone: tzinfo, is_end: bool) -> tuple[int | None, date | None]:
    if text is None:
        return None, None
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            day = date.fromisoformat(text)
            return _midnight(day + _DAY if is_end else day, zone), day
        moment = datetime.fromisoformat(text)
    except OverflowError:
        raise BadInput(f"{text!r} is out of range; {_MEND}.") from None
    except ValueError:
        raise BadInput(f"{text!r} is neither a date nor an ISO time; write 2026-11-14 or 2026-11-14T09:30.") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return int(moment.timestamp() * 1000) + (1 if is_end else 0), None
