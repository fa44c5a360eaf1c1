"""Prices worked out by hand, and checked against genai-prices' own arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_usage.model import Tokens
from codex_usage.money import Prices, price_source

NOW = 1_795_291_200_000  # 2026-11-21


def day_ms(text: str) -> int:
    """Midnight UTC of a day."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def dollars(
    model: str, tokens: Tokens, *, provider: str = "codex", tier: str | None = None, at: int = NOW, one_hour: int = 0
) -> Decimal | None:
    """What a call costs, in dollars."""
    cost = Prices().cost(provider, model, tier, at, tokens, one_hour)
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
    assert dollars("gpt-5.5", tokens, tier="priority", at=before) == Decimal("1")
    assert dollars("gpt-5.5", tokens, tier="priority", at=after) == Decimal("2.5")


@pytest.mark.parametrize(("at", "cost"), [(day_ms("2025-06-10") - 1, "10"), (day_ms("2025-06-10"), "2")])
def test_a_price_that_changed_is_that_of_the_calls_day(at: int, cost: str) -> None:
    assert dollars("o3", Tokens(input=1_000_000), at=at) == Decimal(cost)


@pytest.mark.parametrize("model", ["nonesuch", "", None, "gpt-5.5\x00"])
def test_a_model_without_a_price_costs_nothing_known(model: str | None) -> None:
    assert Prices().cost("codex", model, None, NOW, Tokens(input=1000)) is None


def test_the_price_of_a_variant_is_that_of_its_family_and_says_so() -> None:
    rate = Prices().rate("codex", "gpt-5.2-codex", None, NOW)
    assert rate is not None
    assert rate.matched == "gpt-5.2"


def test_a_million_calls_add_up_without_drift() -> None:
    # 7 x 5 + 3 x 0.5 + 11 x 30 = 366.5 millionths of a dollar a call
    prices = Prices()
    tokens = Tokens(input=10, cached=3, output=11)
    total = sum(prices.cost("codex", "gpt-5.5", None, NOW + call, tokens) or 0 for call in range(1_000_000))
    assert total == 366_500_000_000


def test_rates_that_were_stored_need_no_look_up() -> None:
    first = Prices()
    cost = first.cost("codex", "gpt-5.5", None, NOW, Tokens(input=10))
    second = Prices(first.added)
    assert second.cost("codex", "gpt-5.5", None, NOW, Tokens(input=10)) == cost
    assert second.added == {}


def test_the_source_of_the_prices_has_a_name() -> None:
    assert price_source().startswith("genai-prices:")


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
