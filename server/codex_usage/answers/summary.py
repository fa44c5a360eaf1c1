"""What was spent in a period, and on what: totals, a breakdown, and the change against the period before."""

from __future__ import annotations

from collections.abc import Sequence

from codex_usage.answers.allowance import allowance_windows
from codex_usage.answers.budgets import budget_states
from codex_usage.answers.context import Context, check_filters, share, sums, usd
from codex_usage.answers.periods import Period
from codex_usage.answers.pricing import not_plain, price_notes
from codex_usage.answers.results import Change, Summary, SummaryRow
from codex_usage.index import Filters, GroupRow, queries
from codex_usage.index.zones import day_date
from codex_usage.model import ORIGINS, BadInput

GROUP_WORDS = (
    "model", "project", "day", "week", "month", "effort", "tier", "origin", "provider", "role", "directory", "thread",
)  # fmt: skip
_IN_TIME = ("day", "week", "month")


def summary(
    context: Context,
    period: Period,
    *,
    by: Sequence[str] = ("model",),
    filters: Filters | None = None,
    compare: bool = True,
    limit: int = 10,
) -> Summary:
    """Totals of a period with its top groups; what is not listed is told as the rest. Raises BadInput."""
    by = list(dict.fromkeys(by))
    for word in by:
        if word not in GROUP_WORDS:
            raise BadInput(f"Cannot group by {word!r}; use {', '.join(GROUP_WORDS)}.")
    filters = check_filters(context.index, filters or Filters())
    with context.index.snapshot():
        scope = context.scope(period)
        total = queries.totals(context.index, scope, filters)
        rows = queries.groups(context.index, by, scope, filters, context.zone_name) if by else []
        rows = _ordered(by, rows)
        left = max(0, len(rows) - limit)
        shown = rows[left:] if by and by[0] in _IN_TIME else rows[:limit]
        listed = by if shown else []
        rest = queries.groups(context.index, listed, scope, filters, context.zone_name, shown)[0] if left else None
        notes = price_notes(context, scope, filters, total)
        return Summary(
            period=context.info(period),
            total=sums(total),
            previous=_change(context, period, filters, total) if compare else None,
            by=by,
            rows=[SummaryRow(labels=_labels(by, row), sums=sums(row), share=share(row, total)) for row in shown],
            rest_groups=left,
            rest=sums(rest) if rest else None,
            prices=[note for note in notes if not_plain(note)],
            budgets=budget_states(context),
            allowance=allowance_windows(context) if filters == Filters() else [],
            coverage=context.coverage(),
            data_quality=context.quality(scope, filters, total),
            next=_next(by, period, total),
        )


def _ordered(by: Sequence[str], rows: list[GroupRow]) -> list[GroupRow]:
    if by and by[0] in _IN_TIME:
        return sorted(rows, key=lambda row: (str(row.key[0]).zfill(12), -row.cost))
    return sorted(rows, key=lambda row: (-row.cost, -(row.input + row.output), row.labels))


def _labels(by: Sequence[str], row: GroupRow) -> list[str]:
    labels = []
    for word, label in zip(by, row.labels, strict=True):
        if word in ("day", "week"):
            labels.append(str(day_date(label)))
        elif word == "origin":
            labels.append(" ".join(ORIGINS[label][:2]))
        else:
            labels.append(str(label))
    return labels


def _change(context: Context, period: Period, filters: Filters, total: GroupRow) -> Change | None:
    before = period.before(context.zone)
    if before is None or not context.covers(before):
        return None
    old = queries.totals(context.index, context.scope(before), filters)
    known = (old.priced or not old.calls) and (total.priced or not total.calls)
    return Change(
        period=context.info(before),
        cost_usd=usd(old.cost) if old.priced or not old.calls else None,
        total_tokens=old.input + old.output,
        calls=old.calls,
        cost_delta_usd=usd(total.cost - old.cost) if known else None,
        cost_percent=round(100 * (total.cost - old.cost) / old.cost, 1) if known and old.cost else None,
        tokens_percent=_percent(total.input + total.output, old.input + old.output),
    )


def _percent(new: int, old: int) -> float | None:
    return round(100 * (new - old) / old, 1) if old else None


def _next(by: Sequence[str], period: Period, total: GroupRow) -> str:
    if not total.calls:
        return "usage_summary with period=all"
    if "thread" in by:
        return f"usage_calls with period={period.label} order=cost"
    return f"usage_threads with period={period.label}"
