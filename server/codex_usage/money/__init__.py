"""What calls cost: tokens in, integer nano-dollars and nano-credits out, from dated and named prices."""

from codex_usage.money.prices import Prices, Rate, key_of, price_source

__all__ = ["Prices", "Rate", "key_of", "price_source"]
