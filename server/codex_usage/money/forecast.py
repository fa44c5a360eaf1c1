"""When an allowance window runs out: simulated from what was used in it and in those before it.

The method and the measured share of forecasts that held are in docs/explanation.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections import namedtuple
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from codex_usage.money.windows import MINUTE, Window

_DAY = 86_400_000

#: Simulations a forecast makes, and the share of them that lies outside its range at either end.
_RUNS = 400
_TAIL = 0.0075


class Forecast(NamedTuple):
    """When a window runs out. Times are Unix ms; None is "not before the reset". `chance` is that of running out
    before it. `at_reset` is the percent used at the reset if nothing stops it: low, likely, high (at most 999).
    `pace` is 1.0 for a use that ends at exactly 100 % at the reset. `basis` says what it rests on."""

    likely_ms: int | None
    earliest_ms: int | None
    latest_ms: int | None
    chance: float
    at_reset: tuple[float, float, float] | None
    pace: float | None
    basis: str


class _Curve:
    """Percent points used since the first window, as a line over time that never falls."""

    def __init__(self, windows: Sequence[Window], now_ms: int) -> None:
        self.times: list[int] = []
        self.points: list[float] = []
        self.blind: list[tuple[int, int]] = []  # a window that ran out says nothing of the use until its reset
        self.jumps = 0.0  # points that came in steps of more than 3: use that no snapshot was near
        total = 0.0
        for i, window in enumerate(windows):
            top = 0.0 if window.started_ms is not None else window.snapshots[0].used
            self._at(min(window.started_ms or now_ms, window.snapshots[0].time_ms), total)
            for row in window.snapshots:
                if top < row.used and row.time_ms <= now_ms:
                    step, top = row.used - top, row.used
                    total += step
                    if step > 3:
                        self.jumps += step
                    else:  # snapshots come with use, so a small step was made just before it
                        self._at(row.time_ms - 30 * MINUTE, total - step)
                    self._at(row.time_ms, total)
            if top >= 99 and i + 1 < len(windows):
                total = self._go_on(window, windows[i + 1].snapshots[0].time_ms, total)
        self._at(now_ms, total)

    def _go_on(self, window: Window, next_ms: int, total: float) -> float:
        """After a window ran out nothing more is seen until its reset, and the days of heavy use would be missing
        from history: the use goes on for a day as it was in the day before, and the rest is blind."""
        full = next(row.time_ms for row in window.snapshots if row.used >= 99)
        before = min(_DAY, full - self.times[0], full - (window.started_ms or full - _DAY))
        stop = min(next_ms, full + _DAY)
        if before > 0 and stop > self.times[-1]:
            total += (total - self(full - before)) / before * (stop - full)
            self._at(stop, total)
        self.blind.append((stop, next_ms))
        return total

    def _at(self, time_ms: int, points: float) -> None:
        if not self.times or time_ms > self.times[-1]:
            self.times.append(time_ms)
            self.points.append(points)
        else:
            self.points[-1] = max(self.points[-1], points)

    def __call__(self, time_ms: float) -> float:
        return _along(self.times, self.points, bisect_right(self.times, time_ms), time_ms)

    def when(self, points: float) -> float:
        """The first moment at which so much was used."""
        return _along(self.points, self.times, bisect_left(self.points, points), points)

    def seen(self, start: float, end: float) -> bool:
        known = self.times[0] <= start and end <= self.times[-1]
        return known and not any(since < end and start < until for since, until in self.blind)


def _along(xs: Sequence[float], ys: Sequence[float], i: int, x: float) -> float:
    """The value at x of a line through points, of which the i-th is the first behind it; flat beyond them."""
    if i == 0 or i == len(xs):
        return ys[max(0, i - 1)]
    return ys[i - 1] + (ys[i] - ys[i - 1]) * (x - xs[i - 1]) / (xs[i] - xs[i - 1])


#: A part of a local day, and what was used at the same hours of like days and of every other day: each a list of
#: (points, how long ago, this window).
_Piece = namedtuple("_Piece", "start end alike every")


def _pieces(curve: _Curve, start: int, end: int, own_ms: int, zone: tzinfo) -> list[_Piece]:
    """The local days from start to end with their sources: weekdays for weekdays, weekends for weekends."""
    pieces = []
    while start < end:
        day = datetime.fromtimestamp(start / 1000, zone)
        midnight = datetime.combine(day.date() + timedelta(1), datetime.min.time(), zone).astimezone(UTC)
        stop = min(end, max(int(midnight.timestamp() * 1000), start + 1))
        alike, every = [], []
        for back in range(1, min(60, (stop - curve.times[0]) // _DAY) + 1):
            a, b = start - back * _DAY, stop - back * _DAY
            if curve.seen(a, b):
                source = (curve(b) - curve(a), back * _DAY, a >= own_ms)
                every.append(source)
                if (day.weekday() < 5) == ((day.weekday() - back) % 7 < 5):
                    alike.append(source)
        pieces.append(_Piece(start, stop, alike if len(alike) > 1 else every[:], every))
        start = stop
    return pieces


def _like_today(curve: _Curve, rest: _Piece, zone: tzinfo) -> None:
    """A day that began busy goes on busy: the third of days most like today up to now counts twice more."""
    day = datetime.combine(datetime.fromtimestamp(rest.start / 1000, zone).date(), datetime.min.time(), zone)
    begin = int(day.timestamp() * 1000)
    today = curve(rest.start) - curve(begin) + 0.5

    def unlike(source: tuple[float, int, bool]) -> float:
        then = curve(rest.start - source[1]) - curve(begin - source[1]) + 0.5
        return abs(math.log(then / today))

    rest.alike.extend(2 * sorted(rest.every, key=unlike)[: len(rest.every) // 3])


def _relation(curve: _Curve, elapsed: list[_Piece]) -> float | None:
    """How the use of some elapsed days relates to that of the same days and hours of earlier windows."""
    used = expected = 0.0
    for piece in elapsed:
        before = [points for points, _, own in piece.alike if not own]
        if before:
            used += curve(piece.end) - curve(piece.start)
            expected += sum(before) / len(before)
    return min(5.0, max(0.2, (used + 2) / (expected + 2))) if expected else None


#: One way to see the future: the factor on earlier windows' days, on this window's, and the doubt of both.
_View = namedtuple("_View", "before own doubt flat", defaults=(False,))


def forecast(windows: Sequence[Window], minutes: int, now_ms: int, zone: tzinfo = UTC) -> Forecast | None:
    """When the last window runs out, from what was used in it and in those before it up to now.

    None where nothing can be said: no snapshot yet, an unknown or passed reset, or no use at all. Where all is used,
    the three times are when that was seen. Else none lies before now, and the range should hold the truth in 95 of
    100 cases (measured in docs/explanation). The same input gives the same answer.
    """
    seen = [window for window in windows if window.snapshots[0].time_ms <= now_ms]
    if not seen:
        return None
    last = seen[-1]
    rows = [row for row in last.snapshots if row.time_ms <= now_ms]
    start, reset, used = last.started_ms, last.resets_ms, max(row.used for row in rows)
    if last is not windows[-1] or start is None or reset is None or not start < now_ms < reset:
        return None
    length = minutes * MINUTE
    begin = start - max(28 * _DAY, 4 * length)
    recent = [window for window in seen if window.snapshots[0].time_ms >= begin]
    pace = used / 100 * (reset - start) / (now_ms - start)
    basis = _basis(now_ms - start, recent, start, minutes)
    if used >= 100:
        full = next(row.time_ms for row in rows if row.used >= 100)
        return Forecast(full, full, full, 1.0, (100.0, 100.0, 100.0), pace, basis)
    curve = _Curve(recent, now_ms)
    if curve.points[-1] <= 0:
        return None
    times, totals = _simulate(curve, last, start, now_ms, reset, used, rows[-1].time_ms, zone)
    chance = round(sum(math.isfinite(time) for time in times) / len(times), 3)
    ends = [_quantile(times, share) for share in (0.5, _TAIL, 1 - _TAIL)]
    likely, earliest, latest = (max(now_ms, round(time)) if math.isfinite(time) else None for time in ends)
    low, middle, high = (round(min(999.0, _quantile(totals, share)), 1) for share in (_TAIL, 0.5, 1 - _TAIL))
    return Forecast(likely, earliest, latest, chance, (low, middle, high), pace, basis)


def _basis(elapsed: int, recent: Sequence[Window], start: int, minutes: int) -> str:
    before = len(recent) - 1
    own = f"{elapsed / _DAY:.0f} days" if elapsed >= 2 * _DAY else f"{elapsed / 3_600_000:.1f} hours"
    name = "week" if minutes == 10080 else "window"
    earlier = f" and {before} earlier {name}{'s' if before > 1 else ''}" if before else ""
    return f"{own} of this window{earlier}"


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def _spread(values: Sequence[float]) -> float:
    """The standard error of a mean as a share of it, at most 1."""
    mean = sum(values) / len(values) if len(values) > 1 else 0.0
    if mean <= 0:
        return 1.0
    return min(1.0, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values)) / mean)


def _views(curve: _Curve, start: int, now_ms: int, reset: int, ahead: list[_Piece], zone: tzinfo) -> list[_View]:
    """The futures to simulate, in equal shares: history as it was, history at this window's pace, at its latest
    pace, at a pace that goes on changing as it does, and a flat line."""
    used, span = curve(now_ms) - curve(start), now_ms - start
    parts = [curve(start + span * (i + 1) / 8) - curve(start + span * i / 8) for i in range(8)]
    history = 1.5 * _spread([points for points, _, _ in max((piece.every for piece in ahead), key=len)])
    doubt = math.hypot(0.06, 1.25 * _spread(parts), min(1.0, 0.5 / (used + 0.5)))
    elapsed = _pieces(curve, start, now_ms, start, zone)
    pace = _relation(curve, elapsed)
    late = _relation(curve, _pieces(curve, now_ms - span // 3, now_ms, start, zone))
    first, second = sum(parts[:4]) + 1, sum(parts[4:]) + 1
    trend = min(3.0, max(1 / 3, second / first))
    if pace is None or late is None:
        # one day or less of the first window: nobody knows what the nights and weekends are like
        doubt = 1.4 * doubt + (0.7 if span < 2 * _DAY < reset - start else 0.0)
        return [_View(factor, factor, doubt, flat) for flat in (False, True) for factor in (1, trend)]
    return [
        _View(1, 1, math.hypot(0.1, history)),
        _View(pace, 1, math.hypot(doubt, history)),
        _View(pace, 1, doubt),
        _View(late, math.sqrt(late / pace), doubt),
        _View(pace * math.sqrt(trend), math.sqrt(trend), doubt),
        _View(1, 1, doubt, flat=True),
    ]


def _simulate(
    curve: _Curve, window: Window, start: int, now_ms: int, reset: int, used: float, last_ms: int, zone: tzinfo
) -> tuple[list[float], list[float]]:
    """Sorted moments of running out (infinite: not before the reset) and sorted percents at the reset."""
    rng = random.Random(1)
    flat = (curve(now_ms) - curve(start)) / (now_ms - start)
    rounding = 1.0 if all(row.used == int(row.used) for row in window.snapshots) else 0.1
    ahead = _pieces(curve, now_ms, reset, start, zone)
    _like_today(curve, ahead[0], zone)
    views = _views(curve, start, now_ms, reset, ahead, zone)
    # where use comes in steps that no snapshot was near, some of it may have gone unseen since the last one
    unseen = _pieces(curve, last_ms, now_ms, start, zone) if last_ms < now_ms else []
    sparse = min(1.0, curve.jumps / max(1.0, curve.points[-1]))
    runs = max(60, min(_RUNS, 16_000 // len(ahead)))
    times, totals = [], []
    for i in range(runs):
        view = views[i % len(views)]
        factor = rng.lognormvariate(0, view.doubt)
        level = min(99.9, max(0.0, used + rng.uniform(-rounding, rounding)))
        full = math.inf
        for piece in unseen + ahead if rng.random() < sparse else ahead:
            choice = piece.every if rng.random() < 0.1 else piece.alike
            points, back, own = choice[int(rng.random() * len(choice))] if choice and not view.flat else (0.0, 0, True)
            scale = factor * (view.own if own else view.before)
            added = scale * (points if back else flat * (piece.end - piece.start))
            if level + added >= 100 > level:
                if back:
                    past = piece.start - back
                    full = curve.when(curve(past) + (100 - level) / scale) + back
                else:
                    full = piece.start + (100 - level) / (scale * flat)
            level += added
        times.append(full)
        totals.append(level)
    return sorted(times), sorted(totals)
