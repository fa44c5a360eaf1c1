"""What a call's tokens cost: provider, model, service tier and time in, dollars and credits with their sources out.

A price comes from the first of these that has one: the user's pricing.json, genai-prices (its package, or what
`update-pricing` fetched), an alias stated below. Prices are integer pico-dollars per token and costs integer
nano-dollars per call, so that no sum drifts: 0.0025 USD per million tokens is 2,500 pico-dollars per token exactly.
Credits are counted the same way. genai-prices takes 0.1-0.2 s to import, so it is loaded only for a model that no
stored rate knows.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple, replace

from codex_usage.homes.config import config_mark
from codex_usage.model import Tokens
from codex_usage.money.catalog import catalog
from codex_usage.money.config import PRICE_FILES, load_pricing, load_rate_card

#: Raise it when a rule in here changes: all money is then worked out again.
RULES = 1
_PICO_PER_TOKEN = 1_000_000  # per million tokens -> pico-units per token
_MODEL_PROVIDERS = {"codex": "openai", "claude": "anthropic"}
_STANDARD = (None, "", "default", "standard", "auto")
#: Names in logs that stand in no price list. Codex's auto review ran on gpt-5.4 before it got a name of its own
#: (GUARDIAN_PREFERRED_MODEL in openai/codex, 2026); Spark is a preview of gpt-5.3-codex without an API price.
ALIASES = {"codex-auto-review": "gpt-5.4", "gpt-5.3-codex-spark": "gpt-5.3-codex"}
#: OpenAI's published credit rates are this many credits for a dollar of standard API price, in every row.
CREDITS_PER_USD = 25


class Band(msgspec.Struct, array_like=True, frozen=True):
    """Prices (pico-USD per token) of calls with more than `above` input tokens."""

    above: int
    input: int
    cached: int
    cache_write: int
    cache_write_1h: int
    output: int


class CreditRate(msgspec.Struct, array_like=True, frozen=True):
    """Pico-credits per token. What is written to the cache counts as input."""

    input: int
    cached: int
    output: int


class Rate(msgspec.Struct, array_like=True, frozen=True):
    """What one model and tier cost from a moment on, and how that is known.

    `matched` is the name in the price list. `confidence` is exact, estimated or unpriced (then `bands` is empty);
    `credit_confidence` is exact, inferred, override (the user's own) or missing, and None where credits don't apply.
    Whatever is not exact has a reason. `standard` holds the bands of the standard tier where this is another one,
    `since` the day on which the price began (credits may part a price's time in two), `plain_credits` the credit
    rate without a fast mode's multiplier where there is one.
    """

    from_ms: int
    matched: str | None
    source: str
    confidence: str
    reason: str | None
    bands: list[Band]
    credits: CreditRate | None = None
    credit_confidence: str | None = None
    credit_reason: str | None = None
    standard: list[Band] = []
    since: str | None = None
    plain_credits: CreditRate | None = None

    def cost(self, tokens: Tokens, one_hour: int = 0) -> int | None:
        """Nano-dollars of one call, or None when no price is known (never zero)."""
        return _cost(self.bands, tokens, one_hour) if self.bands else None

    def added(self, tokens: Tokens, one_hour: int = 0) -> tuple[int, int]:
        """Nano-dollars of that cost which a long context and a tier other than the standard one added."""
        standard = self.standard or self.bands
        if not standard or (standard is self.bands and (len(standard) == 1 or tokens[0] <= standard[1].above)):
            return 0, 0
        plain, long = _cost(standard[:1], tokens, one_hour), _cost(standard, tokens, one_hour)
        return long - plain, _cost(self.bands, tokens, one_hour) - long if self.bands else 0

    def credited(self, tokens: Tokens) -> int | None:
        """Nano-credits of one call, or None when there is no credit rate."""
        rate = self.credits
        if rate is None:
            return None
        cached = min(tokens[1], tokens[0])
        return ((tokens[0] - cached) * rate.input + cached * rate.cached + tokens[3] * rate.output + 500) // 1000


def _cost(bands: list[Band], tokens: Tokens, one_hour: int) -> int:
    band = bands[0]
    size, cached, written, output, _ = tokens
    if len(bands) > 1:
        for candidate in bands:
            if size > candidate.above:
                band = candidate
    pico = output * band.output
    if cached or written or one_hour:
        cached = min(cached, size)
        written = min(written, size - cached)
        one_hour = min(one_hour, written)
        pico += cached * band.cached + (written - one_hour) * band.cache_write + one_hour * band.cache_write_1h
        size -= cached + written
    return (pico + size * band.input + 500) // 1000


class _Offer(NamedTuple):
    """What a source asks from a moment on; without bands it asks nothing yet."""

    from_ms: int
    matched: str | None
    source: str
    bands: list[Band]
    reason: str | None = None


Key = tuple[str, str, str]


def price_source() -> str:
    """Names the price data and the user's files; a change means that every cost must be worked out again."""
    spec = importlib.util.find_spec("genai_prices")
    mark = "none"
    if spec is not None and spec.origin is not None:
        try:
            stat = Path(spec.origin).with_name("data.py").stat()
            mark = f"{stat.st_size}:{stat.st_mtime_ns // 10**9}"
        except OSError:
            mark = "unknown"
    return f"{RULES} genai-prices:{mark} {config_mark(PRICE_FILES)}"


def key_of(provider: str, model: str | None, tier: str | None) -> Key:
    """What decides the rates of a call, beside its time. OpenAI has two words for its fast tier."""
    tier = "" if tier in _STANDARD else tier or ""
    return provider, model or "", "priority" if tier == "fast" and provider == "codex" else tier


class Prices:
    """The rates of models as the price data and the user's files have them now."""

    pricing = cached_property(lambda _: load_pricing())
    card = cached_property(lambda _: load_rate_card())

    def rate(self, provider: str, model: str | None, tier: str | None, time_ms: int) -> Rate:
        """The rate of a call; before the first one the oldest."""
        rates = self.rates(key_of(provider, model, tier))
        return next((rate for rate in reversed(rates) if time_ms >= rate.from_ms), rates[0])

    def rates(self, key: Key) -> list[Rate]:
        """All rates of a model and tier by their first moments; at least one, if only to say that there is none."""
        provider, model, tier = key
        if not model:
            return [Rate(0, None, "none", "unpriced", "the log names no model", [])]
        name, alias = self._name(model)
        if name in ALIASES and name not in self.pricing.models and not _market(provider, name, ""):
            name, alias = ALIASES[name], f"{model} priced as {ALIASES[name]}: it has no published price"
        market, plain = _market(provider, name, tier), _market(provider, name, "")
        own, own_plain = self._own(name, tier), self._own(name, "")
        since = _ms(self.card.since)
        starts = {0, since, *(offer.from_ms for offer in (*own, *own_plain, *market, *plain))}
        rates: list[Rate] = []
        for start in sorted(starts):
            standard = _in_force(own_plain, start)
            offer = _in_force(own, start)
            if offer is None and standard is not None:
                offer = standard._replace(reason=f"{name} {tier} at the standard price: pricing.json has no other")
            offer = offer or _in_force(market, start)
            standard = standard or _in_force(plain, start)
            if offer is None:
                begin = f"pricing.json prices {model} from {_day(own_plain[0].from_ms)} on only" if own_plain else None
                rate = Rate(start, None, "none", "unpriced", begin or f"no price is known for {model}", [])
            else:
                reason = "; ".join(filter(None, (alias, offer.reason))) or None
                state = "estimated" if reason else "exact"
                plainly = standard.bands if standard and standard.bands != offer.bands else []
                rate = Rate(start, offer.matched, offer.source, state, reason, offer.bands, standard=plainly)
                if offer.from_ms:
                    rate = replace(rate, since=str(_day(offer.from_ms)))
            if provider == "codex":
                rate = self._credit(rate, model, name, alias, tier, standard, start < since)
            if not rates or replace(rate, from_ms=rates[-1].from_ms) != rates[-1]:
                rates.append(rate)
        return rates

    def _name(self, model: str) -> tuple[str, str | None]:
        """The name to look for, and why it is not the log's own."""
        other = self.pricing.aliases.get(model)
        if other is None or model in self.pricing.models:
            return model, None
        return other, f"{model} priced as {other}: pricing.json says so"

    def _own(self, name: str, tier: str) -> list[_Offer]:
        """What the user's pricing.json asks for a model at a tier."""
        rows = [row for row in self.pricing.models.get(name, []) if row.tier == (tier or "standard")]
        offers = []
        for start in sorted({row.from_ms for row in rows}):
            now = sorted((row for row in rows if row.from_ms == start), key=lambda row: row.above)
            reason = next((row.estimated for row in now if row.estimated), None)
            source = next((row.source for row in now if row.source), "pricing.json")
            bands = [
                _band(row.above, (row.input, row.cached_input, row.cache_write, row.cache_write_1h, row.output))
                for row in now
            ]
            offers.append(_Offer(start, name, source, bands, reason))
        return offers

    def _credit(
        self, rate: Rate, model: str, name: str, alias: str | None, tier: str, standard: _Offer | None, early: bool
    ) -> Rate:
        """A rate with its credits: of the rate card, else inferred from the standard price of that day."""
        card = self.card
        if card.plan != "tokens":
            why = f"on a {card.plan.replace('_', '-')} plan credits do not follow tokens"
            return replace(rate, credit_confidence="missing", credit_reason=why)
        row = next((card.rows[n] for n in (model, name, rate.matched) if n in card.rows), None)
        reasons = [alias or ""] if row is not None and row.model != model else []
        if row is not None:
            found = CreditRate(*(int(part * _PICO_PER_TOKEN) for part in (row.input, row.cached_input, row.output)))
        elif standard is not None:
            band, times = standard.bands[0], CREDITS_PER_USD
            found = CreditRate(band.input * times, band.cached * times, band.output * times)
            reasons += [alias or "", f"not on the rate card; {times} credits for a dollar of the standard price"]
        else:
            why = "neither on the rate card nor priced"
            return replace(rate, credit_confidence="missing", credit_reason=why)
        plain = None
        if tier == "priority":
            names = (model, name, rate.matched or "", "default")
            fast = next(card.fast[n] for n in names if n in card.fast)
            plain = found
            found = CreditRate(*(int(part * fast.multiplier) for part in astuple(found)))
            reasons.append(f"fast mode taken as {fast.multiplier.normalize():f} times ({fast.source})")
        elif tier:
            reasons.append(f"no credit rate is published for {tier}; the standard one")
        if early:
            reasons.append(f"credits followed messages, not tokens, before {card.since}")
        told = "; ".join(dict.fromkeys(reason for reason in reasons if reason)) or None
        state = "inferred" if told or row is None else row.state
        told = told or (row.note if row else None) or None
        return replace(rate, credits=found, credit_confidence=state, credit_reason=told, plain_credits=plain)


def _in_force(offers: Iterable[_Offer], time_ms: int) -> _Offer | None:
    """The last offer that has begun; a later one in the list wins over an earlier one of the same moment."""
    begun = [offer for offer in offers if offer.from_ms <= time_ms]
    return max(begun, key=lambda offer: offer.from_ms, default=None)


def _market(provider: str, name: str, tier: str) -> list[_Offer]:
    """What genai-prices has for a model, by its start dates; empty when it does not know the name."""
    from genai_prices.types import StartDateConstraint

    data = catalog()
    try:
        _, info = data.snapshot.find_provider_model(name, None, _MODEL_PROVIDERS[provider], None)
    except LookupError:
        return []
    context = {"service_tier": tier, "speed": tier, "processing": tier} if tier else None
    variants = list(info.price_variants or ())
    conditions = variants + (info.prices if isinstance(info.prices, list) else [])
    limits = [each.constraint for each in conditions if isinstance(each.constraint, StartDateConstraint)]
    starts = sorted({limit.start_date for limit in limits})
    offers: list[_Offer] = []
    for start in [date(1970, 1, 1), *starts]:
        noon = datetime.combine(start, datetime.min.time(), UTC) + timedelta(hours=12)
        bands = _bands(info.get_prices(noon, context))
        known = not context or any(_applies(variant, noon, context) for variant in variants)
        reason = None if known else f"{info.id} {tier} at the standard price: no other is known for that day"
        if bands and (not offers or (offers[-1].bands, offers[-1].reason) != (bands, reason)):
            offers.append(_Offer(_ms(start), info.id, data.source, bands, reason))
    return offers


def _applies(variant: Any, moment: datetime, context: dict[str, str]) -> bool:
    """Does a variant ask a price of its own, then, for one of these words?"""
    active = variant.constraint is None or variant.constraint.active(moment)
    asked = all(context.get(key) == value for key, value in variant.when.items())
    return active and asked and any(price is not None for price in vars(variant.prices).values())


def _bands(prices: Any) -> list[Band]:
    """A ModelPrice as bands by input size. A class without a price of its own costs as its parent class."""
    words = ("input", "cache_read", "cache_write", "cache_write_1h", "output")
    values = [getattr(prices, f"{word}_mtok", None) for word in words]
    if values[0] is None or values[-1] is None:
        return []
    starts = {0} | {tier.start for value in values for tier in getattr(value, "tiers", ())}
    return [_band(start, (_price_above(value, start) for value in values)) for start in sorted(starts)]


def _price_above(value: Any, above: int) -> Decimal | None:
    """A price in force above a number of input tokens."""
    if not hasattr(value, "tiers"):
        return None if value is None else Decimal(value)
    reached = [tier.price for tier in value.tiers if 0 < tier.start <= above]
    return Decimal(reached[-1] if reached else value.base)


def _band(above: int, prices: Iterable[Decimal | None]) -> Band:
    """A band from prices of input, cached, written (also for an hour) and output, in USD per million tokens."""
    base, cached, write, hour, output = prices
    write = base if write is None else write
    each = (base, base if cached is None else cached, write, write if hour is None else hour, output)
    return Band(above, *(int((price or Decimal(0)) * _PICO_PER_TOKEN) for price in each))


def _ms(day: date) -> int:
    return int(datetime.combine(day, datetime.min.time(), UTC).timestamp()) * 1000


def _day(time_ms: int) -> date:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date()
