"""Prices worked out by hand, and checked against genai-prices' own arithmetic."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_usage.model import Tokens
from codex_usage.money import Prices, price_source

PRICES = Prices()
NOW = 1_795_291_200_000  # 2026-11-21


def day_ms(text: str) -> int:
    """Midnight UTC of a day."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def dollars(
    model: str, tokens: Tokens, *, provider: str = "codex", tier: str | None = None, at: int = NOW, one_hour: int = 0
) -> Decimal | None:
    """What a call costs, in dollars."""
    cost = PRICES.rate(provider, model, tier, at).cost(tokens, one_hour)
    return None if cost is None else Decimal(cost) / 10**9


def test_input_cached_input_and_output_have_their_own_prices() -> None:
    # gpt-5.5: 5.00 a million input, 0.50 cached, 30.00 output
    tokens = Tokens(input=100_000, cached=80_000, output=2_000, reasoning=1_500)
    assert dollars("gpt-5.5", tokens) == Decimal("0.20")  # 20,000 x 5 + 80,000 x 0.5 + 2,000 x 30


def test_reasoning_is_part_of_the_output() -> None:
    assert dollars("gpt-5.5", Tokens(output=1000, reasoning=1000)) == dollars("gpt-5.5", Tokens(output=1000))


@pytest.mark.parametrize(("size", "cost"), [(272_000, "1.36"), (272_001, "2.72001")])
def test_a_long_context_costs_more_above_its_threshold_only(size: int, cost: str) -> None:
    assert dollars("gpt-5.5", Tokens(input=size)) == Decimal(cost)


def test_a_long_context_raises_the_price_of_its_output_and_cached_input_too() -> None:
    # above 272,000: 10.00 input, 1.00 cached, 45.00 output
    tokens = Tokens(input=300_000, cached=200_000, output=1000)
    assert dollars("gpt-5.5", tokens) == Decimal("1.245")


def test_claude_cache_writes_for_five_minutes_and_for_an_hour_differ() -> None:
    # claude-opus-5-5: 4.00 input, 0.20 cached, 5.00 and 8.00 written, 20.00 output
    tokens = Tokens(input=16_000, cached=5_000, cache_write=10_000, output=100)
    assert dollars("claude-opus-5-5", tokens, provider="claude", one_hour=7_000) == Decimal("0.078")


def test_a_cache_write_without_a_price_costs_as_input() -> None:
    assert dollars("gpt-5", Tokens(input=1000, cache_write=400)) == Decimal("0.00125")


@pytest.mark.parametrize(
    ("tier", "cost"), [(None, "5"), ("default", "5"), ("priority", "12.5"), ("fast", "12.5"), ("flex", "2.5")]
)
def test_service_tiers_have_their_own_prices(tier: str | None, cost: str) -> None:
    assert dollars("gpt-5.5", Tokens(input=200_000), tier=tier) == Decimal(cost) / 5


def test_a_tier_counts_from_the_day_on_which_it_was_priced() -> None:
    tokens = Tokens(input=200_000)
    before, after = day_ms("2026-10-12") - 1, day_ms("2026-10-12")
    assert PRICES.rate("codex", "gpt-5.5", "priority", after).confidence == "exact"
    estimate = PRICES.rate("codex", "gpt-5.5", "priority", before)
    assert estimate.confidence == "estimated"
    assert estimate.reason == "gpt-5.5 priority at the standard price: no other is known for that day"
    assert dollars("gpt-5.5", tokens, tier="priority", at=before) == Decimal("1")
    assert dollars("gpt-5.5", tokens, tier="priority", at=after) == Decimal("2.5")


@pytest.mark.parametrize(("at", "cost"), [(day_ms("2025-06-10") - 1, "10"), (day_ms("2025-06-10"), "2")])
def test_a_price_that_changed_is_that_of_the_calls_day(at: int, cost: str) -> None:
    assert dollars("o3", Tokens(input=1_000_000), at=at) == Decimal(cost)


@pytest.mark.parametrize("model", ["nonesuch", "", None, "gpt-5.5\x00"])
def test_a_model_without_a_price_costs_nothing_known(model: str | None) -> None:
    rate = PRICES.rate("codex", model, None, NOW)
    assert (rate.confidence, rate.cost(Tokens(input=1000))) == ("unpriced", None)
    assert rate.reason


def test_the_price_of_a_variant_is_that_of_its_family_and_says_so() -> None:
    rate = PRICES.rate("codex", "gpt-5.2-codex", None, NOW)
    assert (rate.matched, rate.confidence, rate.reason) == ("gpt-5.2", "exact", None)
    assert rate.source.startswith("genai-prices")


def test_a_million_calls_add_up_without_drift() -> None:
    # 7 x 5 + 3 x 0.5 + 11 x 30 = 366.5 millionths of a dollar a call
    tokens = Tokens(input=10, cached=3, output=11)
    rate = PRICES.rate("codex", "gpt-5.5", None, NOW)
    assert sum(rate.cost(tokens) or 0 for _ in range(1_000_000)) == 366_500_000_000


def test_the_source_of_the_prices_has_a_name() -> None:
    assert "genai-prices:" in price_source()


MODELS = {
    "codex": [
        "gpt-5.5",
        "gpt-5",
        "gpt-5-codex",
        "gpt-5.1-codex-mini",
        "gpt-5.2-codex",
        "gpt-5.4",
        "gpt-5.6-sol",
        "gpt-5.6-luna",
        "gpt-6-sol",
        "o3",
        "gpt-5.5-cyber",
    ],
    "claude": ["claude-opus-5-5", "claude-sonnet-4-5", "claude-sonnet-4-6", "claude-opus-4-6", "claude-haiku-4-5"],
}


@given(
    model=st.sampled_from([(provider, model) for provider, models in MODELS.items() for model in models]),
    tier=st.sampled_from([None, "priority", "flex"]),
    at=st.integers(day_ms("2025-01-01"), day_ms("2026-12-31")),
    parts=st.tuples(*[st.integers(0, 400_000)] * 3),
    output=st.integers(0, 100_000),
)
@settings(max_examples=300, deadline=None)
def test_every_price_is_that_of_genai_prices(
    model: tuple[str, str], tier: str | None, at: int, parts: tuple[int, int, int], output: int
) -> None:
    provider, name = model
    uncached, cached, written = parts
    tier = tier if provider == "codex" else None
    tokens = Tokens(uncached + cached + written, cached, written, output)
    usage = Usage(input_tokens=tokens.input, cache_read_tokens=cached, cache_write_tokens=written, output_tokens=output)
    theirs = calc_price(
        usage,
        name,
        provider_id="openai" if provider == "codex" else "anthropic",
        genai_request_timestamp=datetime.fromtimestamp(at / 1000, UTC),
        price_context={"service_tier": tier} if tier else None,
    )
    assert dollars(name, tokens, provider=provider, tier=tier, at=at) == pytest.approx(
        theirs.total_price, abs=Decimal("1e-9")
    )


# -- every model, tier and day -----------------------------------------------------------------------------

SIZES = [
    Tokens(input=1000, cached=300, cache_write=200, output=77),
    Tokens(input=200_000, cached=150_000, output=3000),
    Tokens(input=272_000, cached=272_000, output=1),
    Tokens(input=272_001, cached=1, cache_write=272_000, output=128_000),
    Tokens(input=999_999, output=9),
]


def models(provider: str) -> list[Any]:
    """Every model of the price data that has prices for text."""
    found = next(each for each in get_snapshot().providers if each.id == provider).models
    named = [model for model in found if model.is_match(model.id)]
    return [model for model in named if model.get_prices(datetime.now(UTC)).input_mtok is not None]


def days_of(model: Any) -> list[datetime]:
    """The days around each start of a price, and one long before and after."""
    conditions = [*(model.price_variants or ()), *(model.prices if isinstance(model.prices, list) else ())]
    starts = [each.constraint.start_date for each in conditions if hasattr(each.constraint, "start_date")]
    days = {date(2024, 1, 1), date(2026, 11, 21), *starts, *(start - timedelta(days=1) for start in starts)}
    return [datetime.combine(day, time(18, 30), UTC) for day in sorted(days)]


def worked_out(model: Any, tier: str | None, moment: datetime, tokens: Tokens) -> Decimal:
    """Dollars by the plain rules: the last price that has begun, a tier's own over it, the long context's over that."""
    prices = model.prices
    if isinstance(prices, list):
        begun = [each for each in prices if each.constraint is None or moment.date() >= each.constraint.start_date]
        prices = (begun or prices)[-1 if begun else 0].prices
    asked = {name: getattr(prices, f"{name}_mtok") for name in ("input", "cache_read", "cache_write", "output")}
    for variant in reversed(model.price_variants or ()):
        started = variant.constraint is None or moment.date() >= variant.constraint.start_date
        if tier and started and all(value == tier for value in variant.when.values()):
            own = {name: getattr(variant.prices, f"{name}_mtok") for name in asked}
            asked |= {name: price for name, price in own.items() if price is not None}

    def price(name: str) -> Decimal | None:
        found = asked[name]
        if found is None or isinstance(found, Decimal):
            return found
        reached = [step.price for step in found.tiers if tokens.input > step.start]
        return reached[-1] if reached else found.base

    base = price("input") or Decimal(0)
    cached, written = (base if (found := price(name)) is None else found for name in ("cache_read", "cache_write"))
    plain = tokens.input - tokens.cached - tokens.cache_write
    output = price("output") or Decimal(0)
    return (plain * base + tokens.cached * cached + tokens.cache_write * written + tokens.output * output) / 10**6


@pytest.mark.parametrize("tier", [None, "priority", "fast", "flex", "batch"])
@pytest.mark.parametrize(("provider", "name"), [("codex", "openai"), ("claude", "anthropic")])
def test_every_model_of_the_price_data_costs_what_its_prices_say(provider: str, name: str, tier: str | None) -> None:
    compared = 0
    for model in models(name):
        if model.get_prices(datetime.now(UTC)).output_mtok is None:
            assert PRICES.rate(provider, model.id, tier, NOW).confidence == "unpriced"
            continue
        for moment in days_of(model):
            at = int(moment.timestamp() * 1000)
            rate = PRICES.rate(provider, model.id, tier, at)
            for tokens in SIZES:
                wanted = worked_out(
                    model, "priority" if tier == "fast" and provider == "codex" else tier, moment, tokens
                )
                assert abs(Decimal(rate.cost(tokens) or 0) / 10**9 - wanted) <= Decimal("5e-10"), (model.id, moment)
                compared += 1
    assert compared > 100


def test_a_million_calls_of_all_kinds_add_up_to_the_cent() -> None:
    kinds = [
        (model, tier, moment)
        for model in models("openai")
        if model.get_prices(datetime.now(UTC)).output_mtok is not None
        for tier in (None, "priority")
        for moment in days_of(model)
    ]
    total, wanted, calls = 0, Decimal(0), 0
    for number, (model, tier, moment) in enumerate(kinds):
        rate = PRICES.rate("codex", model.id, tier, int(moment.timestamp() * 1000))
        times = 1_000_000 // len(kinds) + 1
        tokens = Tokens(input=1237 + 311 * number, cached=617 + 97 * number, output=41 + number)
        total += sum(rate.cost(tokens) or 0 for _ in range(times))
        wanted += worked_out(model, tier, moment, tokens) * times
        calls += times
    assert calls >= 1_000_000
    assert abs(Decimal(total) / 10**9 - wanted) < Decimal("0.01")


def test_what_a_long_context_and_a_tier_add_is_told_apart() -> None:
    # 300,000 in: 10 instead of 5 a million; priority: 12.5 whatever the size
    tokens = Tokens(input=300_000)
    assert PRICES.rate("codex", "gpt-5.5", None, NOW).added(tokens) == (1_500_000_000, 0)
    assert PRICES.rate("codex", "gpt-5.5", "priority", NOW).added(tokens) == (1_500_000_000, 750_000_000)
    assert PRICES.rate("codex", "gpt-5.5", "priority", NOW).added(Tokens(input=100_000)) == (0, 750_000_000)
    assert PRICES.rate("codex", "gpt-5.5", None, NOW).added(Tokens(input=100_000)) == (0, 0)
