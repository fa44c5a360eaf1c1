"""What calls cost: tokens in, integer nano-dollars out, from dated and named prices."""

from codex_usage.money.prices import Prices, Rate, price_source

__all__ = ["Prices", "Rate", "price_source"]
