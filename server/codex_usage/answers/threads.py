"""The threads behind a period's usage."""

from __future__ import annotations

from codex_usage.answers.context import Context, check_filters, iso, share, sums, usd
from codex_usage.answers.periods import Period
from codex_usage.answers.results import ThreadLine, Threads
from codex_usage.index import Filters, GroupRow, ThreadRow, queries
from codex_usage.model import BadInput

ORDER_WORDS = ("cost", "tokens", "calls", "recent", "output")


def threads(
    context: Context,
    period: Period,
    *,
    order: str = "cost",
    filters: Filters | None = None,
    limit: int = 10,
    offset: int = 0,
) -> Threads:
    """The top threads of a period, each with its own sums within it. Raises BadInput."""
    if order not in ORDER_WORDS:
        raise BadInput(f"Cannot order threads by {order!r}; use {', '.join(ORDER_WORDS)}.")
    filters = check_filters(context.index, filters or Filters())
    with context.index.snapshot():
        scope = context.scope(period)
        total = queries.totals(context.index, scope, filters)
        rows = queries.threads(context.index, scope, filters, order=order, limit=limit, offset=offset)
        rest = max(0, total.threads - offset - len(rows))
        listed = sum(row.sums.cost for row in rows)
        return Threads(
            period=context.info(period),
            order=order,
            total=sums(total),
            rows=[thread_line(row, total) for row in rows],
            rest_threads=rest,
            rest_cost_usd=usd(total.cost - listed) if rest and not offset and total.priced else None,
            coverage=context.coverage(),
            data_quality=context.quality(scope, filters, total),
            next=f"usage_calls with thread={short_id(rows[0].head['thread_id'])}"
            if rows
            else "usage_threads with period=all",
            cursor=str(offset + limit) if rest else None,
        )


def short_id(uuid: str) -> str:
    """The last eight characters: in UUIDv7 the first ones are the same for all threads of a minute."""
    return uuid[-8:]


def thread_line(row: ThreadRow, total: GroupRow) -> ThreadLine:
    """A thread's row as it is told."""
    return ThreadLine(
        **row.head,
        short_id=short_id(row.head["thread_id"]),
        first_call=iso(row.sums.first_ms) or "",
        last_call=iso(row.sums.last_ms) or "",
        sums=sums(row.sums),
        share=share(row.sums, total),
    )
