"""Where a price comes from, how sure it is, and why: price data, the user's files, aliases, tiers, credits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from codex_usage.model import Tokens
from codex_usage.money import Prices, Rate, price_source

MILLION = Tokens(input=1_000_000)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder, empty."""
    monkeypatch.setenv("CODEX_USAGE_HOME", str(tmp_path))
    return tmp_path


def rate(model: str | None, tier: str | None = None, at: str = "2026-11-21", provider: str = "codex") -> Rate:
    """The rate of a call on a day, from the files as they are now."""
    noon = datetime.fromisoformat(f"{at}T12:00").replace(tzinfo=UTC)
    return Prices().rate(provider, model, tier, int(noon.timestamp() * 1000))


def dollars(rate: Rate, tokens: Tokens = MILLION) -> Decimal | None:
    """What tokens cost at a rate, in dollars."""
    cost = rate.cost(tokens)
    return None if cost is None else Decimal(cost) / 10**9


def credits_of(rate: Rate, tokens: Tokens = MILLION) -> Decimal | None:
    """What tokens cost at a rate, in credits."""
    points = rate.credited(tokens)
    return None if points is None else Decimal(points) / 10**9


def write(folder: Path, name: str, content: Any) -> None:
    """One of the user's files."""
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


# -- the user's prices -------------------------------------------------------------------------------------


def test_the_users_price_wins_and_is_named_as_the_source(own: Path) -> None:
    write(own, "pricing.json", {"models": {"gpt-5.5": {"input": 3, "cached_input": 0.25, "output": 20}}})
    found = rate("gpt-5.5")
    assert (found.source, found.confidence) == ("pricing.json", "exact")
    assert dollars(found, Tokens(input=1_000_000, cached=400_000, output=100_000)) == Decimal("3.9")


def test_a_price_from_a_day_on_leaves_earlier_calls_at_the_price_of_their_day(own: Path) -> None:
    write(own, "pricing.json", {"models": {"gpt-5.5": [{"from": "2026-11-15", "input": 4, "output": 24}]}})
    assert dollars(rate("gpt-5.5", at="2026-11-14"), Tokens(input=100_000)) == Decimal("0.5")
    assert dollars(rate("gpt-5.5", at="2026-11-15"), Tokens(input=100_000)) == Decimal("0.4")


def test_a_model_only_the_user_prices_has_none_before_his_first_day(own: Path) -> None:
    write(own, "pricing.json", {"models": {"house-model": [{"from": "2026-11-15", "input": 4, "output": 24}]}})
    before = rate("house-model", at="2026-11-14")
    assert (before.confidence, before.reason) == ("unpriced", "pricing.json prices house-model from 2026-11-15 on only")
    assert dollars(rate("house-model", at="2026-11-16")) == 4


def test_a_long_context_and_a_tier_can_have_prices_of_the_users_own(own: Path) -> None:
    rows = [
        {"input": 1, "output": 2},
        {"above": 272000, "input": 2, "output": 4},
        {"tier": "priority", "input": 3, "output": 6},
    ]
    write(own, "pricing.json", {"models": {"house-model": rows}})
    assert dollars(rate("house-model"), Tokens(input=272_000)) == Decimal("0.272")
    assert dollars(rate("house-model"), Tokens(input=300_000)) == Decimal("0.6")
    assert dollars(rate("house-model", "fast")) == 3
    flex = rate("house-model", "flex")
    assert (dollars(flex, Tokens(input=1000)), flex.confidence) == (Decimal("0.001"), "estimated")
    assert flex.reason == "house-model flex at the standard price: pricing.json has no other"


def test_a_price_that_the_user_calls_an_estimate_is_one(own: Path) -> None:
    write(own, "pricing.json", {"models": {"house-model": {"input": 1, "output": 2, "estimated": "from a talk"}}})
    assert (rate("house-model").confidence, rate("house-model").reason) == ("estimated", "from a talk")


def test_an_alias_prices_one_name_as_another_and_says_so(own: Path) -> None:
    write(own, "pricing.json", {"aliases": {"my-router": "gpt-5.5"}})
    found = rate("my-router")
    assert (dollars(found, Tokens(input=100_000)), found.matched, found.confidence) == (
        Decimal("0.5"),
        "gpt-5.5",
        "estimated",
    )
    assert found.reason == "my-router priced as gpt-5.5: pricing.json says so"


def test_a_changed_file_changes_the_name_of_the_price_source(own: Path) -> None:
    before = price_source()
    write(own, "pricing.json", {"aliases": {"my-router": "gpt-5.5"}})
    assert price_source() != before


# -- names without a price ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "stands_for"), [("codex-auto-review", "gpt-5.4"), ("gpt-5.3-codex-spark", "gpt-5.3-codex")]
)
def test_internal_names_are_priced_by_a_stated_alias_only(own: Path, model: str, stands_for: str) -> None:
    found = rate(model)
    assert (found.matched, found.confidence) == (stands_for, "estimated")
    assert found.reason == f"{model} priced as {stands_for}: it has no published price"


def test_the_user_can_send_an_internal_name_elsewhere(own: Path) -> None:
    write(own, "pricing.json", {"aliases": {"codex-auto-review": "gpt-5.4-mini"}})
    assert rate("codex-auto-review").matched == "gpt-5.4-mini"


@pytest.mark.parametrize("model", ["gpt-5.9", "gpt-5.5-turbo", "gpt-6", "codex", "gpt-5.5 ", "my/gpt-5.5"])
def test_a_name_that_is_only_like_a_known_one_has_no_price(own: Path, model: str) -> None:
    found = rate(model)
    assert (found.confidence, found.cost(MILLION), found.reason) == ("unpriced", None, f"no price is known for {model}")


def test_a_call_without_a_model_has_no_price_and_no_credits(own: Path) -> None:
    found = rate(None)
    assert (found.confidence, found.reason, found.credits) == ("unpriced", "the log names no model", None)


# -- credits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "base", "cached", "output"),
    [
        ("gpt-5.5", "125", "12.5", "750"),
        ("gpt-5.4", "62.5", "6.25", "375"),
        ("gpt-5.4-mini", "18.75", "1.875", "113"),
        ("gpt-5.3-codex", "43.75", "4.375", "350"),
        ("gpt-5.2", "43.75", "4.375", "350"),
        ("gpt-5.1-codex-max", "31.25", "3.125", "250"),
        ("gpt-5.1-codex-mini", "6.25", "0.625", "50"),
        ("gpt-5.5-cyber", "500", "50", "3000"),
        ("gpt-5.3-codex-spark", "0", "0", "0"),
    ],
)
def test_published_credit_rates_are_exact(own: Path, model: str, base: str, cached: str, output: str) -> None:
    found = rate(model)
    assert found.credit_confidence == "exact", found.credit_reason
    assert credits_of(found) == Decimal(base)
    assert credits_of(found, Tokens(input=1_000_000, cached=1_000_000)) == Decimal(cached)
    assert credits_of(found, Tokens(output=1_000_000)) == Decimal(output)


def test_a_newer_model_has_25_credits_for_a_dollar_of_its_standard_price(own: Path) -> None:
    found = rate("gpt-6-sol")  # 2.00, 0.20 and 10.00 dollars
    assert found.credit_confidence == "inferred"
    assert "25 credits for a dollar" in (found.credit_reason or "")
    assert credits_of(found, Tokens(input=1_000_000, cached=500_000, output=100_000)) == Decimal("52.5")


@pytest.mark.parametrize(("model", "times"), [("gpt-5.5", "2.5"), ("gpt-5.4", "2"), ("gpt-5.3-codex", "2")])
def test_fast_mode_multiplies_credits_and_names_its_source(own: Path, model: str, times: str) -> None:
    fast, standard = rate(model, "priority"), rate(model)
    assert fast.credit_confidence == "inferred"
    assert f"fast mode taken as {times} times (" in (fast.credit_reason or "")
    assert credits_of(fast) == (credits_of(standard) or 0) * Decimal(times)


def test_the_users_row_of_the_rate_card_is_marked_as_his(own: Path) -> None:
    row = {"model": "gpt-5.5", "input": 100, "cached_input": 10, "output": 600, "tier": "standard"}
    write(own, "rate-card.json", {"models": [row | {"source": "our contract", "date": "2026-11-01"}]})
    assert (rate("gpt-5.5").credit_confidence, credits_of(rate("gpt-5.5"))) == ("override", 100)
    assert rate("gpt-5.4").credit_confidence == "exact"


def test_on_a_per_message_plan_no_credits_are_counted(own: Path) -> None:
    write(own, "rate-card.json", {"plan": "per_message"})
    found = rate("gpt-5.5")
    assert (found.credits, found.credit_confidence) == (None, "missing")
    assert found.credit_reason == "on a per-message plan credits do not follow tokens"
    assert found.confidence == "exact"


def test_before_token_based_credits_they_are_inferred(own: Path) -> None:
    assert rate("gpt-5.2", at="2026-04-01").credit_confidence == "inferred"
    assert rate("gpt-5.2", at="2026-04-02").credit_confidence == "exact"


def test_claude_has_no_credits(own: Path) -> None:
    found = rate("claude-opus-5-5", provider="claude")
    assert (found.credits, found.credit_confidence, found.confidence) == (None, None, "exact")


def test_claudes_fast_mode_has_its_own_price_where_there_is_one(own: Path) -> None:
    fast, standard = rate("claude-opus-5", "fast", provider="claude"), rate("claude-opus-5", provider="claude")
    assert (fast.confidence, dollars(fast)) == ("exact", 2 * (dollars(standard) or 0))
    assert rate("claude-opus-4-1", "fast", provider="claude").confidence == "estimated"
