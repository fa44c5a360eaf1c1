"""What a machine tells a collector: its calls, turns and tool outcomes in parts of a day, and each model's totals."""

from collections.abc import Iterator
from datetime import datetime, time
from typing import Any

from codex_usage.answers.calls import call_fields
from codex_usage.answers.context import Context
from codex_usage.answers.results import SummaryRow
from codex_usage.answers.summary import summary
from codex_usage.index import Filters, queries
from codex_usage.index.facts import fact_groups
from codex_usage.index.pushing import first_call, part_marks, turns_of_day
from codex_usage.index.zones import date_day, day_date

_TOOLS = ("kind", "name", "family")


def parts(context: Context) -> dict[str, str]:
    """Every part, as `kind:YYYY-MM-DD`, the oldest day first, with a mark that differs when one of its rows does."""
    marks = part_marks(context.index)
    return {f"{kind}:{day_date(day)}": marks[kind, day] for kind, day in sorted(marks, key=lambda part: part[::-1])}


def rows_of(context: Context, part: str) -> Iterator[dict[str, Any]]:
    """The rows of a part: calls with CallLine's names and exact amounts in nano-units, turns, or tools."""
    kind, _, text = part.partition(":")
    day = datetime.fromisoformat(text).date()
    if kind == "turns":
        yield from (turn._asdict() for turn in turns_of_day(context.index, date_day(day)))
        return
    scope = context.scope(context.period(text))
    if kind == "tools":
        noon = int(datetime.combine(day, time(12), context.zone).timestamp() * 1000)
        for row in fact_groups(context.index, _TOOLS, scope):
            labels = dict(zip(("kind", "tool", "family"), row.labels, strict=True))
            counts = {"uses": row.uses, "known": row.known, "failed": row.failed, "took_ms": row.took_ms}
            yield {"day": text, "time_ms": noon, **labels, **counts}
        return
    rates = queries.rates(context.index)
    for call in queries.each_call(context.index, scope, Filters()):
        yield {**call_fields(call, rates), "cost_nano": call.cost, "credits_nano": call.credits}


def totals(context: Context) -> tuple[int, list[SummaryRow]]:
    """The time of the first call (milliseconds), and what each model used in all."""
    found = summary(context, context.period("all"), by=("provider", "model"), compare=False, limit=10**6)
    return first_call(context.index) or 0, found.rows
