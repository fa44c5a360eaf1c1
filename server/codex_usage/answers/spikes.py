"""What is unusual: days that rise far above like days, and the hours in which they do.

A day is held against the days of its kind (weekdays, or weekends) of the four weeks before it, by the median and
the median absolute deviation of the logarithm, which a few odd days do not move. docs/explanation has the figures.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from codex_usage.answers.context import Context
from codex_usage.answers.periods import Period
from codex_usage.index import Filters, Scope, queries
from codex_usage.index.zones import date_day, day_date

_LOOK_BACK = 30
_HISTORY = 28
_BASELINE = 14
#: Deviations from the median beyond which a day is unusual. How often noise alone gets there is in the docs.
_FAR = 4.0
_ENOUGH = 8  # like days
_LEAST_SPREAD = 0.15  # days that are all alike still differ by as much
_LEAST_RISE = 0.5  # of the median
_MOST_TIMES, _MOST_SHARE = 3, 0.2  # of the highest like day, and of all days: unusual however much days differ
_HOUR_MS = 3_600_000
_METRICS = {"cost_usd": 0, "credits": 1, "total_tokens": 2}


@dataclass(frozen=True)
class Spike:
    """Days that rise far above what is usual, the days before them to compare with, and the hours of the rise."""

    period: Period
    baseline: Period
    start_ms: int
    end_ms: int
    when: str


def find(context: Context, metric: str, filters: Filters) -> Spike | None:
    """The largest unusual rise of the last 30 days, with its neighbours that are unusual too; None without one."""
    today = date_day(context.now.astimezone(context.zone).date())
    days = _days(context, metric, filters, today - _LOOK_BACK - _HISTORY, today)
    first = min(days, default=today)
    values = {day: days.get(day, 0.0) for day in range(first, today + 1)}
    rises = {day: rise for day in values if day > today - _LOOK_BACK and (rise := _rise(values, day))}
    if not rises:
        return None
    begin = end = max(rises, key=lambda day: rises[day])
    while begin - 1 in rises:
        begin -= 1
    while end + 1 in rises:
        end += 1
    period = context.period(f"{day_date(begin)}..{day_date(end)}")
    earliest = max(first, begin - _BASELINE)
    before = (earliest, begin - 1) if earliest < begin else (begin - (end - begin + 1), begin - 1)
    baseline = context.period(f"{day_date(before[0])}..{day_date(before[1])}")
    return Spike(period, baseline, *_hours(context, metric, filters, period))


def _days(context: Context, metric: str, filters: Filters, first: int, last: int) -> dict[int, float]:
    """The metric by local day."""
    span = context.period(f"{day_date(first)}..{day_date(last)}")
    found = queries.amounts(context.index, context.scope(span), "day", filters)
    return {day: float(row[_METRICS[metric]]) for day, row in found.items()}


def _rise(values: Mapping[int, float], day: int) -> float:
    """How far a day rises above the like days before it, or 0 when that is nothing unusual."""
    like = _like(values, day)
    if len(like) < 5:
        return 0.0
    middle, value = median(like), values[day]
    least = 0.1 * (median(used) if (used := [each for each in like if each > 0]) else value) or 1.0
    logs = [math.log(each + least) for each in like]
    spread = max(_LEAST_SPREAD, 1.4826 * median(abs(log - median(logs)) for log in logs))
    rise, whole = value - middle, sum(values.values())
    far = (math.log(value + least) - median(logs)) / spread >= _FAR
    alone = len(like) >= _ENOUGH and value > _MOST_TIMES * max(like) and rise > _MOST_SHARE * whole
    return rise if (far or alone) and rise > _LEAST_RISE * middle and rise > 0.02 * whole else 0.0


def _like(values: Mapping[int, float], day: int) -> list[float]:
    """The days of the same kind in the four weeks before; where there are too few, all days before, then all others."""
    before = [each for each in range(day - _HISTORY, day) if each in values]
    like = [values[each] for each in before if _weekend(each) == _weekend(day)]
    if len(like) >= _ENOUGH:
        return like
    every = [values[each] for each in before]
    return every if len(every) >= _ENOUGH else [values[each] for each in values if each != day]


def _weekend(day: int) -> bool:
    return day_date(day).weekday() >= 5


def _hours(context: Context, metric: str, filters: Filters, period: Period) -> tuple[int, int, str]:
    """The hours around the highest one that are at least a tenth as high, without longer gaps than two hours."""
    scope = Scope(period.start_ms, period.end_ms, None)
    found = queries.amounts(context.index, scope, "hour", filters)
    hours = {hour: row[_METRICS[metric]] for hour, row in found.items()}
    peak = max(hours, key=lambda hour: hours[hour])
    high = {hour for hour, value in hours.items() if value >= 0.1 * hours[peak]}
    begin = end = peak
    while near := [hour for hour in high if begin - 3 <= hour < begin]:
        begin = min(near)
    while near := [hour for hour in high if end < hour <= end + 3]:
        end = max(near)
    start, stop = (datetime.fromtimestamp(hour * 3600, context.zone) for hour in (begin, end + 1))
    until = f"{stop:%H:%M}" if (stop - timedelta(seconds=1)).date() == start.date() else f"{stop:%a %Y-%m-%d %H:%M}"
    return begin * _HOUR_MS, (end + 1) * _HOUR_MS, f"{start:%a %Y-%m-%d %H:%M} to {until}"


def is_unusual(
    context: Context, metric: str, filters: Filters, period: Period, baseline: Period, change: float
) -> bool:
    """Is a change beyond what the days before would make by chance? Three deviations of the sum of so many days, and
    a twentieth of the baseline."""
    if not (period.first and period.last and baseline.first and baseline.last):
        return abs(change) > 0
    if change < 0 and period.last >= context.now.astimezone(context.zone).date():
        return False  # that day is not over
    first = date_day(baseline.first) - _HISTORY
    days = _days(context, metric, filters, first, date_day(baseline.last))
    known = [days.get(day, 0.0) for day in range(min(days, default=0), date_day(baseline.last) + 1)] if days else []
    unit = 1.0 if metric == "total_tokens" else 1e9
    count, before = (period.last - period.first).days + 1, (baseline.last - baseline.first).days + 1
    usual = sum(known[-before:]) / unit / before * count
    if len(known) < 3:
        return abs(change) > 0.2 * usual
    middle = median(known)  # the standard deviation of days, by the median of the absolute ones
    deviation = (
        1.4826 * median(abs(value - middle) for value in known) / unit * math.sqrt(count + count * count / before)
    )
    return abs(change) > max(3 * deviation, 0.05 * usual)
