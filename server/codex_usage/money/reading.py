"""The allowance as people know it: pasted from Codex's screen, or kept in allowance.json.

Only window lengths, percents, reset times and names of models are taken from a pasted text; nothing else of it is
stored or shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from codex_usage.homes.config import ConfigFile, as_json, config_path, write_json
from codex_usage.model import BadInput

_MOST = 65_536
_LONGEST = 527_040  # minutes of a leap year
_WORDS = {"daily": 1440, "weekly": 10080, "week": 10080, "wk": 10080, "monthly": 43200, "month": 43200}
_UNITS = {"m": 1, "h": 60, "d": 1440}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_NO_WORD = r"(?<![\w.])"
_MONTH = rf"(?:{'|'.join(_MONTHS)})[a-z]{{0,6}}\.?"
# Every part is bounded, and each character is looked at a bounded number of times.
_PARTS = rf"""
    (?P<line>\n)
  | (?P<bar>\[[^\]\n]{{0,200}}\])
  | (?P<iso>{_NO_WORD}\d{{4}}-\d\d-\d\d(?:[t\ ]\d\d:\d\d(?::\d\d(?:\.\d{{1,6}})?)?(?:z|[+-]\d\d:?\d\d)?)?)
  | (?P<percent>{_NO_WORD}\d{{1,3}}(?:\.\d{{1,6}})?)\s?%
  | \bin\ {{1,3}}(?P<after>\d{{1,4}}\s?[dhm][a-z]{{0,6}}(?:,?\ ?\d{{1,2}}\s?[hm][a-z]{{0,6}}){{0,2}})\b
  | (?P<span>{_NO_WORD}\d{{1,3}}d\ ?\d{{1,2}}h(?:\ ?\d{{1,2}}m)?|{_NO_WORD}\d{{1,3}}h\ ?\d{{1,2}}m)\b
  | (?P<clock>{_NO_WORD}\d{{1,2}}:\d\d(?::\d\d)?(?:\s?[ap]\.?m\b)?|{_NO_WORD}\d{{1,2}}\s?[ap]\.?m\b)
  | (?P<date>\b{_MONTH}\ ?\d{{1,2}}(?:,?\ \d{{4}})?|{_NO_WORD}\d{{1,2}}\ {_MONTH}(?:\ \d{{4}})?)\b
  | (?P<digits>{_NO_WORD}\d{{4}})(?=\ {{1,3}}\d{{1,2}}:\d\d)
  | (?P<window>{_NO_WORD}\d{{1,5}}\s?-?(?:hours?|hrs?|h|days?|d|minutes?|mins?|m)\b|\b(?:{"|".join(_WORDS)})\b)
  | (?P<weekday>\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{{0,6}}\b)
  | (?P<word>\b(?:left|remaining|used|tomorrow)\b)
    """
#: Spaces of all kinds are spaces; what is not ASCII (bars, boxes, a middle dot) becomes one.
_PLAIN = {"\r": "\n", "\t": " ", "|": " ", "\x0b": " ", "\x0c": " "}
_ESCAPE = re.compile(r"\x1b\[[0-9;?]{0,20}[a-zA-Z]")
_LABEL = re.compile(r"[ \t]*([a-z][\w .'/-]{0,60}):")
_MODEL = re.compile(r"(?=[\w.-]{0,40}(?:gpt|codex|spark|mini))[a-z][\w.-]{1,40}$")


class Reading(NamedTuple):
    """What Codex showed of one window: percent REMAINING (0 to 100), when it resets (Unix ms), and the limit's name
    where it was told (else it is the account's own)."""

    limit: str | None
    minutes: int
    remaining: float
    resets_ms: int | None


_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    limit: Annotated[str, msgspec.Meta(pattern=r"^[\w.-]{1,80}\Z")] | None = None
    window: int | str
    remaining_percent: Annotated[float, msgspec.Meta(ge=0, le=100)]
    resets_at: _Time | None = None


@cache
def _token() -> re.Pattern[str]:
    """Compiled when a text is read: it would take 3 ms of every answer."""
    return re.compile(_PARTS, re.VERBOSE)


def parse_allowance(text: str, now: datetime, zone: tzinfo) -> list[Reading]:
    """The windows in a text copied from Codex: its usage menu, a /status panel, the status line, or typed by hand.

    A percent is what remains unless "used" stands with it. Reset times may be a clock time, a date, a weekday, "in
    2h 5m" or ISO, in `zone` where none is given; the next such moment after `now` is meant. A date without a time
    is its first moment, or its last if it is today. Where a window stands twice the last counts. Raises BadInput.
    """
    if len(text) > _MOST:
        raise BadInput("That text is longer than 64 KiB; paste only the lines with the percents.")
    text = "".join(_PLAIN.get(char, char if char.isascii() else " ") for char in _ESCAPE.sub(" ", text)).lower()
    rows: list[tuple[str | None, int, dict[str, str]]] = []
    told: dict[str, str] | None = None  # the first percent, clock, date ... of the row, while it is read
    heading: str | None = None
    last = 0
    for match in _token().finditer("\n" + text):
        kind, said = match.lastgroup or "", match[match.lastgroup or 0]
        before, last = match.string[last : match.start()], match.end()
        if kind == "line":
            label = _LABEL.match(match.string, match.end())
            if label and not label[1].startswith("reset") and not _token().search(label[1]):
                told = None  # another row of the panel
                if label[1].endswith((" limit", " limits")):
                    heading = _model(label[1].rsplit(" ", 1)[0])
        elif kind == "window":
            told, minutes = None, _minutes(said)
            if 0 < minutes <= _LONGEST:
                told = {}
                rows.append((_model(before) or heading, minutes, told))
        elif told is not None:
            told.setdefault(said if said == "tomorrow" else kind, said)
    found = {}
    for limit, minutes, told in rows:
        percent = float(told.get("percent", 101))
        if percent <= 100:
            left = 100 - percent if told.get("word") == "used" else percent
            found[limit, minutes] = Reading(limit, minutes, left, _resets_ms(told, now, zone))
    if not found:
        raise BadInput(
            'No allowance found in that text; paste what Codex shows, such as "5h 79% 6:50 PM Weekly 33% Jun 7".'
        )
    return list(found.values())


def _model(text: str) -> str | None:
    """The last word of a text if it is the name of a model; other words are nobody's business."""
    words = text.split()
    return words[-1] if words and _MODEL.match(words[-1]) else None


def _minutes(said: str) -> int:
    if said in _WORDS:
        return _WORDS[said]
    number = re.match(r"\d+", said)
    return int(number[0]) * _UNITS[said[number.end() :].lstrip(" -\n")[0]] if number else 0


def _resets_ms(told: dict[str, str], now: datetime, zone: tzinfo) -> int | None:
    try:
        return _ms(_moment(told, now, zone))
    except (ValueError, OverflowError):
        return None  # 31 Feb: the percent is still good


def _moment(told: dict[str, str], now: datetime, zone: tzinfo) -> datetime | None:
    """The next moment that the words of a row mean. Raises ValueError for what no calendar has."""
    if span := told.get("after") or told.get("span"):
        parts = re.findall(r"(\d+)\s?([dhm])", span)
        return now + timedelta(minutes=sum(int(number) * _UNITS[unit] for number, unit in parts))
    if len(iso := told.get("iso", "")) > 10:
        moment = datetime.fromisoformat(iso.upper())
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    today = now.astimezone(zone).date()
    clock = _clock(told["clock"]) if "clock" in told else None
    day = _day(told, today)
    if clock is None and day is None:
        return None
    later = 7 if clock and "weekday" in told else 1 if day is None or (clock is None and day >= today) else 0
    moment = _at(day or today, clock or time(), zone)
    return moment if moment > now else _at((day or today) + timedelta(later), clock or time(), zone)


def _at(day: date, clock: time, zone: tzinfo) -> datetime:
    """A local time as a moment, exact across clock changes."""
    return datetime.combine(day, clock, zone).astimezone(UTC)


def _clock(said: str) -> time:
    hour, minute, half = re.match(r"(\d+)(?::(\d+))?(?::\d+)?\s?([ap])?", said).groups()  # type: ignore[union-attr]
    if half and not 1 <= int(hour) <= 12:
        raise ValueError(said)
    return time(int(hour) % 12 + 12 * (half == "p") if half else int(hour), int(minute or 0))


def _day(told: dict[str, str], today: date) -> date | None:
    if "iso" in told:
        return date.fromisoformat(told["iso"])
    if "tomorrow" in told:
        return today + timedelta(1)
    if "weekday" in told:
        ahead = (_weekday(told["weekday"]) - today.weekday()) % 7
        return today + timedelta(ahead if ahead or "clock" in told else 7)
    if said := told.get("date"):
        month = next(i for i, name in enumerate(_MONTHS, 1) if name in said)
        number, *year = [int(number) for number in re.findall(r"\d+", said)]
        return date(year[0], month, number) if year else _next(month, number, today)
    if said := told.get("digits"):
        return _next(int(said[:2]), int(said[2:]), today)
    return None


def _next(month: int, day: int, today: date) -> date:
    """A day of this year, or of the next one where it was long ago; just past, it is a reset that has passed."""
    found = date(today.year, month, day)
    return found if found > today - timedelta(60) else date(today.year + 1, month, day)


def _weekday(said: str) -> int:
    found = [i for i, name in enumerate(_WEEKDAYS) if len(said) >= 3 and name.startswith(said)]
    if not found:
        raise ValueError(said)
    return found[0]


# --- weeks ---------------------------------------------------------------------------------------------------------


def weekly_reset(text: str) -> tuple[int, int, int]:
    """Weekday (Monday is 0), hour and minute of "Thu 09:15" or "thursday 9:15 am". Raises BadInput."""
    match = re.fullmatch(r"\s*([a-z]{3,9})\.?,?\s{1,9}(\d{1,2}(?::\d\d)?(?:\s?[ap]\.?m\.?)?)\s*", text[:80].lower())
    try:
        weekday, clock = _weekday(match[1] if match else ""), _clock(match[2] if match else "")
    except ValueError:
        raise BadInput('Unknown weekly reset; write a weekday and a time, such as "Thu 09:15".') from None
    return weekday, clock.hour, clock.minute


def weeks(reset_weekday: int, hour: int, minute: int, zone: tzinfo, now: datetime, count: int) -> list[tuple[int, int]]:
    """The last complete weeks between two resets, newest first, as half-open spans in Unix ms. Resets keep their
    local time, so that a week with a clock change is an hour shorter or longer."""
    local = now.astimezone(zone)
    clock = time(hour, minute)
    day = local.date() - timedelta((local.weekday() - reset_weekday) % 7)
    if _at(day, clock, zone) > now:
        day -= timedelta(7)
    marks = [round(_at(day - timedelta(7 * i), clock, zone).timestamp() * 1000) for i in range(count + 1)]
    return list(zip(marks[1:], marks, strict=False))


# --- allowance.json ------------------------------------------------------------------------------------------------


def load_allowance(env: Mapping[str, str] | None = None) -> tuple[list[tuple[Reading, int]], str | None, list[str]]:
    """What allowance.json says: readings with the time they were observed (Unix ms), the weekly reset as it stands
    there if it is a good one, and a line for each thing that is wrong. Never raises."""
    path = config_path("allowance.json", env)
    file = ConfigFile(path, observed_at=_Time | None, windows=list[_Entry], weekly_reset=str | None)
    observed, reset = _ms(file.value.get("observed_at")), file.value.get("weekly_reset")
    windows: list[_Entry] = file.value.get("windows", [])
    try:
        weekly_reset("Mon 0:00" if reset is None else reset)
    except BadInput:
        file.warn('weekly_reset must be a weekday and a time such as "Thu 09:15"')
        reset = None
    if windows and observed is None:
        file.warn("observed_at is needed; without it no window counts")
    readings = {}
    for entry in windows:
        minutes = _length(entry.window)
        if not 0 < minutes <= _LONGEST:
            file.warn(f'windows: {str(entry.window)[:80]!r} is not "5h", "weekly" or a length in minutes')
        elif observed is not None:
            reading = Reading(entry.limit, minutes, entry.remaining_percent, _ms(entry.resets_at))
            readings[entry.limit, minutes] = (reading, observed)
    return list(readings.values()), reset, file.problems


def _length(window: int | str) -> int:
    match = _token().fullmatch(window[:20].strip().lower()) if isinstance(window, str) else None
    return window if isinstance(window, int) else _minutes(match["window"] or "") if match else 0


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def save_allowance(readings: Iterable[Reading], now: datetime, env: Mapping[str, str] | None = None) -> Path:
    """Replace the windows of allowance.json by what was read now, at once and for the user's eyes only; a weekly
    reset that stands there is kept. Raises BadInput when it can't be written."""
    names = {300: "5h", 1440: "daily", 10080: "weekly", 43200: "monthly"}
    windows = [
        _Entry(
            limit=reading.limit or "codex",
            window=names.get(reading.minutes, reading.minutes),
            remaining_percent=reading.remaining,
            resets_at=None if reading.resets_ms is None else datetime.fromtimestamp(reading.resets_ms // 1000, UTC),
        )
        for reading in readings
    ]
    observed = now.astimezone(UTC).replace(microsecond=0)
    value = {"observed_at": observed, "windows": windows, "weekly_reset": load_allowance(env)[1]}
    return write_json(config_path("allowance.json", env), value)


def template_allowance() -> str:
    """The text of an allowance.json to begin with. It says nothing of any window; its comment is the help."""
    comment = [
        "What Codex shows of your allowance, for times when no log tells it. `parse-allowance` writes this file.",
        'A window: {"limit": "codex", "window": "5h", "remaining_percent": 79, "resets_at": null}.',
        '"window" is "5h", "weekly", "daily", "monthly" or a length in minutes; "resets_at" a time or null, such as',
        '"2026-11-15T12:00:00Z". "weekly_reset": "Thu 09:15" says in local time when your week begins.',
    ]
    return as_json({"comment": comment, "observed_at": None, "windows": []}).decode()
