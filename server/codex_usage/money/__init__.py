"""What calls cost: tokens in, integer nano-dollars out, from dated and named prices."""

from codex_usage.money.prices import Prices, Rate, load_prices, price_source

__all__ = ["Prices", "Rate", "load_prices", "price_source"]
