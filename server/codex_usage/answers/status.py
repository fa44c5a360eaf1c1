"""Where things stand now: today, this week, this month, the allowance and the budgets.

Weeks begin on the day that the user set, days and months are those of the user's zone."""

from codex_usage.answers.allowance import allowance_windows, credits_balance
from codex_usage.answers.context import Context, iso, sums, usd
from codex_usage.answers.results import BudgetState, Status
from codex_usage.index import Filters, queries
from codex_usage.money.config import Budget, load_budgets

_PERIODS = {"day": "today", "week": "whole_week", "month": "whole_month"}


def status(context: Context) -> Status:
    """Sums of the running day, week and month, every allowance window's newest state, and the budgets."""
    with context.index.snapshot():
        scopes = (context.scope(context.period(word)) for word in ("today", "this_week", "this_month"))
        today, week, month = (sums(queries.totals(context.index, scope)) for scope in scopes)
        budgets = budget_states(context)
        return Status(
            today=today, week=week, month=month, budgets=budgets, over_budget=any(budget.over for budget in budgets),
            allowance=allowance_windows(context), credits_balance=credits_balance(context), zone=context.zone_name,
            day_ends_at=iso(context.period("today").end_ms) or "",
            coverage=context.coverage(), data_quality=context.quality(),
        )  # fmt: skip


def budget_states(context: Context) -> list[BudgetState]:
    """Every budget that is set, in the order of their file."""
    return [_state(context, budget) for budget in load_budgets()[0]]


def _state(context: Context, budget: Budget) -> BudgetState:
    period = context.period(_PERIODS[budget.per])
    row = queries.totals(context.index, context.scope(period), Filters(project=budget.project))
    amount, in_usd = float(budget.amount), budget.unit == "usd"
    spent = usd(row.cost if in_usd else row.credits) or 0.0
    return BudgetState(
        unit=budget.unit, per=budget.per, project=budget.project, amount=amount, spent=spent,
        remaining=round(amount - spent, 6), percent=round(100 * spent / amount, 1) if amount else 100.0,
        over=spent > amount, at_least=bool(row.calls - row.priced if in_usd else row.uncredited),
        since=iso(period.start_ms) or "", until=iso(period.end_ms) or "",
    )  # fmt: skip
