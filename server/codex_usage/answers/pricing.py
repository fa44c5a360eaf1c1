"""Which prices the calls of a period rest on, where these come from, and how sure they are."""

from __future__ import annotations

from typing import Any

from codex_usage.answers.context import Context, check_filters, money_problems, rated_sums, share, sums, usd
from codex_usage.answers.periods import Period
from codex_usage.answers.results import PerMillion, PriceNote, PricingCoverage
from codex_usage.index import Filters, GroupRow, Scope, queries
from codex_usage.money import Rate

_NOT_SURE = ("estimated", "unpriced")


def pricing_coverage(context: Context, period: Period, filters: Filters | None = None) -> PricingCoverage:
    """Every price that a period's calls rest on, the least sure first. Raises BadInput."""
    from codex_usage.money.catalog import catalog  # 0.1 s that other answers don't need

    public = catalog()
    filters = check_filters(context.index, filters or Filters())
    with context.index.snapshot():
        scope = context.scope(period)
        total = queries.totals(context.index, scope, filters)
        rows = price_notes(context, scope, filters, total)
        return PricingCoverage(
            period=context.info(period),
            source=public.source,
            total=sums(total),
            rows=sorted(rows, key=lambda row: row.confidence not in _NOT_SURE),
            problems=[*money_problems(), *([public.problem] if public.problem else [])],
            coverage=context.coverage(),
            data_quality=context.quality(scope, filters, total),
        )


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
            usd = _per_million(band.input, band.cached, band.cache_write, band.output)
            row: dict[str, Any] = {"from": rate.since, "tier": stored.tier or "standard", "above": band.above or None}
            row |= {**usd.model_dump(), "cache_write_1h": band.cache_write_1h / 1e6}
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
        provider=stored.provider,
        model=stored.model or None,
        service_tier=stored.tier or None,
        priced_as=rate.matched,
        source=rate.source,
        since=rate.since,
        confidence=rate.confidence,
        reason=rate.reason,
        usd=None if band is None else _per_million(band.input, band.cached, band.cache_write, band.output),
        long_context=len(rate.bands) > 1,
        credit_confidence=rate.credit_confidence,
        credit_reason=rate.credit_reason,
        credit=None if one is None else _per_million(one.input, one.cached, None, one.output),
        calls=row.calls,
        total_tokens=row.input + row.output,
        cost_usd=usd(row.cost) if row.priced else None,
        credits=usd(row.credits) if row.credited else None,
        share=share(row, total),
    )


def _per_million(base: int, cached: int, write: int | None, output: int) -> PerMillion:
    """Pico-units of a token as units of a million."""
    return PerMillion(
        input=base / 1e6,
        cached_input=cached / 1e6,
        cache_write=None if write is None else write / 1e6,
        output=output / 1e6,
    )
