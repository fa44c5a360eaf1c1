"""What was spent in a period, on what and at which prices: totals, a breakdown, and the change against the period
before."""

from collections.abc import Callable, Sequence
from typing import Any

from codex_usage.answers.allowance import allowance_windows
from codex_usage.answers.context import Context, asking, money_problems, rated_sums, share, sums, usd
from codex_usage.answers.periods import Period
from codex_usage.answers.results import Change, PerMillion, PriceNote, PricingCoverage, Summary, SummaryRow, Year
from codex_usage.answers.status import budget_states
from codex_usage.index import Filters, GroupRow, Scope, queries
from codex_usage.index.zones import day_date
from codex_usage.model import ORIGINS, BadInput
from codex_usage.model.questions import ALSO_GROUPS, GROUP_WORDS, TIME_WORDS
from codex_usage.money.prices import Band, CreditRate, Rate

_NOT_SURE = ("estimated", "unpriced")
_TOLD: dict[str, Callable[[Any], Any]] = {
    "day": day_date, "week": day_date, "origin": lambda at: " ".join(ORIGINS[at][:2]),
}  # fmt: skip


def summary(
    context: Context, period: Period, *, by: Sequence[str] = ("model",), filters: Filters | None = None,
    compare: bool = True, limit: int = 10, order: str | None = None, ytd: bool = False,
) -> Summary:  # fmt: skip
    """Totals of a period with its top groups, by time (the latest) or cost; what is not listed is told as the rest.
    `ytd` adds the year so far, of the same filters. Raises BadInput."""
    by = list(dict.fromkeys(ALSO_GROUPS.get(word, word) for word in by))
    for word in by:
        if word not in GROUP_WORDS:
            raise BadInput(f"Cannot group by {word!r}; use {', '.join(GROUP_WORDS)}.")
    in_time = bool(by) and by[0] in TIME_WORDS
    if order not in (None, "cost", "time") or (order == "time" and not in_time):
        raise BadInput(f"Cannot order by {order!r}; use cost, or time of days, weeks or months.")
    asked = ["sunday_week" if word == "week" and context.week_start else word for word in by]
    with asking(context, period, filters) as (scope, filters, total, about):
        rows = queries.groups(context.index, asked, scope, filters, context.zone_name) if by else []
        rows.sort(key=lambda row: (-row.cost, -(row.input + row.output), row.labels))
        if in_time := in_time and order != "cost":
            rows.sort(key=lambda row: str(row.key[0]).zfill(12))  # within a day, the costliest first
        left = max(0, len(rows) - limit)
        shown = rows[left:] if in_time else rows[:limit]
        listed = asked if shown else []
        rest = queries.groups(context.index, listed, scope, filters, context.zone_name, shown)[0] if left else None
        return Summary(
            **about, previous=_change(context, period, filters, total) if compare else None, by=by,
            rows=[SummaryRow(labels=_labels(by, row), sums=sums(row), share=share(row, total)) for row in shown],
            rest_groups=left, rest=sums(rest) if rest else None,
            prices=[note for note in price_notes(context, scope, filters, total) if not_plain(note)],
            budgets=budget_states(context), allowance=allowance_windows(context) if filters == Filters() else [],
            next=_next(by, period, total), ytd=year(context, filters) if ytd else None,
        )  # fmt: skip


def year(context: Context, filters: Filters) -> Year:
    """The year so far."""
    scope = context.scope(context.period("this_year"))
    days = queries.groups(context.index, ("day",), scope, filters)
    highest = max(days, key=lambda row: row.cost, default=None)
    total = queries.totals(context.index, scope, filters)
    return Year(
        total=sums(total), days=len(days), sessions=queries.sessions(context.index, scope, filters),
        highest_day=str(day_date(highest.key[0])) if highest and highest.cost else None,
        highest_usd=usd(highest.cost) if highest and highest.cost else None,
        average_usd=usd(round(total.cost / len(days))) if total.priced else None,
    )  # fmt: skip


def _labels(by: Sequence[str], row: GroupRow) -> list[str]:
    return [str(_TOLD.get(word, str)(label)) for word, label in zip(by, row.labels, strict=True)]


def _change(context: Context, period: Period, filters: Filters, total: GroupRow) -> Change | None:
    before = period.before(context.zone)
    if before is None or not context.covers(before):
        return None
    old = queries.totals(context.index, context.scope(before), filters)
    was, now = sums(old), sums(total)
    delta = None if was.cost_usd is None or now.cost_usd is None else total.cost - old.cost
    more = now.total_tokens - was.total_tokens
    return Change(
        period=context.info(before), cost_usd=was.cost_usd, total_tokens=was.total_tokens, calls=old.calls,
        cost_delta_usd=usd(delta),
        cost_percent=round(100 * delta / old.cost, 1) if delta is not None and old.cost else None,
        tokens_percent=round(100 * more / was.total_tokens, 1) if was.total_tokens else None,
    )  # fmt: skip


def _next(by: Sequence[str], period: Period, total: GroupRow) -> str:
    if not total.calls:
        return "usage_summary with period=all"
    if "thread" in by:
        return f"usage_calls with period={period.label} order=cost"
    return f"usage_threads with period={period.label}"


# -- prices ------------------------------------------------------------------------------------------------


def pricing_coverage(context: Context, period: Period, filters: Filters | None = None) -> PricingCoverage:
    """Every price that a period's calls rest on, the least sure first. Raises BadInput."""
    from codex_usage.money.catalog import catalog  # 0.1 s that other answers don't need

    public = catalog()
    with asking(context, period, filters) as (scope, filters, total, about):
        rows = price_notes(context, scope, filters, total)
        return PricingCoverage(
            **about, source=public.source, rows=sorted(rows, key=lambda row: row.confidence not in _NOT_SURE),
            problems=[*money_problems(), *([public.problem] if public.problem else [])],
        )  # fmt: skip


def price_notes(context: Context, scope: Scope, filters: Filters, total: GroupRow) -> list[PriceNote]:
    """The prices that some calls rest on, the greatest cost first."""
    return [_note(stored, row, total) for stored, row in rated_sums(context.index, scope, filters)]


def pinned_prices(context: Context) -> dict[str, list[dict[str, Any]]]:
    """The prices that the index's calls rest on, as the models of a pricing.json: with these the costs stay as they
    are, whatever prices come later. What is unpriced, or priced by an alias of the log's name, is pinned as such."""
    found: dict[str, list[dict[str, Any]]] = {}
    last: dict[tuple[str, str], Rate] = {}
    for stored in queries.rates(context.index).values():
        rate, key = stored.rate, (stored.model, stored.tier)
        before, last[key] = last.get(key), rate
        if not rate.bands or (before is not None and (before.bands, before.reason) == (rate.bands, rate.reason)):
            continue  # rates also part where only the credits changed
        for band in rate.bands:
            prices = _per_million(band)
            row: dict[str, Any] = {"from": rate.since, "tier": stored.tier or "standard", "above": band.above or None}
            row |= {**prices.model_dump(), "cache_write_1h": band.cache_write_1h / 1e6}
            row |= {"source": rate.source, "estimated": rate.reason}
            found.setdefault(stored.model, []).append({name: value for name, value in row.items() if value is not None})
    return found


def not_plain(note: PriceNote) -> bool:
    """Is there something to say of a price: not exact, of another name, or the user's own?"""
    return note.confidence != "exact" or note.priced_as != note.model or not note.source.startswith("genai-prices")


def _note(stored: queries.StoredRate, row: GroupRow, total: GroupRow) -> PriceNote:
    rate, one = stored.rate, stored.rate.credits
    band = rate.bands[0] if rate.bands else None
    return PriceNote(
        provider=stored.provider, model=stored.model or None, service_tier=stored.tier or None, priced_as=rate.matched,
        source=rate.source, since=rate.since, confidence=rate.confidence, reason=rate.reason,
        usd=_per_million(band) if band else None,
        long_context=len(rate.bands) > 1, credit_confidence=rate.credit_confidence, credit_reason=rate.credit_reason,
        credit=_per_million(one) if one else None, calls=row.calls,
        total_tokens=row.input + row.output, cost_usd=usd(row.cost) if row.priced else None,
        credits=usd(row.credits) if row.credited else None, share=share(row, total),
    )  # fmt: skip


def _per_million(one: Band | CreditRate) -> PerMillion:
    """Pico-units of a token as units of a million."""
    written = one.cache_write / 1e6 if isinstance(one, Band) else None
    return PerMillion(
        input=one.input / 1e6, cached_input=one.cached / 1e6, cache_write=written, output=one.output / 1e6
    )
