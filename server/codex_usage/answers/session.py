"""One thread as a whole: its sums, models, turns, costliest calls, its story and the threads it led to."""

from __future__ import annotations

from codex_usage.answers.calls import call_rows
from codex_usage.answers.context import Context, find_thread, share, sums, usd
from codex_usage.answers.results import SummaryRow
from codex_usage.answers.story import costly_turns, story
from codex_usage.answers.story_results import Relative, Session
from codex_usage.answers.threads import thread_line
from codex_usage.index import Filters, GroupRow, Scope, queries
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
        outcomes, durations, first_tokens = queries.turn_stats(index, uuid)
        own, *related = queries.relations(index, uuid)
        found = queries.thread_sums(index, [one.key for one in related])
        caused = {one.key: one.relation for one in related if one.relation != "fork"}
        priced = [row.cost for row in (total, *(found[key] for key in caused if key in found)) if row.priced]
        turn_rows = queries.turn_rows(index, [own.key, *caused])
        own_turns = [turn for turn in turn_rows if turn.thread == own.key]
        others = [turn for turn in turn_rows if turn.thread != own.key]
        helpers = [turn for turn in others if caused[turn.thread] in ("subagent", "guardian")]
        return Session(
            thread=thread_line(rows[0], total),
            children=sorted(
                (_relative(one, found.get(one.key)) for one in related),
                key=lambda child: (-(child.cost_usd or 0), child.thread_id),
            ),
            with_children_usd=usd(sum(priced)) if priced else None,
            story=story(queries.steps(index, own.key), own_turns, helpers),
            turns=costly_turns(own_turns, others),
            models=[
                SummaryRow(labels=[str(row.labels[0])], sums=sums(row), share=share(row, total))
                for row in sorted(models, key=lambda row: -row.cost)
            ],
            zone=context.zone_name,
            turn_outcomes=outcomes,
            turn_ms_median=_at(durations, 0.5),
            turn_ms_p95=_at(durations, 0.95),
            first_token_ms_median=_at(first_tokens, 0.5),
            costly_calls=call_rows(context, queries.calls(index, scope, filters, order="cost", limit=5)),
            coverage=context.coverage(),
            data_quality=context.quality(scope, filters, total),
        )


def _relative(one: queries.Relation, total: GroupRow | None) -> Relative:
    return Relative(
        thread_id=one.uuid,
        relation=one.relation,
        link=one.link,
        depth=one.depth,
        calls=total.calls if total else 0,
        cost_usd=usd(total.cost) if total and total.priced else None,
        credits=usd(total.credits) if total and total.credited else None,
    )


def _at(values: list[int], quantile: float) -> int | None:
    """The value below which a part of the sorted values lies (nearest rank)."""
    return values[min(len(values) - 1, int(quantile * len(values)))] if values else None
