"""API-equivalent prices from genai-prices' bundled data, at each call's own date.

Prices are kept as integer pico-dollars per token and costs as integer nano-dollars per call, so that no sum
drifts: a price of 0.0025 USD per million tokens is 2,500 pico-dollars per token exactly.
genai-prices takes 0.1-0.2 s to import, so it is loaded only for a model that no stored rate knows.
"""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from codex_usage.model import Tokens

_PICO_PER_TOKEN = 1_000_000  # USD per million tokens -> pico-USD per token
_MODEL_PROVIDERS = {"codex": "openai", "claude": "anthropic"}
_STANDARD = (None, "", "default", "standard", "auto")


class Band(msgspec.Struct, array_like=True, frozen=True):
    """Prices (pico-USD per token) of calls with more than `above` input tokens."""

    above: int
    input: int
    cached: int
    cache_write: int
    cache_write_1h: int
    output: int


class Rate(msgspec.Struct, array_like=True, frozen=True):
    """A model's prices from a moment on; `matched` is genai-prices' own name for the model."""

    from_ms: int
    matched: str
    bands: list[Band]


Key = tuple[str, str, str]


def price_source() -> str:
    """Names the installed price data; a change means that every cost must be worked out again."""
    spec = importlib.util.find_spec("genai_prices")
    if spec is None or spec.origin is None:
        return "none"
    data = Path(spec.origin).with_name("data.py")
    try:
        stat = data.stat()
    except OSError:
        return "unknown"
    return f"genai-prices:{stat.st_size}:{stat.st_mtime_ns // 10**9}"


class Prices:
    """Rates by provider, model and tier: those stored before, and those looked up now (`added`)."""

    def __init__(self, known: dict[Key, list[Rate]] | None = None) -> None:
        self._rates: dict[Key, list[Rate]] = dict(known or {})
        self.added: dict[Key, list[Rate]] = {}

    def cost(
        self, provider: str, model: str | None, tier: str | None, time_ms: int, tokens: Tokens, one_hour: int = 0
    ) -> int | None:
        """Nano-dollars of one call, or None when no price is known (never zero)."""
        rate = self.rate(provider, model, tier, time_ms)
        if rate is None:
            return None
        bands = rate.bands
        band = bands[0]
        if len(bands) > 1:
            for candidate in bands:
                if tokens.input > candidate.above:
                    band = candidate
        cached = min(tokens.cached, tokens.input)
        written = min(tokens.cache_write, tokens.input - cached)
        one_hour = min(one_hour, written)
        pico = (
            (tokens.input - cached - written) * band.input
            + cached * band.cached
            + (written - one_hour) * band.cache_write
            + one_hour * band.cache_write_1h
            + tokens.output * band.output
        )
        return (pico + 500) // 1000

    def rate(self, provider: str, model: str | None, tier: str | None, time_ms: int) -> Rate | None:
        """The prices of a model in force at a time, or None."""
        if not model:
            return None
        key = (provider, model, "" if tier in _STANDARD else tier or "")
        rates = self._rates.get(key)
        if rates is None:
            rates = self._rates[key] = self.added[key] = _look_up(*key)
        if not rates:
            return None
        for rate in reversed(rates):
            if time_ms >= rate.from_ms:
                return rate
        return rates[0]


def load_prices() -> None:
    """Import the price data ahead of its first use."""
    import genai_prices.data_snapshot

    genai_prices.data_snapshot.get_snapshot()


def _look_up(provider: str, model: str, tier: str) -> list[Rate]:
    """All dated prices of a model; empty when genai-prices does not know it."""
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import StartDateConstraint

    try:
        _, info = get_snapshot().find_provider_model(model, None, _MODEL_PROVIDERS[provider], None)
    except LookupError:
        return []
    context = {"service_tier": tier} if tier else None
    conditions = list(info.price_variants or ()) + (info.prices if isinstance(info.prices, list) else [])
    starts = {
        datetime.combine(c.constraint.start_date, datetime.min.time(), UTC)
        for c in conditions
        if isinstance(c.constraint, StartDateConstraint)
    }
    rates: list[Rate] = []
    for start in [datetime(1970, 1, 1, tzinfo=UTC), *sorted(starts)]:
        bands = _bands(info.get_prices(start + timedelta(hours=12), context))
        if bands and (not rates or rates[-1].bands != bands):
            rates.append(Rate(int(start.timestamp()) * 1000, info.id, bands))
    return rates


def _bands(prices: Any) -> list[Band]:
    """A ModelPrice as bands by input size. A class without a price of its own costs as its parent class."""
    named = {
        name: getattr(prices, f"{name}_mtok", None)
        for name in ("input", "cache_read", "cache_write", "cache_write_1h", "output")
    }
    if named["input"] is None or named["output"] is None:
        return []
    starts = {0} | {tier.start for value in named.values() for tier in getattr(value, "tiers", ())}
    bands = []
    for start in sorted(starts):
        at = {name: _pico(value, start) for name, value in named.items()}
        base = at["input"] or 0
        written = base if at["cache_write"] is None else at["cache_write"]
        bands.append(
            Band(
                start,
                base,
                base if at["cache_read"] is None else at["cache_read"],
                written,
                written if at["cache_write_1h"] is None else at["cache_write_1h"],
                at["output"] or 0,
            )
        )
    return bands


def _pico(value: Any, above: int) -> int | None:
    """A price in force above a number of input tokens, in pico-USD per token."""
    if value is None:
        return None
    if not isinstance(value, Decimal):
        price = value.base
        for tier in value.tiers:
            if tier.start <= above and above > 0:
                price = tier.price
        value = price
    return int(value * _PICO_PER_TOKEN)
