"""How much of each budget is spent. Weeks begin on Mondays, days and months are those of the user's zone."""

from __future__ import annotations

from codex_usage.answers.context import Context, iso, usd
from codex_usage.answers.results import BudgetState
from codex_usage.index import Filters, queries
from codex_usage.money.config import Budget, load_budgets

_PERIODS = {"day": "today", "week": "whole_week", "month": "whole_month"}


def budget_states(context: Context) -> list[BudgetState]:
    """Every budget that is set, in the order of their file."""
    return [_state(context, budget) for budget in load_budgets()[0]]


def _state(context: Context, budget: Budget) -> BudgetState:
    period = context.period(_PERIODS[budget.per])
    row = queries.totals(context.index, context.scope(period), Filters(project=budget.project))
    amount, in_usd = float(budget.amount), budget.unit == "usd"
    spent = usd(row.cost if in_usd else row.credits) or 0.0
    return BudgetState(
        unit=budget.unit,
        per=budget.per,
        project=budget.project,
        amount=amount,
        spent=spent,
        remaining=round(amount - spent, 6),
        percent=round(100 * spent / amount, 1) if amount else 100.0,
        over=spent > amount,
        at_least=bool(row.calls - row.priced if in_usd else row.uncredited),
        since=iso(period.start_ms) or "",
        until=iso(period.end_ms) or "",
    )
