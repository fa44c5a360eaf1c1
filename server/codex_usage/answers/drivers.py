"""Splits the change of an amount between two windows into causes that add up to it exactly.

An amount (dollars, credits or tokens) is a sum over cells, a role (direct or delegated) with a model each:

    amount = sum of  turns x calls per turn x share of the model x unit x long x tier
    unit   = context x (plain x p_in + cached x p_cached + written x p_written) + output x p_out

with context and output in tokens per call, the shares of input that were plain, cached and written, prices per
token at the standard tier and a common context, and the factors by which long contexts and tiers raise that. Ten
drivers move these factors from the baseline's values to the period's; each gets its Shapley value: its mean effect
over all orders in which the factors could have moved. So it does not matter which is looked at first, the values add
up to the change, swapping the windows flips their signs, and a factor that did not move gets exactly zero (Shapley
1953; docs/explanation/explaining.md has the formula with an example).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

DRIVERS = (
    "turns", "calls_per_turn", "delegation", "context_size", "cache_misses", "output", "model_mix", "service_tier",
    "long_context", "price",
)  # fmt: skip
#: Of the nine factors of a cell, the driver that moves each; the second one is the role's own.
_FACTORS = ("turns", "", "model_mix", "context_size", "cache_misses", "output", "price", "long_context", "service_tier")


class Prices(NamedTuple):
    """Amounts per token: plain input, cached input, input written to the cache, output."""

    plain: float
    cached: float
    written: float
    output: float


@dataclass(slots=True)
class Cell:
    """What one role's calls of one model were in a window. Amounts are in the metric's unit; `long` and `tier` are
    the parts of `amount` that long contexts and tiers added. `priced` sums each class's amount at its base price."""

    calls: float = 0.0
    input: float = 0.0
    cached: float = 0.0
    written: float = 0.0
    output: float = 0.0
    amount: float = 0.0
    long: float = 0.0
    tier: float = 0.0
    listed: Prices | None = None
    _sums: list[float] = field(default_factory=lambda: [0.0] * 4)

    def add(self, tokens: Sequence[float], amounts: Sequence[float], prices: Prices | None, scale: float) -> None:
        """Add calls of one rate: (calls, input, cached, written, output) and (amount, long, tier), times `scale`."""
        calls, size, cached, written, output = tokens
        amount, long, tier = amounts
        self.calls += calls * scale
        self.input += size * scale
        self.cached += cached * scale
        self.written += written * scale
        self.output += output * scale
        self.amount += amount * scale
        self.long += long * scale
        self.tier += tier * scale
        if prices is not None:
            self.listed, sums = prices, self._sums
            plain, read, write, out = prices
            sums[0] += (size - cached - written) * scale * plain
            sums[1] += cached * scale * read
            sums[2] += written * scale * write
            sums[3] += output * scale * out

    @property
    def base(self) -> float:
        """The amount without what long contexts and tiers added."""
        return self.amount - self.long - self.tier

    @property
    def prices(self) -> Prices:
        """The mean base price of each class; what was written for an hour costs more, so that class takes the rest."""
        counts = self.input - self.cached - self.written, self.cached, self.written, self.output
        listed = self.listed or Prices(0.0, 0.0, 0.0, 0.0)
        rows = zip(self._sums, counts, listed, strict=True)
        means = [total / count if count > 0 else price for total, count, price in rows]
        if counts[2] > 1e-3:  # less is what rounding left
            means[2] = (self.base - self._sums[0] - self._sums[1] - self._sums[3]) / counts[2]
        return Prices(*means)


Key = tuple[str, str]  # role, model


@dataclass
class Side:
    """A window: its user turns, and its cells by (role, model)."""

    turns: float
    cells: dict[Key, Cell]

    def calls(self, role: str) -> float:
        """The calls of a role."""
        return sum(cell.calls for key, cell in self.cells.items() if key[0] == role)

    @property
    def amount(self) -> float:
        """The whole amount."""
        return sum(cell.amount for cell in self.cells.values())


class Factors(NamedTuple):
    """The nine factors of a cell in a window; cache is (cached, written) as shares of input."""

    turns: float
    per_turn: float
    share: float
    context: float
    cache: tuple[float, float]
    output: float
    prices: Prices
    long: float
    tier: float


def split_change(old: Side, new: Side) -> dict[Key, dict[str, float]]:
    """Each driver's part of the change from one window to another, by cell. What a window lacks takes the other's
    value, so that a model that is new speaks through the mix only, and an empty window through turns only."""
    parts: dict[Key, dict[str, float]] = {}
    for key in old.cells.keys() | new.cells.keys():
        before, after = factors_of(old, new, key), factors_of(new, old, key)
        per_turn = "calls_per_turn" if key[0] == "direct" else "delegation"
        values = _shapley(before, after)
        parts[key] = {name or per_turn: value for name, value in zip(_FACTORS, values, strict=True)}
    return parts


def factors_of(side: Side, other: Side, key: Key) -> Factors:
    """A cell's factors in a window; those that nothing tells of are the other window's."""
    turns = side.turns or (other.turns or 1.0 if any(cell.calls for cell in side.cells.values()) else 0.0)
    calls = side.calls(key[0])
    cell = side.cells.get(key)
    like = cell if cell is not None and cell.calls > 0 else other.cells.get(key, Cell())
    per_turn = calls / turns if turns else other.calls(key[0]) / (other.turns or 1.0)
    share = _share(side if calls else other, key)
    size, base = like.input, like.base
    return Factors(
        turns, per_turn, share, size / like.calls if like.calls else 0.0,
        (like.cached / size, like.written / size) if size else (0.0, 0.0),
        like.output / like.calls if like.calls else 0.0, like.prices, (base + like.long) / base if base > 0 else 1.0,
        like.amount / (base + like.long) if base + like.long > 0 else 1.0,
    )  # fmt: skip


def _share(side: Side, key: Key) -> float:
    calls = side.calls(key[0])
    return side.cells[key].calls / calls if calls and key in side.cells else 0.0


def _amount(at: Sequence[Factors]) -> float:
    """A cell's amount with each factor from a window of its own."""
    cached, written = at[4].cache
    prices = at[6].prices
    unit = at[3].context * ((1 - cached - written) * prices.plain + cached * prices.cached + written * prices.written)
    unit += at[5].output * prices.output
    return at[0].turns * at[1].per_turn * at[2].share * unit * at[7].long * at[8].tier


def _shapley(before: Factors, after: Factors) -> list[float]:
    """The Shapley value of each of a cell's nine factors; those that did not move get none and cost no time."""
    moved = [at for at in range(9) if before[at] != after[at]]
    values = [0.0] * 9
    count = len(moved)
    amounts = []
    for chosen in range(1 << count):
        at = [before] * 9
        for bit, factor in enumerate(moved):
            if chosen >> bit & 1:
                at[factor] = after
        amounts.append(_amount(at))
    weights = [math.factorial(n) * math.factorial(count - n - 1) / math.factorial(count) for n in range(count)]
    for bit, factor in enumerate(moved):
        values[factor] = sum(
            weights[chosen.bit_count()] * (amounts[chosen | 1 << bit] - amounts[chosen])
            for chosen in range(1 << count)
            if not chosen >> bit & 1
        )
    return values


def totals_of(parts: Mapping[Key, Mapping[str, float]], change: float) -> dict[str, float]:
    """Each driver's part of the whole change. What rounding left goes to the greatest, so that they add up."""
    totals = {name: math.fsum(part.get(name, 0.0) for part in parts.values()) for name in DRIVERS}
    greatest = max(totals, key=lambda name: abs(totals[name]))
    totals[greatest] += change - math.fsum(totals.values())
    return totals
