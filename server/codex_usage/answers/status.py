"""Where things stand now: today, this week, this month, and the allowance as the logs last showed it."""

from __future__ import annotations

from codex_usage.answers.context import Context, iso, sums
from codex_usage.answers.results import AllowanceWindow, Status, Sums
from codex_usage.index import queries

_NAMES = {300: "5-hour", 1440: "daily", 10080: "weekly", 43200: "monthly"}


def status(context: Context) -> Status:
    """Sums of the running day, week and month, and every allowance window's newest snapshot."""
    with context.index.snapshot():
        rows = queries.allowance(context.index)
        newest = max(rows, key=lambda row: row[4], default=None)
        return Status(
            today=_sums(context, "today"),
            week=_sums(context, "this_week"),
            month=_sums(context, "this_month"),
            allowance=[_window(context, *row[:6]) for row in rows],
            credits_balance=newest[6] if newest else None,
            coverage=context.coverage(),
            data_quality=context.quality(),
        )


def _sums(context: Context, period: str) -> Sums:
    return sums(queries.totals(context.index, context.scope(context.period(period))))


def _window(
    context: Context, limit_id: str, minutes: int, used: float, resets: int | None, seen: int, plan: str | None
) -> AllowanceWindow:
    return AllowanceWindow(
        limit_id=limit_id,
        window=_NAMES.get(minutes, f"{minutes // 60}-hour" if minutes >= 60 else f"{minutes}-minute"),
        window_minutes=minutes,
        used_percent=used,
        resets_at=iso(resets * 1000) if resets else None,
        reset_passed=resets is not None and resets < context.now.timestamp(),
        observed_at=iso(seen) or "",
        plan_type=plan,
    )
