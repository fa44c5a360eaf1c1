"""The account's allowance: what is left of each window, until when it lasts, and what some usage took of it."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from codex_usage.answers.context import Context, check_filters, iso, sums
from codex_usage.answers.periods import Period
from codex_usage.answers.results import Allowance, AllowanceWindow, Impact, Outlook, PercentWorth, Week
from codex_usage.index import Filters, GroupRow, queries
from codex_usage.money.forecast import forecast
from codex_usage.money.reading import load_allowance, weekly_reset, weeks
from codex_usage.money.windows import Snapshot, Window, Worth, split, window_name, worth

_DAY_MS = 86_400_000
_WEEK = 10_080
_Runs = Sequence[Window]
_Spent = list[tuple[int, int, int]]  # milliseconds, nano-dollars, nano-credits


class _Seen(NamedTuple):
    """A window's newest state, and where it was seen."""

    limit: str
    minutes: int
    newest: Snapshot
    plan: str | None
    balance: str | None
    source: str


def allowance(
    context: Context, period: Period | None = None, filters: Filters | None = None, count: int = 4,
    call: str | None = None,
) -> Allowance:  # fmt: skip
    """Every window with its outlook and worth, what the calls of a period or thread (default: of the last 7 days) or
    one call took of it, and the last complete weeks. Raises BadInput."""
    filters = check_filters(context.index, filters or Filters())
    period = period or context.period(None if filters.thread is None else "all")
    with context.index.snapshot():
        scope = context.scope(period)
        if call is None:
            total = queries.totals(context.index, scope, filters)
        else:
            from codex_usage.answers.call import find_call

            row = find_call(context.index, call)
            total = queries.sums_of_call(row, queries.rates(context.index)[row.rate].rate)
        seen = _seen(context)
        runs = [_runs(context, one) for one in seen]
        spent = _spent(context, seen, runs)
        windows = [_window(context, *one, spent[one[0].limit]) for one in zip(seen, runs, strict=True)]
        newest = max(seen, key=lambda one: one.newest.time_ms, default=None)
        weekly = next((some for one, some in zip(seen, runs, strict=True) if one.minutes == _WEEK), [])
        return Allowance(
            windows=windows, credits_balance=newest.balance if newest else None,
            about=f"call {call}" if call else f"thread {filters.thread}" if filters.thread else period.text,
            total=sums(total), impact=_impact(windows, total), weeks=_weeks(context, weekly, count),
            zone=context.zone_name, coverage=context.coverage(),
            data_quality=context.quality() if call else context.quality(scope, filters, total),
        )  # fmt: skip


def allowance_windows(context: Context) -> list[AllowanceWindow]:
    """Every window as it was last seen, shortest first, those that reset long ago left out."""
    oldest = context.now.timestamp() - 7 * 86_400
    seen = [one for one in _seen(context) if (one.newest.resets_at or one.newest.time_ms // 1000) > oldest]
    return [_window(context, one) for one in seen]


def credits_balance(context: Context) -> str | None:
    """The balance of credits as the newest snapshot told it."""
    newest = max(_seen(context), key=lambda one: one.newest.time_ms, default=None)
    return newest.balance if newest else None


def _seen(context: Context) -> list[_Seen]:
    """What the logs showed last of each window, or what the user wrote down since."""
    found = {
        (limit, minutes): _Seen(limit, minutes, Snapshot(seen, used, resets), plan, balance, "logs")
        for limit, minutes, used, resets, seen, plan, balance in queries.allowance(context.index)
    }
    for reading, observed in load_allowance()[0]:
        key = (reading.limit or "codex", reading.minutes)
        known = found.get(key)
        if known is None or known.newest.time_ms < observed:
            resets = None if reading.resets_ms is None else reading.resets_ms // 1000
            newest = Snapshot(observed, 100 - reading.remaining, resets)
            found[key] = _Seen(*key, newest, known and known.plan, known and known.balance, "allowance.json")
    return sorted(found.values(), key=lambda one: (one.minutes, one.limit))


def _window(context: Context, seen: _Seen, runs: _Runs | None = None, spent: _Spent | None = None) -> AllowanceWindow:
    newest = seen.newest
    resets = newest.resets_at
    passed = resets is not None and resets <= context.now.timestamp()
    runs = runs if runs is not None else [] if passed else _runs(context, seen)
    return AllowanceWindow(
        limit_id=seen.limit, window=window_name(seen.minutes), window_minutes=seen.minutes, used_percent=newest.used,
        remaining_percent=max(0.0, round(100 - newest.used, 2)), resets_at=iso(resets * 1000) if resets else None,
        reset_passed=passed, observed_at=iso(newest.time_ms) or "", source=seen.source, plan_type=seen.plan,
        outlook=_outlook(context, runs, seen.minutes) if not passed else None,
        one_percent=None if spent is None else _worth(runs, spent),
    )  # fmt: skip


def _runs(context: Context, seen: _Seen) -> list[Window]:
    """The window's runs between resets: this one and some before it, from a thinned look at the snapshots."""
    length = seen.minutes * 60_000
    since = int(context.now.timestamp() * 1000) - max(5 * length, 7 * _DAY_MS)
    rows = queries.snapshots(context.index, seen.limit, seen.minutes, since, max(60_000, length // 200))
    found = [Snapshot(*row) for row in rows]
    return split(found if seen.source == "logs" else [*found, seen.newest], seen.minutes)


def _outlook(context: Context, runs: _Runs, minutes: int) -> Outlook | None:
    found = forecast(runs, minutes, int(context.now.timestamp() * 1000), context.zone)
    return found and Outlook(
        likely=iso(found.likely_ms), earliest=iso(found.earliest_ms), latest=iso(found.latest_ms),
        chance=round(found.chance, 2),
        percent_at_reset=[round(value, 1) for value in found.at_reset] if found.at_reset else None,
        pace=None if found.pace is None else round(found.pace, 2), basis=found.basis,
    )  # fmt: skip


def _spent(context: Context, seen: Sequence[_Seen], runs: Sequence[_Runs]) -> dict[str, _Spent]:
    """What was spent while the windows of each limit were seen: by the calls whose log named it, where there are
    several."""
    times = [snapshot.time_ms for some in runs for run in some for snapshot in run.snapshots] or [0]
    span, limits = (min(times), max(times) + 1), {one.limit for one in seen}
    several = len({limit for limit, *_ in queries.allowance(context.index)}) > 1
    return {limit: queries.spent(context.index, *span, limit if several else None) for limit in limits}


def _worth(runs: _Runs, spent: _Spent) -> PercentWorth | None:
    """What one percent was worth."""
    in_usd = worth(runs, [(time, cost / 1e9) for time, cost, _ in spent])
    in_credits = worth(runs, [(time, points / 1e9) for time, _, points in spent])
    found = in_usd or in_credits
    return found and PercentWorth(
        **_named("usd", in_usd), **_named("credits", in_credits), points=round(found.points, 1), windows=found.windows
    )


def _named(unit: str, found: Worth | None) -> dict[str, float | None]:
    if found is None:
        return dict.fromkeys((unit, f"{unit}_low", f"{unit}_high"))
    return {unit: round(found.per_percent, 6), f"{unit}_low": round(found.low, 6), f"{unit}_high": round(found.high, 6)}


def _impact(windows: Sequence[AllowanceWindow], total: GroupRow) -> list[Impact]:
    """The percent of each window that some calls took: their credits (or dollars) by what one percent was worth."""
    found = []
    for window in windows:
        one = window.one_percent
        if one is None:
            continue
        spent, middle, low, high = total.credits / 1e9, one.credits, one.credits_low, one.credits_high
        if not middle:
            spent, middle, low, high = total.cost / 1e9, one.usd, one.usd_low, one.usd_high
        if middle:
            percent, least, most = (round(spent / worth, 2) for worth in (middle, high or middle, low or middle))
            found.append(Impact(limit_id=window.limit_id, window=window.window, percent=percent, low=least, high=most))
    return found


def _weeks(context: Context, runs: _Runs, count: int) -> list[Week]:
    """The last complete weeks, newest first: between the resets that the logs show, else the set or calendar one."""
    now_ms = int(context.now.timestamp() * 1000)
    found: list[tuple[int, int, str]] = []
    if resets := sorted({run.resets_ms for run in runs if run.resets_ms is not None}):
        end = max((moment for moment in resets if moment <= now_ms), default=_week_before(resets[0], context))
        while end > now_ms:
            end = _week_before(end, context)
        for _ in range(count):
            earlier = [moment for moment in resets if end - 8 * _DAY_MS < moment < end - 3_600_000]
            start = max(earlier, default=_week_before(end, context))
            found.append((start, end, "logs"))
            end = start
    else:
        text = os.environ.get("CODEX_USAGE_WEEKLY_RESET") or load_allowance()[1]
        weekday, hour, minute = weekly_reset(text) if text else (context.week_start, 0, 0)
        by = "setting" if text else "calendar"
        found = [(start, end, by) for start, end in weeks(weekday, hour, minute, context.zone, context.now, count)]
    return [_week(context, start, end, by, runs) for start, end, by in found]


def _week_before(moment: int, context: Context) -> int:
    """The same weekday and wall clock a week earlier."""
    local = datetime.fromtimestamp(moment / 1000, context.zone).replace(tzinfo=None) - timedelta(days=7)
    return int(local.replace(tzinfo=context.zone).timestamp() * 1000)


def _week(context: Context, start: int, end: int, by: str, runs: _Runs) -> Week:
    row = queries.totals(context.index, queries.midnight_scope(context.index, start, end))
    inside = [snapshot.used for run in runs for snapshot in run.snapshots if start <= snapshot.time_ms < end]
    return Week(
        since=iso(start) or "", until=iso(end) or "", by=by, total=sums(row), used_percent=max(inside, default=None)
    )
