"""One thread as a whole: its sums, models, turns, costliest calls and the threads it caused."""

from __future__ import annotations

from codex_usage.answers.calls import call_rows
from codex_usage.answers.context import Context, find_thread, share, sums, usd
from codex_usage.answers.results import Relative, Session, SummaryRow
from codex_usage.answers.threads import thread_line
from codex_usage.index import Filters, Scope, queries
from codex_usage.model import BadInput


def session(context: Context, thread: str) -> Session:
    """Everything about one thread, by id, short id or name. Raises BadInput."""
    index = context.index
    uuid = find_thread(index, thread)
    with index.snapshot():
        scope, filters = Scope(), Filters(thread=uuid)
        total = queries.totals(index, scope, filters)
        rows = queries.threads(index, scope, filters, limit=1)
        if not rows:
            raise BadInput(f"Thread {uuid} has no usage recorded.")
        models = queries.groups(index, ("model",), scope, filters)
        turns = queries.turn_stats(index, uuid)
        children = [_relative(context, *found) for found in queries.children(index, uuid)]
        children.sort(key=lambda child: (-(child.cost_usd or 0), child.thread_id))
        known = [child.cost_usd for child in children if child.cost_usd is not None]
        own = usd(total.cost) if total.priced else None
        return Session(
            thread=thread_line(rows[0], total),
            children=children,
            with_children_usd=None if own is None and not known else round((own or 0) + sum(known), 6),
            models=[
                SummaryRow(labels=[str(row.labels[0])], sums=sums(row), share=share(row, total))
                for row in sorted(models, key=lambda row: -row.cost)
            ],
            zone=context.zone_name,
            turn_outcomes=turns.outcomes,
            turn_ms_median=_at(turns.durations, 0.5),
            turn_ms_p95=_at(turns.durations, 0.95),
            first_token_ms_median=_at(turns.first_tokens, 0.5),
            costly_calls=call_rows(context, queries.calls(index, scope, filters, order="cost", limit=5)),
            coverage=context.coverage(),
            data_quality=context.quality(scope, filters, total),
        )


def _relative(context: Context, uuid: str, role: str, link: str) -> Relative:
    total = queries.totals(context.index, Scope(), Filters(thread=uuid))
    return Relative(
        thread_id=uuid, role=role, link=link, calls=total.calls, cost_usd=usd(total.cost) if total.priced else None
    )


def _at(values: list[int], quantile: float) -> int | None:
    """The value below which a part of the sorted values lies (nearest rank)."""
    return values[min(len(values) - 1, int(quantile * len(values)))] if values else None
