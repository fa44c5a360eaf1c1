"""Single model calls: the rows behind every sum."""

from collections.abc import Generator
from functools import cache
from typing import Any

from codex_usage.answers.context import Context, asking, check_filters, iso, usd
from codex_usage.answers.periods import Period
from codex_usage.answers.results import CallLine, Calls, RateLimit
from codex_usage.index import CallRow, Filters, Scope, queries
from codex_usage.model import ORIGINS, BadInput

#: What an export tells of each call: everything but the snapshots, which are rows of their own.
EXPORT_COLUMNS = tuple(name for name in CallLine.model_fields if name != "rate_limits")
CALL_ORDERS = ("cost", "tokens", "input", "uncached", "output", "recent", "oldest", "duration")


def calls(
    context: Context, period: Period, *, order: str = "cost", filters: Filters | None = None, limit: int = 10,
    offset: int = 0,
) -> Calls:  # fmt: skip
    """The top calls of a period or thread. Raises BadInput."""
    if order not in CALL_ORDERS:
        raise BadInput(f"Cannot order calls by {order!r}; use {', '.join(CALL_ORDERS)}.")
    with asking(context, period, filters) as (scope, filters, total, about):
        rows = queries.calls(context.index, scope, filters, order=order, limit=limit, offset=offset)
        rest = max(0, total.calls - offset - len(rows))
        return Calls(
            **about, order=order, rows=call_rows(context, rows), rest_calls=rest,
            next=f"usage_summary with thread={rows[0].thread[-8:]} by=day" if rows else "usage_calls with period=all",
            cursor=str(offset + limit) if rest else None,
        )  # fmt: skip


def call_rows(context: Context, rows: list[CallRow]) -> list[CallLine]:
    """Rows of calls as they are told, each with the allowance snapshot that came with it."""
    rates, limits = queries.rates(context.index), queries.limits_at(context.index, [row.uid for row in rows])
    told = cache(_limit)  # many calls share one snapshot
    return [CallLine(**call_fields(row, rates), rate_limits=[told(*one) for one in limits[row.uid]]) for row in rows]


def _limit(limit: str | None, minutes: int, used: float, resets: int | None) -> RateLimit:
    at = iso(resets * 1000 if resets else None)
    return RateLimit(limit_id=limit, window_minutes=minutes, used_percent=used, resets_at=at)


def export_rows(
    context: Context, period: Period, filters: Filters | None = None
) -> Generator[dict[str, Any], None, None]:
    """Every call of a period, oldest first, as plain dictionaries with CallLine's names. Raises BadInput at once."""
    return _export(context, context.scope(period), check_filters(context.index, filters or Filters()))


def _export(context: Context, scope: Scope, filters: Filters) -> Generator[dict[str, Any], None, None]:
    with context.index.snapshot():
        rates = queries.rates(context.index)
        for row in queries.each_call(context.index, scope, filters):
            yield call_fields(row, rates)


def call_id(uid: int) -> str:
    """A call's id as it is shown: 16 hexadecimal digits."""
    return f"{uid:016x}"


def call_fields(row: CallRow, rates: dict[int, queries.StoredRate]) -> dict[str, Any]:
    origin, rate = ORIGINS[row.origin], rates[row.rate].rate
    return {
        "call_id": call_id(row.uid), "timestamp": iso(row.time_ms), "provider": row.provider, "model": row.model,
        "effort": row.effort, "service_tier": row.tier, "thread_id": row.thread, "turn_id": row.turn,
        "parent_thread_id": row.parent, "role": row.role, "project": row.project, "cwd": row.cwd, "origin": origin.who,
        "origin_reason": origin.reason, "origin_confidence": origin.sure, "input_tokens": row.input,
        "cached_input_tokens": row.cached, "uncached_input_tokens": max(0, row.input - row.cached),
        "cache_write_input_tokens": row.cache_write, "output_tokens": row.output,
        "reasoning_output_tokens": row.reasoning, "total_tokens": row.input + row.output,
        "cache_ratio": round(row.cached / row.input, 4) if row.input else None, "context_window": row.context_window,
        "context_use": round(row.input / row.context_window, 4) if row.context_window else None,
        "duration_ms": row.duration_ms, "gap_ms": row.gap_ms, "compaction": bool(row.compaction),
        "recovered": bool(row.recovered), "cost_usd": usd(row.cost), "cost_confidence": rate.confidence,
        "cost_reason": rate.reason, "credits": usd(row.credits), "credit_confidence": rate.credit_confidence,
        "credit_reason": rate.credit_reason,
    }  # fmt: skip
