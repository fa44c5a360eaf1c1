"""Where things stand now: today, this week, this month, the allowance and the budgets."""

from __future__ import annotations

from codex_usage.answers.allowance import allowance_windows, credits_balance
from codex_usage.answers.budgets import budget_states
from codex_usage.answers.context import Context, iso, sums
from codex_usage.answers.results import Status, Sums
from codex_usage.index import queries


def status(context: Context) -> Status:
    """Sums of the running day, week and month, every allowance window's newest state, and the budgets."""
    with context.index.snapshot():
        budgets = budget_states(context)
        return Status(
            today=_sums(context, "today"),
            week=_sums(context, "this_week"),
            month=_sums(context, "this_month"),
            allowance=allowance_windows(context),
            credits_balance=credits_balance(context),
            budgets=budgets,
            over_budget=any(budget.over for budget in budgets),
            day_ends_at=iso(context.period("today").end_ms) or "",
            zone=context.zone_name,
            coverage=context.coverage(),
            data_quality=context.quality(),
        )


def _sums(context: Context, period: str) -> Sums:
    return sums(queries.totals(context.index, context.scope(context.period(period))))
