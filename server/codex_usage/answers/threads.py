"""The threads behind a period's usage, and one of them as a whole."""

from codex_usage.answers.calls import call_rows
from codex_usage.answers.context import Context, asking, find_thread, iso, quantile, share, sums, usd
from codex_usage.answers.periods import Period
from codex_usage.answers.results import SummaryRow, ThreadLine, Threads
from codex_usage.answers.story import costly_turns, largest, story
from codex_usage.answers.story_results import Relative, Session
from codex_usage.index import Filters, GroupRow, Scope, ThreadRow, queries
from codex_usage.model import BadInput

ORDER_WORDS = ("cost", "tokens", "calls", "recent", "output")


def threads(
    context: Context, period: Period, *, order: str = "cost", filters: Filters | None = None, limit: int = 10,
    offset: int = 0,
) -> Threads:  # fmt: skip
    """The top threads of a period, each with its own sums within it. Raises BadInput."""
    if order not in ORDER_WORDS:
        raise BadInput(f"Cannot order threads by {order!r}; use {', '.join(ORDER_WORDS)}.")
    with asking(context, period, filters) as (scope, filters, total, about):
        rows = queries.threads(context.index, scope, filters, order=order, limit=limit, offset=offset)
        rest = max(0, total.threads - offset - len(rows))
        listed = sum(row.sums.cost for row in rows)
        short = short_id(rows[0].head["thread_id"]) if rows else None
        return Threads(
            **about, order=order, rows=[thread_line(row, total) for row in rows], rest_threads=rest,
            rest_cost_usd=usd(total.cost - listed) if rest and not offset and total.priced else None,
            next=f"usage_calls with thread={short}" if short else "usage_threads with period=all",
            cursor=str(offset + limit) if rest else None,
        )  # fmt: skip


def short_id(uuid: str) -> str:
    """The last eight characters: in UUIDv7 the first ones are the same for all threads of a minute."""
    return uuid[-8:]


def thread_line(row: ThreadRow, total: GroupRow) -> ThreadLine:
    """A thread's row as it is told."""
    return ThreadLine(
        **row.head, short_id=short_id(row.head["thread_id"]), first_call=iso(row.sums.first_ms) or "",
        last_call=iso(row.sums.last_ms) or "", sums=sums(row.sums), share=share(row.sums, total),
    )  # fmt: skip


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
        outcomes, durations, first_tokens = queries.turn_stats(index, uuid)
        own, *related = queries.relations(index, uuid)
        found = queries.thread_sums(index, [one.key for one in related])
        caused = {one.key: one.relation for one in related if one.relation != "fork"}
        priced = [row.cost for row in (total, *(found[key] for key in caused if key in found)) if row.priced]
        turn_rows = queries.turn_rows(index, [own.key, *caused])
        own_turns = [turn for turn in turn_rows if turn.thread == own.key]
        others = [turn for turn in turn_rows if turn.thread != own.key]
        helpers = [turn for turn in others if caused[turn.thread] in ("subagent", "guardian")]
        steps = queries.steps(index, own.key)
        children = [_relative(one, found.get(one.key)) for one in related]
        models = sorted(queries.groups(index, ("model",), scope, filters), key=lambda row: -row.cost)
        return Session(
            thread=thread_line(rows[0], total),
            children=sorted(children, key=lambda child: (-(child.cost_usd or 0), child.thread_id)),
            with_children_usd=usd(sum(priced)) if priced else None, turns=costly_turns(own_turns, others),
            story=story(steps, own_turns, helpers), context=largest(steps), zone=context.zone_name,
            models=[SummaryRow(labels=[str(row.labels[0])], sums=sums(row), share=share(row, total)) for row in models],
            turn_outcomes=outcomes, turn_ms_median=quantile(durations, 0.5), turn_ms_p95=quantile(durations, 0.95),
            first_token_ms_median=quantile(first_tokens, 0.5),
            costly_calls=call_rows(context, queries.calls(index, scope, filters, order="cost", limit=5)),
            coverage=context.coverage(), data_quality=context.quality(scope, filters, total),
        )  # fmt: skip


def _relative(one: queries.Relation, total: GroupRow | None) -> Relative:
    return Relative(
        thread_id=one.uuid, relation=one.relation, link=one.link, depth=one.depth, calls=total.calls if total else 0,
        cost_usd=usd(total.cost) if total and total.priced else None,
        credits=usd(total.credits) if total and total.credited else None,
    )  # fmt: skip
