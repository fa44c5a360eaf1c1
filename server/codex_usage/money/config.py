"""The user's own files about money: prices and aliases, a rate card, budgets. All may be missing.

What is wrong in them costs its own entry only (`homes.config`). Numbers stay exact from the file's text to the
price: they are decimals, never floats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from codex_usage.homes import usage_home
from codex_usage.homes.config import ConfigFile, Text, as_json, config_path, convert, key_path, write_json
from codex_usage.model import BadInput

#: The user's own files. Prices and credits depend on the first ones only.
PRICE_FILES = ("pricing.json", "rate-card.json", "prices.json")
CONFIG_FILES = (*PRICE_FILES, "budgets.json", "allowance.json", "projects.json")
BUNDLED_CARD = Path(__file__).with_name("rate_card.json")

Plan = Literal["tokens", "per_message"]


class PriceRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A user's price: USD per million tokens, from a day (UTC) on, of calls with more than `above` input tokens."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    starts: date | None = msgspec.field(name="from", default=None)
    above: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 0
    tier: Text = "standard"
    estimated: Text | None = None
    source: Text | None = None

    @property
    def from_ms(self) -> int:
        """Milliseconds since 1970 of its first midnight in UTC; 0 when it holds for all time."""
        return (self.starts - date(1970, 1, 1)).days * 86_400_000 if self.starts else 0


class Pricing(msgspec.Struct):
    """pricing.json, its rows in the order of tier, day and size."""

    path: Path
    aliases: dict[str, str]
    models: dict[str, list[PriceRow]]
    problems: list[str]


class CardRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Credits per million tokens of a model. `override`: the user's own, other than the bundled card's."""

    model: Text
    input: Decimal
    cached_input: Decimal
    output: Decimal
    tier: Literal["standard"] = "standard"
    source: str = ""
    date: str = ""
    note: str = ""
    state: Literal["exact", "override"] = "exact"


class FastRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many times the credits a call in fast mode uses."""

    multiplier: Decimal
    source: str = ""
    date: str = ""


class RateCard(msgspec.Struct):
    """The rate card in force: rows by model; `fast` by model and "default"; credits count from `since` on."""

    rows: dict[str, CardRow] = {}
    fast: dict[str, FastRow] = {}
    plan: Plan = "tokens"
    since: date = date.min
    problems: list[str] = []


class Budget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An amount that a day, week or month may cost, of everything or of one project."""

    amount: Decimal
    unit: Literal["usd", "credits"]
    per: Literal["day", "week", "month"]
    project: Text | None = None

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What there is only one budget for."""
        return self.unit, self.per, self.project


def load_pricing(env: Mapping[str, str] | None = None) -> Pricing:
    """The user's prices and aliases. Never raises."""
    path = config_path("pricing.json", env)
    file = ConfigFile(path, aliases=dict[str, Text], models=dict[str, list[PriceRow]], pinned=Any)
    if file.missing and path != usage_home(env) / "pricing.json":
        file.problems.append(f"{file.name} does not exist; CODEX_USAGE_PRICING must name a file.")
    named: dict[str, str] = file.value.get("aliases", {})
    for name, other in named.items():
        if other in named:  # itself, a chain or a loop: one step keeps it plain which price is meant
            file.warn(f"aliases{key_path(name)} names the alias {other[:80]!r}, not a model; this entry is left out")
    aliases = {name: other for name, other in named.items() if other not in named}
    models = {name: _in_order(file, name, rows) for name, rows in file.value.get("models", {}).items()}
    return Pricing(path, aliases, {name: rows for name, rows in models.items() if rows}, file.problems)


def _in_order(file: ConfigFile, model: str, rows: list[PriceRow]) -> list[PriceRow]:
    """A model's rows by tier, day and size, without those that can't count."""
    at = f"models{key_path(model)}"
    found = {(row.tier, row.starts or date.min, row.above): row for row in rows}
    if len(found) < len(rows):
        file.warn(f'{at} has rows with the same "tier", "from" and "above"; the last of them counts')
    for tier, day, above in list(found):
        if (tier, day, 0) not in found:  # there would be no price for the calls that are smaller
            file.warn(f'{at}: {above=} needs a row of the same "tier" and "from" without "above"; it is left out')
            del found[tier, day, above]
    return [found[key] for key in sorted(found)]


def load_rate_card(env: Mapping[str, str] | None = None, path: Path | None = None) -> RateCard:
    """The bundled rate card, and over it the user's rate-card.json or another file. Never raises."""
    card = _lay_over(RateCard(), BUNDLED_CARD)
    return _lay_over(card, path or config_path("rate-card.json", env)) if path != BUNDLED_CARD else card


def _lay_over(card: RateCard, path: Path) -> RateCard:
    file = ConfigFile(path, plan=Plan, since=date, models=list[CardRow], fast=dict[str, FastRow])
    new, rows = file.value, dict(card.rows)
    for row in new.get("models", []):
        known = card.rows.get(row.model)
        if known and (known.input, known.cached_input, known.output) == (row.input, row.cached_input, row.output):
            rows[row.model] = known
            continue
        if known and "" < row.date < known.date:
            mend = "date it anew, or run codex-usage update-rate-card"
            file.warn(f"models: {row.model[:80]} is older than the bundled rate of {known.date}; {mend}")
        rows[row.model] = msgspec.structs.replace(row, state="override" if card.rows else "exact")
    fast = card.fast | new.get("fast", {})
    return RateCard(rows, fast, new.get("plan", card.plan), new.get("since", card.since), file.problems)


def load_budgets(env: Mapping[str, str] | None = None) -> tuple[list[Budget], list[str]]:
    """The budgets in their order, and what is wrong with the file. Never raises."""
    file = ConfigFile(config_path("budgets.json", env), budgets=list[Budget])
    budgets: list[Budget] = file.value.get("budgets", [])
    found = {budget.key: budget for budget in budgets}
    if len(found) < len(budgets):
        file.warn("budgets has entries with the same unit, time and project; the last of them counts")
    return list(found.values()), file.problems


def make_budget(amount: str, unit: str, per: str, project: str | None) -> Budget:
    """A budget from words. Raises BadInput."""
    try:
        return convert({"amount": amount, "unit": unit, "per": per, "project": project}, Budget)
    except BadInput as wrong:
        raise BadInput(f"a budget's {str(wrong).lstrip('.')}.") from None


def save_budgets(budgets: Iterable[Budget], env: Mapping[str, str] | None = None) -> Path:
    """Replace budgets.json. Raises BadInput when it can't be written."""
    return write_json(config_path("budgets.json", env), {"budgets": list(budgets)})


def template_pricing() -> str:
    """The text of a pricing.json to begin with. It changes no price: JSON has no comments, so they are a key."""
    comment = [
        "Your own prices, in USD per million tokens; they win over all others. Keys named comment are ignored.",
        'aliases: a name in the logs, and the model that it is: {"my-router-name": "gpt-5.5"}',
        'models: one price: {"my-model": {"input": 1.25, "cached_input": 0.125, "output": 10}}',
        "or a list of such rows, each with any of: from (a day, UTC), above (input tokens), tier (priority, flex),",
        "cache_write, cache_write_1h, estimated (why it is an estimate), source (where it is from).",
    ]
    return as_json({"comment": comment, "aliases": {}, "models": {}}).decode()
