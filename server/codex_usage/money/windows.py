"""Allowance windows: snapshots told apart into windows, and what one percent of a window is worth."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, combinations
from typing import NamedTuple

MINUTE = 60_000
_NAMES = {300: "5-hour", 1440: "daily", 10080: "weekly", 43200: "monthly"}

#: A lower value this soon after a higher one comes from a session that runs beside it.
_STALE_MS = 10 * MINUTE
_FALL = 2.0


class Snapshot(NamedTuple):
    """What one response said of a window: percent used (0 to 100), and when it resets (Unix seconds)."""

    time_ms: int
    used: float
    resets_at: int | None


class Window(NamedTuple):
    """One run of a window between two resets. `resets_ms` is the announced reset, or the moment at which the next
    window was seen where that came earlier. Both times are None for versions that log no reset time."""

    started_ms: int | None
    resets_ms: int | None
    snapshots: tuple[Snapshot, ...]


class Worth(NamedTuple):
    """The amount behind one percent of a window, with the 10th and 90th percentile of what was observed; `points`
    are the percent points and `windows` the windows that it rests on."""

    per_percent: float
    low: float
    high: float
    points: float
    windows: int


def window_name(minutes: int) -> str:
    """A window's name by its length: "5-hour", "weekly", "90-minute"."""
    return _NAMES.get(minutes) or (f"{minutes // 60}-hour" if minutes % 60 == 0 else f"{minutes}-minute")


class _Run:
    """A window while its snapshots are read."""

    def __init__(self, first: Snapshot, length: int, floor_ms: int | None) -> None:
        self.rows = [first]
        self.length = length
        self.resets = _reset(first, length)
        self.highest = [first.used]  # the running maximum after each row
        self.settled = 0  # the last row that is ten minutes old
        self.floor_ms = floor_ms  # nothing of this window was before the last snapshot of the one before

    def takes(self, row: Snapshot) -> bool:
        """Whether a later snapshot is of this window."""
        length = self.length
        resets, slack = _reset(row, length), max(120_000, length // 200)
        if self.resets is not None and row.time_ms > self.resets + (slack if resets is None else _STALE_MS):
            return False
        first = self.rows[0].time_ms
        if row.time_ms - first > length + slack and (self.resets is None or resets is None):
            return False
        if resets is not None:
            # until the first use the reset may slide with the clock
            latest = math.inf if self.highest[-1] == 0 else slack
            if self.resets is not None and not -slack <= resets - self.resets <= latest:
                return False
            if self.resets is None and not first - slack <= resets <= first + length + slack:
                return False
        if self.resets is not None and row.time_ms > self.resets:
            return resets is not None and abs(resets - self.resets) <= slack  # a late word of a session beside it
        while self.settled + 1 < len(self.rows) and self.rows[self.settled + 1].time_ms <= row.time_ms - _STALE_MS:
            self.settled += 1
        return row.used >= self.highest[self.settled] - _FALL

    def add(self, row: Snapshot) -> None:
        self.rows.append(row)
        self.highest.append(max(self.highest[-1], row.used))
        self.resets = _reset(row, self.length) or self.resets

    def window(self, next_ms: int | None) -> Window:
        if self.resets is None:
            return Window(None, None, tuple(self.rows))
        started = max(self.resets - self.length, self.floor_ms or 0)
        return Window(started, min(self.resets, next_ms or self.resets), tuple(self.rows))


def _reset(row: Snapshot, length: int) -> int | None:
    resets = (row.resets_at or 0) * 1000
    return resets if 0 < resets < row.time_ms + 2 * length else None


def split(snapshots: Iterable[Snapshot], minutes: int) -> list[Window]:
    """The snapshots of ONE limit id and length, in any order, as windows in the order in which they began.

    Every snapshot is in exactly one window. A new one begins where the announced reset jumps (by more than 2 minutes
    and 0.5 % of the length: relative reset times jitter), the use falls (by more than 2 points below what it was ten
    minutes before: sessions side by side report late) or the reset has passed. Until something is used the reset may
    slide. A late word of the window before goes there, so that two windows' snapshots may overlap in time.
    """
    length = minutes * MINUTE
    runs: list[_Run] = []
    for row in sorted(snapshots, key=lambda row: (row.time_ms, row.used)):
        if runs and runs[-1].takes(row):
            runs[-1].add(row)
        elif len(runs) > 1 and row.resets_at and runs[-2].resets and runs[-2].takes(row):
            runs[-2].add(row)
        else:
            runs.append(_Run(row, length, runs[-1].rows[-1].time_ms if runs else None))
    ends = [run.rows[0].time_ms for run in runs[1:]]
    return [run.window(end) for run, end in zip(runs, [*ends, None], strict=False)]


def worth(windows: Sequence[Window], spent: Sequence[tuple[int, float]]) -> Worth | None:
    """The amount behind one percent of an allowance (Theil-Sen: the median slope of amount over percent).

    `spent` are (Unix ms, amount), sorted by time, in any unit. Snapshots of one window at least 2 points apart give a
    slope; a window weighs as much as the percents it covers. Where most of the use was elsewhere, on other machines
    or the web, the result is a lower bound. None with fewer than 3 points covered, or no amount.
    """
    times = [time for time, _ in spent]
    sums = list(accumulate((amount for _, amount in spent), initial=0.0))
    most = max(6, min(60, math.isqrt(20_000 // max(1, len(windows)))))
    slopes: list[tuple[float, float]] = []  # with their weights
    covered, counted = 0.0, 0
    for window in windows:
        rises = _rises(window)
        rises = [rises[i * (len(rises) - 1) // (most - 1)] for i in range(most)] if len(rises) > most else rises
        rows = [(used, sums[bisect_right(times, time)]) for time, used in rises]
        pairs = [(later[0] - row[0], later[1] - row[1]) for row, later in combinations(rows, 2)]
        found = [(amount / percent, percent) for percent, amount in pairs if percent >= 2]
        if found:
            points = rows[-1][0] - rows[0][0]
            whole = sum(weight for _, weight in found)
            slopes += [(slope, weight * points / whole) for slope, weight in found]
            covered += points
            counted += 1
    if covered < 3:
        return None
    slopes.sort()
    weights = list(accumulate(weight for _, weight in slopes))
    places = [bisect_right(weights, weights[-1] * share) for share in (0.1, 0.5, 0.9)]
    low, middle, high = (slopes[min(place, len(slopes) - 1)][0] for place in places)
    return Worth(middle, low, high, covered, counted) if middle > 0 else None


def _rises(window: Window) -> list[tuple[int, float]]:
    """The moments at which a window's use was seen to rise; late words of slower sessions are not among them."""
    first = window.snapshots[0]
    known = window.started_ms is not None and window.started_ms <= first.time_ms
    rises = [(window.started_ms or 0, 0.0)] if known else [(first.time_ms, first.used)]
    for row in window.snapshots:
        if row.used > rises[-1][1]:
            rises.append((row.time_ms, row.used))
    return rises
